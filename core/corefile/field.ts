// Fields: what the arguments and properties of a directive are made of. A field knows how many tokens it reads, what they become, and
// what it is when it is not written.
import type { Problem, Token } from './model.js';
import { problemAt, quote } from './problems.js';
import type { SyntaxContext } from './syntax.js';
import { ValueError } from './value-error.js';

/** One occurrence of a directive being read: where problems go, so that all of them are found in one pass. */
export class Reading {
  readonly directive: string;
  readonly context: SyntaxContext;
  hasFailed = false;
  readonly #problems: Problem[];

  constructor(directive: string, context: SyntaxContext, problems: Problem[]) {
    this.directive = directive;
    this.context = context;
    this.#problems = problems;
  }

  fail(token: Token, message: string): void {
    this.hasFailed = true;
    this.#problems.push(problemAt(token, this.directive, message));
  }

  /** What `read` gives; a ValueError becomes a problem at `token` and the value means nothing then. */
  attempt<T>(token: Token, label: string, read: () => T): T {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof ValueError)) throw error;
      this.fail(error.token ?? token, messageOf(error, (error.token ?? token).text, label));
      return undefined as T;
    }
  }
}

/** How a field reads. `read` gets between `min` and `max` tokens; `anchor` is where it is reported that there are none. */
export interface Reader {
  readonly min: number;
  readonly max: number;
  /** What is accepted, for messages: `an IP address`. */
  readonly want: string;
  read(tokens: readonly Token[], reading: Reading, label: string, anchor: Token): unknown;
  /** Whether a token is of this kind, right or wrong; a positional field that may be absent is skipped when it is not. */
  looksLike(text: string, context: SyntaxContext): boolean;
}

/** What becomes of the values of several lines of one property. */
type Combine = (lines: readonly unknown[]) => unknown;

/** The value of a field that is not written; undefined for a field that must be. */
type Absent<T> = ((context: SyntaxContext) => T) | undefined;

/** A typed argument or property. Immutable: each modifier gives a new one. */
export class Field<T> {
  readonly reader: Reader;
  readonly combine: Combine;
  readonly absent: Absent<T>;
  /** What the value is called in messages, '' for the name of the argument or property. */
  readonly label: string;

  constructor(reader: Reader, absent: Absent<T>, combine: Combine = lastLine, label = '') {
    this.reader = reader;
    this.absent = absent;
    this.combine = combine;
    this.label = label;
  }

  /** May be absent, and is `value` then. */
  or<const D>(value: D): Field<T | D> {
    if (Array.isArray(value)) Object.freeze(value);
    return new Field<T | D>(this.reader, () => value, this.combine, this.label);
  }

  /** May be absent, and is undefined then. */
  optional(): Field<T | undefined> {
    return this.or(undefined);
  }

  /** A property that may be written on several lines: their values in order, none when it is absent. */
  many(): Field<readonly T[]> {
    return new Field<readonly T[]>(this.reader, () => NONE, allLines, this.label);
  }

  /** One or more tokens on one line, each read as this field is. Several lines of such a property add up. */
  list(): Field<readonly T[]> {
    if (this.reader.max !== 1) throw new Error('list() needs a field that reads one token');
    return new Field<readonly T[]>(new ListReader(this.reader), undefined, joinedLines, this.label);
  }

  /** Says what the value is called in messages: `CAPACITY`. */
  named(label: string): Field<T> {
    return new Field<T>(this.reader, this.absent, this.combine, label);
  }
}

/** The type of a field's value. */
export type ValueOf<F> = F extends Field<infer T> ? T : never;

/** A field with what it is called, in the order in which fields are read. */
export interface Position {
  readonly field: Field<unknown>;
  readonly label: string;
}

/**
 * Reads `tokens` from left to right into `positions`, one value each. What may be absent is skipped when the token is not of its kind
 * and a later position could take it. `owner` is '' for the directive's own arguments, else the property they belong to.
 */
export function readPositions(
  positions: readonly Position[],
  tokens: readonly Token[],
  reading: Reading,
  owner: string,
  anchor: Token,
): unknown[] {
  const values: unknown[] = [];
  let at = 0;
  for (const [i, { field, label }] of positions.entries()) {
    const { reader, absent } = field;
    const token = tokens[at];
    if (absent !== undefined && isSkipped(reader, token, i === positions.length - 1, reading)) {
      values.push(absent(reading.context));
      continue;
    }
    const slice = tokens.slice(at, Math.min(tokens.length, at + reader.max));
    if (slice.length < reader.min) {
      missing(reading, tokens[at - 1] ?? anchor, field, label, owner);
      return values;
    }
    values.push(reader.read(slice, reading, joinLabel(owner, label), tokens[at - 1] ?? anchor));
    at += slice.length;
  }
  if (at < tokens.length) surplus(reading, tokens[at] as Token, at, positions, owner);
  return values;
}

/** Reads the one value of a property line. */
export function readProperty(
  field: Field<unknown>,
  name: Token,
  args: readonly Token[],
  reading: Reading,
): unknown {
  const { reader } = field;
  if (args.length < reader.min) {
    missing(reading, name, field, '', name.text);
    return undefined;
  }
  if (args.length > reader.max) {
    surplus(reading, args[reader.max] as Token, reader.max, [{ field, label: '' }], name.text);
    return undefined;
  }
  return reader.read(args, reading, joinLabel(name.text, field.label), name);
}

/** Several tokens by one reader, each on its own, so that every bad one is reported. */
class ListReader implements Reader {
  readonly min = 1;
  readonly max = Number.POSITIVE_INFINITY;
  readonly want: string;
  readonly #element: Reader;

  constructor(element: Reader) {
    this.want = element.want;
    this.#element = element;
  }

  read(tokens: readonly Token[], reading: Reading, label: string): unknown {
    return Object.freeze(tokens.map((token) => this.#element.read([token], reading, label, token)));
  }

  looksLike(text: string, context: SyntaxContext): boolean {
    return this.#element.looksLike(text, context);
  }
}

const NONE: readonly never[] = Object.freeze([]);

function lastLine(lines: readonly unknown[]): unknown {
  return lines[lines.length - 1];
}

function allLines(lines: readonly unknown[]): unknown {
  return Object.freeze([...lines]);
}

function joinedLines(lines: readonly unknown[]): unknown {
  return Object.freeze(lines.flat(1));
}

function isSkipped(
  reader: Reader,
  token: Token | undefined,
  isLast: boolean,
  reading: Reading,
): boolean {
  if (token === undefined) return true;
  return !isLast && !reader.looksLike(token.text, reading.context);
}

function missing(
  reading: Reading,
  at: Token,
  field: Field<unknown>,
  label: string,
  owner: string,
): void {
  const name = field.label === '' ? label : field.label;
  const what = name === '' ? 'missing argument' : `missing argument ${name}`;
  reading.fail(at, `${what}${owner === '' ? '' : ` for ${owner}`}, want ${field.reader.want}`);
}

function surplus(
  reading: Reading,
  token: Token,
  taken: number,
  positions: readonly Position[],
  owner: string,
): void {
  const most = positions.reduce((sum, { field }) => sum + field.reader.max, 0);
  // A skipped position leaves room that this token did not fit in.
  const want =
    most === 0 ? 'none' : taken < most ? `at most ${most}, in their order` : `at most ${most}`;
  const whose = owner === '' ? '' : ` for ${owner}`;
  reading.fail(token, `unexpected argument ${quote(token.text)}${whose}, want ${want}`);
}

function joinLabel(owner: string, label: string): string {
  return owner === '' || label === '' ? owner + label : `${owner} ${label}`;
}

function messageOf(error: ValueError, text: string, label: string): string {
  if (error.subject === 'none') return error.message;
  if (error.subject === 'labelled') return `${label} ${text} ${error.message}`;
  return `${quote(text)} ${error.message}`;
}
