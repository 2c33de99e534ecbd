// Arguments of imports: `{args[0]}` within a token, `{args[:]}` and `{args[1:]}` as a token that becomes several.
import type { Lexeme } from './lexer.js';
import type { Token } from './model.js';

const ONE = /\{args\[(\d+)\]\}/g;
const SEVERAL = /^\{args\[(\d*):(\d*)\]\}$/;

export interface Substituted {
  readonly tokens: readonly Lexeme[];
  /** Placeholders that no argument was given for, each once. */
  readonly missing: ReadonlySet<string>;
}

/**
 * `tokens` with `args` in place of their placeholders; the indices that occur are added to `used`. A token that is nothing but a
 * placeholder stands where its argument was written, so that a problem with it is reported there.
 */
export function substitute(
  tokens: readonly Lexeme[],
  args: readonly Token[],
  used: Set<number>,
): Substituted {
  const missing = new Set<string>();
  if (!tokens.some((token) => token.text.includes('{args['))) return { tokens, missing };
  const out: Lexeme[] = [];
  // A placeholder for several arguments may become none: then the next token starts the line.
  let startsLine = false;
  for (const token of tokens) {
    startsLine ||= token.startsLine;
    for (const made of replaced(token, args, used, missing)) {
      out.push({ text: made.text, file: made.file, line: made.line, startsLine });
      startsLine = false;
    }
  }
  return { tokens: out, missing };
}

function replaced(
  token: Lexeme,
  args: readonly Token[],
  used: Set<number>,
  missing: Set<string>,
): readonly Token[] {
  const several = SEVERAL.exec(token.text);
  if (several !== null) {
    const from = Number(several[1]);
    const to = several[2] === '' ? args.length : Number(several[2]);
    if (to > args.length) missing.add(token.text);
    for (let i = from; i < to; i++) used.add(i);
    return args.slice(from, to);
  }
  const text = token.text.replaceAll(ONE, (placeholder, digits: string) => {
    const arg = args[Number(digits)];
    used.add(Number(digits));
    if (arg === undefined) missing.add(placeholder);
    return arg?.text ?? '';
  });
  const whole = new RegExp(`^${ONE.source}$`).exec(token.text);
  const arg = args[Number(whole?.[1])];
  return [arg ?? { ...token, text }];
}
