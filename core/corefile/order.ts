// The `order` directive: chain order of one server block.
import type { Directive, Problem, ServerBlock, Token } from './model.js';
import { placeOf, problemAt, quote } from './problems.js';

/**
 * Splits a block's directives into its `order` and the others. An `order` names plugins front to back: the n-th mention of a plugin is
 * its n-th occurrence in the block, the last mention takes the remaining ones along, and what is not named keeps its default place.
 */
export function takeOrder(
  directives: readonly Directive[],
  problems: Problem[],
): Pick<ServerBlock, 'directives' | 'order' | 'orderAt'> {
  const [first, second] = directives.filter(({ name }) => name.text === 'order');
  const others = directives.filter(({ name }) => name.text !== 'order');
  if (first === undefined) return { directives: others, order: undefined };
  const fail = (token: Token, message: string) => problems.push(problemAt(token, 'order', message));

  if (second !== undefined) {
    const place = placeOf(first.name, second.name);
    fail(second.name, `already set on ${place}, allowed once per server block`);
  }
  const [property] = first.properties;
  if (property !== undefined) {
    fail(property.name, `unexpected ${quote(property.name.text)}, want plugin names on one line`);
  }
  if (first.args.length === 0) fail(first.name, 'missing argument, want plugin names');
  for (const [i, token] of first.args.entries()) {
    const mentions = countOf(first.args.slice(0, i + 1), token.text);
    const occurrences = countOf(
      others.map(({ name }) => name),
      token.text,
    );
    // A plugin this block does not use may be named: one line then serves many blocks through a snippet.
    if (occurrences > 0 && mentions > occurrences) {
      const times = occurrences === 1 ? 'stands once' : `stands ${occurrences} times`;
      fail(token, `${quote(token.text)} is named ${mentions} times and ${times} in this block`);
    }
  }
  return { directives: others, order: first.args.map((token) => token.text), orderAt: first.name };
}

function countOf(tokens: readonly Token[], text: string): number {
  return tokens.filter((token) => token.text === text).length;
}
