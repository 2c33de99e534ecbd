// From the text of a Corefile to tokens. Its rules are CoreDNS's, odd ones included, because files in use depend on them.
import type { Token } from './model.js';

/** A token and whether it is the first on its line. Lines end where the text has a line feed, also inside quotes. */
export interface Lexeme extends Token {
  readonly startsLine: boolean;
}

export interface Lexed {
  readonly tokens: readonly Lexeme[];
  /** The token whose quote is still open at the end of the file: it holds all the rest. */
  readonly openQuote: Lexeme | undefined;
}

/** Unicode White_Space (the set of Go's unicode.IsSpace), carriage return aside. */
const SPACE = /[\t\n\v\f \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/;

/**
 * Splits at white space. A `"` quotes only as the first character of a token, and only `\"` is an escape inside. A `#` drops what
 * follows: from a token's start the whole line, from within a token the rest of that word. Carriage returns outside quotes vanish.
 */
export function lex(text: string, file: string): Lexed {
  const tokens: Lexeme[] = [];
  let line = 1;
  let at = text.charCodeAt(0) === 0xfeff ? 1 : 0;
  let openQuote: Lexeme | undefined;
  // The line that the last token ends on: what starts there as well is on the same line.
  let endLine = 0;

  const add = (value: string, startLine: number): Lexeme => {
    const token = { text: value, file, line: startLine, startsLine: startLine !== endLine };
    tokens.push(token);
    endLine = line;
    return token;
  };

  while (at < text.length) {
    const char = text[at] as string;
    if (char === '\r' || SPACE.test(char)) {
      if (char === '\n') line++;
      at++;
    } else if (char === '#') {
      at = endOfLine(text, at);
    } else if (char === '"') {
      const start = line;
      const quoted = readQuoted(text, at + 1);
      at = quoted.end;
      line += countLines(quoted.text);
      // A quote that opens at the very end is no token at all.
      const isToken = quoted.isClosed || quoted.text !== '';
      const token = isToken ? add(quoted.text, start) : { text: '', file, line, startsLine: true };
      if (!quoted.isClosed) openQuote = token;
    } else {
      const end = endOfWord(text, at);
      const word = text.slice(at, end).replaceAll('\r', '');
      add(word.split('#', 1)[0] as string, line);
      at = end;
    }
  }
  return { tokens, openQuote };
}

/** How many line feeds `text` holds. */
export function countLines(text: string): number {
  let count = 0;
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) count++;
  return count;
}

/** The text between quotes, its escapes undone, and the offset after the closing quote. */
function readQuoted(text: string, from: number): { text: string; end: number; isClosed: boolean } {
  let value = '';
  let at = from;
  for (; at < text.length; at++) {
    const char = text[at] as string;
    if (char === '"') return { text: value, end: at + 1, isClosed: true };
    if (char !== '\\') {
      value += char;
    } else if (++at < text.length) {
      value += text[at] === '"' ? '"' : `\\${text[at]}`;
    }
  }
  return { text: value, end: at, isClosed: false };
}

function endOfLine(text: string, from: number): number {
  const end = text.indexOf('\n', from);
  return end === -1 ? text.length : end;
}

function endOfWord(text: string, from: number): number {
  let at = from;
  while (at < text.length && !SPACE.test(text[at] as string)) at++;
  return at;
}
