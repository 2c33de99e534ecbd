// Values of a whole line or the rest of one: flags, zones, words, tuples, and whatever a plugin reads by itself.
import { Field, type Position, type Reader, readPositions, type ValueOf } from './field.js';
import { zonesOfArgument } from './keys.js';
import type { Token } from './model.js';
import type { SyntaxContext } from './syntax.js';
import { isTaken } from './values.js';

/** A property without arguments: true when it is written. */
export function flag(): Field<boolean> {
  const reader = { min: 0, max: 0, want: 'none', read: () => true, looksLike: () => false };
  return new Field<boolean>(reader, () => false);
}

/**
 * The rest of the line as zones, networks as their reverse zones. Without any: `otherwise`, else the zones of the server block.
 * `min: 1` asks for at least one.
 */
export function zones(
  options: { readonly min?: number; readonly otherwise?: readonly string[] } = {},
): Field<readonly string[]> {
  const none = (context: SyntaxContext): readonly string[] => options.otherwise ?? context.zones;
  const reader: Reader = {
    min: options.min ?? 0,
    max: Number.POSITIVE_INFINITY,
    want: 'a zone name',
    read(tokens, reading, label) {
      if (tokens.length === 0) return none(reading.context);
      const read = (token: Token) =>
        reading.attempt(token, label, () => zonesOfArgument(token.text)) ?? [];
      return Object.freeze(tokens.flatMap(read));
    },
    looksLike: (text) => isTaken(() => zonesOfArgument(text)),
  };
  return new Field<readonly string[]>(reader, reader.min === 0 ? none : undefined, joined);
}

/** The rest of the line as it is, none or more words. */
export function words(): Field<readonly string[]> {
  return custom((args) => Object.freeze(args.map((token) => token.text)));
}

/** Several values on one line, in this order; those at the end, or of a kind of their own, may be optional. */
export function tuple<const F extends readonly Field<unknown>[]>(
  ...fields: F
): Field<{ readonly [I in keyof F]: ValueOf<F[I]> }> {
  const positions: Position[] = fields.map((field) => ({ field, label: field.label }));
  checkOrder(positions);
  const reader: Reader = {
    min: 0,
    max: fields.reduce((sum, field) => sum + field.reader.max, 0),
    want: fields[0]?.reader.want ?? 'none',
    read: (tokens, reading, label, anchor) =>
      Object.freeze(readPositions(positions, tokens, reading, label, anchor)),
    looksLike: (text, context) => fields[0]?.reader.looksLike(text, context) ?? false,
  };
  return new Field(reader, undefined);
}

/** Whatever `read` makes of the rest of the line. It may throw ValueError, with the token at fault as the third argument. */
export function custom<T>(
  read: (args: readonly Token[], context: SyntaxContext) => T,
  want = 'another argument',
): Field<T> {
  return new Field<T>(
    {
      min: 0,
      max: Number.POSITIVE_INFINITY,
      want,
      read: (tokens, reading, label, anchor) =>
        reading.attempt(tokens[0] ?? anchor, label, () => read(tokens, reading.context)),
      looksLike: () => true,
    },
    undefined,
  );
}

/** A field that reads several tokens reads all that are left, so nothing can follow it. */
export function checkOrder(positions: readonly Position[]): void {
  const early = positions.slice(0, -1).find(({ field }) => field.reader.max !== 1);
  if (early !== undefined) throw new Error(`argument ${early.label} must be the last`);
}

function joined(lines: readonly unknown[]): unknown {
  return Object.freeze(lines.flat(1));
}
