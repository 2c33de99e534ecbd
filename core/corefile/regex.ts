// Regular expressions in Go's RE2 notation as JavaScript ones. What RE2 has and JavaScript spells differently is translated; what has
// no counterpart is refused.
import { ValueError } from './value-error.js';

/** POSIX classes inside brackets, as RE2 defines them (ASCII only). */
const POSIX: Readonly<Record<string, string>> = {
  alnum: '0-9A-Za-z',
  alpha: 'A-Za-z',
  ascii: '\\x00-\\x7F',
  blank: '\\t ',
  cntrl: '\\x00-\\x1F\\x7F',
  digit: '0-9',
  graph: '!-~',
  lower: 'a-z',
  print: ' -~',
  punct: '!-\\/:-@\\[-`\\{-~',
  space: '\\t\\n\\v\\f\\r ',
  upper: 'A-Z',
  word: '0-9A-Za-z_',
  xdigit: '0-9A-Fa-f',
};

/** Escapes that mean the same on both sides; other letters mean something else or nothing in JavaScript. */
const SAME_ESCAPES = new Set('dDsSwWbBfnrtv');

/** What JavaScript's `u` flag allows to be escaped; RE2 allows every punctuation character. */
const ESCAPABLE = new Set('^$\\.*+?()[]{}|/');

/**
 * The expression `source` compiled with the `u` flag, so that it matches characters and not UTF-16 halves, plus `flags`.
 * A leading `(?i)`, `(?s)` or `(?m)` sets the flag. Throws ValueError.
 */
export function compileRegex(source: string, flags = ''): RegExp {
  const leading = /^\(\?([ims]+)\)/.exec(source);
  const body = source.slice(leading?.[0].length ?? 0);
  const all = new Set(`u${flags}${leading?.[1] ?? ''}`);
  try {
    return new RegExp(translate(body), [...all].join(''));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    const reason = error.message.slice(error.message.lastIndexOf(': ') + 2).toLowerCase();
    throw new ValueError('', `is not a regular expression: ${reason}`);
  }
}

/** Goes through the expression once; `out` is its JavaScript form up to `at`. */
function translate(source: string): string {
  let out = '';
  let isClass = false;
  for (let at = 0; at < source.length; at++) {
    const char = source[at] as string;
    const rest = source.slice(at);
    if (char === '\\') {
      const [text, length] = translateEscape(rest, isClass);
      out += text;
      at += length - 1;
    } else if (isClass) {
      const posix = /^\[:(\^?)(\w+):\]/.exec(rest);
      const set = POSIX[posix?.[2] ?? ''];
      if (char === ']') isClass = false;
      if (posix !== null && set !== undefined && posix[1] === '') {
        out += set;
        at += posix[0].length - 1;
      } else out += char === '[' ? '\\[' : char;
    } else if (char === '[') {
      isClass = true;
      const opening = /^\[\^?\]?/.exec(rest)?.[0] as string;
      out += opening.replace(']', '\\]');
      at += opening.length - 1;
    } else if (/^\(\?[a-zA-Z-]+[:)]/.test(rest) && !rest.startsWith('(?P')) {
      throw new ValueError('', 'is not a regular expression here: flags must stand at its start');
    } else if (rest.startsWith('(?P<')) {
      out += '(?<';
      at += 3;
    } else if (char === '{' && !/^\{\d+(?:,\d*)?\}/.test(rest)) {
      out += '\\{';
    } else {
      out += isStray(char, out) ? `\\${char}` : char;
    }
  }
  return out;
}

/** A closing bracket that closes nothing stands for itself in RE2. A brace closes a repetition when digits lead up to it. */
function isStray(char: string, before: string): boolean {
  return char === ']' || (char === '}' && !/(?:^|[^\\])\{\d+(?:,\d*)?$/.test(before));
}

/** The JavaScript form of the escape that `rest` begins with, and how many characters of `rest` it replaces. */
function translateEscape(rest: string, isClass: boolean): [string, number] {
  const literal = /^\\Q([\s\S]*?)(?:\\E|$)/.exec(rest);
  if (literal !== null) {
    const special = isClass ? /[\^\\[\]-]/g : /[\^$\\.*+?()[\]{}|/]/g;
    return [(literal[1] as string).replace(special, '\\$&'), literal[0].length];
  }
  const wide = /^\\x\{([0-9A-Fa-f]+)\}/.exec(rest);
  if (wide !== null) return [`\\u{${wide[1]}}`, wide[0].length];
  const property = /^\\([pP])(\{\^?\w+\}|[A-Z])/.exec(rest);
  if (property !== null) return [translateProperty(property), property[0].length];
  if (/^\\x[0-9A-Fa-f]{2}/.test(rest)) return [rest.slice(0, 4), 4];
  const char = rest[1] ?? '';
  if (char === 'A' && !isClass) return ['(?<![\\s\\S])', 2];
  if (char === 'z' && !isClass) return ['(?![\\s\\S])', 2];
  if (char === 'a') return ['\\x07', 2];
  if (SAME_ESCAPES.has(char) || ESCAPABLE.has(char)) return [`\\${char}`, 2];
  if (isClass && char === '-') return ['\\-', 2];
  if (/^[\p{ASCII}]$/u.test(char) && /\W|_/.test(char)) return [char, 2];
  throw new ValueError('', `is not a regular expression: escape "\\${char}" is unknown`);
}

/** `\pL`, `\p{Greek}`, `\P{^Lu}`: scripts need their key in JavaScript, general categories do not. */
function translateProperty([, letter, name]: RegExpExecArray): string {
  const bare = (name as string).replace(/[{}^]/g, '');
  const isNegated = (letter === 'P') !== (name as string).includes('^');
  return `\\${isNegated ? 'P' : 'p'}{${bare.length > 2 ? `Script=${bare}` : bare}}`;
}
