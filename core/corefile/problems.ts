// Configuration errors as lines for an operator: `FILE:LINE: DIRECTIVE: MESSAGE`.
import type { Problem, Token } from './model.js';

/** Longest user text repeated in a message: enough to find it, short enough to keep the message on a screen line. */
const QUOTED_CHARACTERS = 120;

/** A problem at a token. `directive` is '' for the syntax of the file itself. */
export function problemAt(token: Token, directive: string, message: string): Problem {
  return { file: token.file, line: token.line, directive, message };
}

/**
 * One line of text: control characters, which a quoted token may hold, are escaped. Line 0 means that the file has no lines to
 * speak of (typed data) and is left out.
 */
export function formatProblem(problem: Problem): string {
  const place = problem.line === 0 ? problem.file : `${problem.file}:${problem.line}`;
  const directive = problem.directive === '' ? '' : `${problem.directive}: `;
  return `${place}: ${directive}${problem.message}`.replace(/\p{Cc}/gu, escaped);
}

/**
 * Every problem once, in reading order: files as they first appear, lines ascending. A snippet that is imported twice gives
 * its problems twice; an operator wants them once.
 */
export function formatProblems(problems: readonly Problem[]): string[] {
  const files = [...new Set(problems.map((problem) => problem.file))];
  const sorted = problems.toSorted(
    (a, b) => files.indexOf(a.file) - files.indexOf(b.file) || a.line - b.line,
  );
  return [...new Set(sorted.map(formatProblem))];
}

/** User text in double quotes, cut when long. */
export function quote(text: string): string {
  return `"${text.length > QUOTED_CHARACTERS ? `${text.slice(0, QUOTED_CHARACTERS)}...` : text}"`;
}

/** Where `token` stands, for a message about something at `from`: `line 8`, with the file when it is another one. */
export function placeOf(token: Token, from: Token): string {
  // Typed data: the path within it follows the file's name.
  if (token.line === 0) return token.file.slice(token.file.lastIndexOf(' ') + 1);
  return token.file === from.file ? `line ${token.line}` : `${token.file}:${token.line}`;
}

/** `a, b or c`. */
export function either(words: readonly string[]): string {
  if (words.length < 2) return words.join('');
  return `${words.slice(0, -1).join(', ')} or ${words[words.length - 1]}`;
}

function escaped(char: string): string {
  if (char === '\n') return '\\n';
  if (char === '\r') return '\\r';
  return char === '\t' ? '\\t' : `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`;
}
