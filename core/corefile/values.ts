// Values of one token: from its text to a typed value, or a ValueError that says what is wanted.
import { isIP, isIPv4, isIPv6 } from 'node:net';
import { resolve } from 'node:path';
import { Field } from './field.js';
import { zonesOfArgument } from './keys.js';
import type { Token } from './model.js';
import { either } from './problems.js';
import { compileRegex } from './regex.js';
import type { SyntaxContext } from './syntax.js';
import { formatDuration, formatSize, parseDuration, parseSize } from './units.js';
import { ValueError } from './value-error.js';

/** Limits of a number, both included. */
export interface Limits {
  readonly min?: number;
  readonly max?: number;
}

export interface HostPort {
  /** A name, an address without brackets, or '' for every address. */
  readonly host: string;
  readonly port: number;
}

/**
 * A value of one token. `parse` returns it or throws ValueError; `want` is what messages say is accepted; `looksLike` tells this kind
 * of token from others where the value may be left out (by default: what `parse` takes).
 */
export function value<T>(
  parse: (text: string, context: SyntaxContext) => T,
  want: string,
  looksLike?: (text: string) => boolean,
): Field<T> {
  return new Field<T>(
    {
      min: 1,
      max: 1,
      want,
      read(tokens, reading, label) {
        const token = tokens[0] as Token;
        return reading.attempt(token, label, () => parse(token.text, reading.context));
      },
      looksLike: looksLike ?? ((text, context) => isTaken(() => parse(text, context))),
    },
    undefined,
  );
}

/** Any text. */
export function text(): Field<string> {
  return value((text) => text, 'a word');
}

/** A whole number. */
export function integer(limits: Limits = {}): Field<number> {
  return value(
    (text) => limited(/^[+-]?\d+$/.test(text) ? Number(text) : undefined, limits, 'a whole number'),
    'a whole number',
    (text) => /^[+-]?\d+$/.test(text),
  );
}

/** A number, with or without a fraction. */
export function number(limits: Limits = {}): Field<number> {
  const pattern = /^[+-]?(?:\d+\.?\d*|\.\d+)$/;
  return value(
    (text) => limited(pattern.test(text) ? Number(text) : undefined, limits, 'a number'),
    'a number',
    (text) => pattern.test(text),
  );
}

/** Milliseconds from a duration in Go's notation (`1h30m`, `250ms`); not negative unless `min` says so. `bareSeconds` takes `30` as `30s`. */
export function duration(limits: Limits & { readonly bareSeconds?: boolean } = {}): Field<number> {
  const all = { min: 0, ...limits };
  const read = (text: string): number | undefined =>
    limits.bareSeconds === true && /^[+-]?\d+$/.test(text)
      ? Number(text) * 1000
      : parseDuration(text);
  return value(
    (text) => limited(read(text), all, 'a duration', formatDuration, 'one such as 30s or 250ms'),
    'a duration such as 30s or 250ms',
    (text) => read(text) !== undefined,
  );
}

/** Bytes from a size: `64MB`, `512KiB`, `4096`. */
export function bytes(limits: Limits = {}): Field<number> {
  return value(
    (text) => limited(parseSize(text), limits, 'a size', formatSize, 'one such as 64MB or 512KiB'),
    'a size such as 64MB or 512KiB',
    (text) => parseSize(text) !== undefined,
  );
}

/** An absolute file name; a relative one starts from *root*. */
export function file(): Field<string> {
  return value((text, context) => {
    if (text === '') throw new ValueError('want a file name', 'is empty');
    return resolve(context.root, text);
  }, 'a file name');
}

/** One zone: lower case, with final dot; a network as its reverse zone. */
export function zone(): Field<string> {
  return value((text) => {
    const [zone, another] = zonesOfArgument(text);
    if (another !== undefined) {
      throw new ValueError('want a network of whole octets or nibbles', 'is several reverse zones');
    }
    return zone as string;
  }, 'a zone name');
}

/** An IPv4 or IPv6 address as text. */
export function ip(): Field<string> {
  return value((text) => {
    if (isIP(text) === 0)
      throw new ValueError('want an IPv4 or IPv6 address', 'is not an IP address');
    return text;
  }, 'an IP address');
}

/** `HOST:PORT`, `IP:PORT`, `[IPv6]:PORT` or `:PORT`; with `defaultPort` also an address alone. A name alone is refused, as in CoreDNS. */
export function hostPort(defaultPort?: number): Field<HostPort> {
  const want = defaultPort === undefined ? 'HOST:PORT' : 'IP[:PORT] or HOST:PORT';
  return value((text) => {
    if (defaultPort !== undefined && isIP(text.replace(/^\[(.*)\]$/, '$1')) !== 0) {
      return Object.freeze({ host: text.replace(/^\[(.*)\]$/, '$1'), port: defaultPort });
    }
    const match = /^(?:\[([^\]]*)\]|([^:/[\]\s]*)):(\d+)$/.exec(text);
    const port = Number(match?.[3]);
    const host = match?.[1] ?? match?.[2];
    const isBadHost = match?.[1] !== undefined ? !isIPv6(match[1]) : isBadIPv4(host ?? '');
    if (host === undefined || isBadHost) {
      throw new ValueError(`want ${want}`, 'is not an address with a port');
    }
    if (port > 65535) throw new ValueError('want 0..65535', 'has a port out of range');
    return Object.freeze({ host, port });
  }, want);
}

/** One of a few words, in any case; the value is spelt as given here. */
export function oneOf<const W extends string>(...words: readonly W[]): Field<W> {
  return value((text) => {
    const word = words.find((word) => word.toLowerCase() === text.toLowerCase());
    if (word === undefined) throw new ValueError(`want ${either(words)}`);
    return word;
  }, either(words));
}

/** A regular expression in Go's notation; `flags` are JavaScript's. */
export function regex(flags = ''): Field<RegExp> {
  return value((text) => compileRegex(text, flags), 'a regular expression');
}

/** Whether `parse` takes its text. */
export function isTaken(parse: () => unknown): boolean {
  try {
    parse();
    return true;
  } catch (error) {
    if (error instanceof ValueError) return false;
    throw error;
  }
}

/** Four numbers with dots are meant as an address, so they must be one. */
function isBadIPv4(host: string): boolean {
  return /^[\d.]+$/.test(host) && !isIPv4(host);
}

function limited(
  amount: number | undefined,
  { min, max }: Limits,
  kind: string,
  format: (amount: number) => string = String,
  example = '',
): number {
  const range = rangeText(min, max, format);
  if (amount === undefined) {
    const want = example || range;
    throw new ValueError(want === '' ? '' : `want ${want}`, `is not ${kind}`);
  }
  if (amount < (min ?? Number.NEGATIVE_INFINITY) || amount > (max ?? Number.POSITIVE_INFINITY)) {
    throw ValueError.outOfRange(`want ${range}`);
  }
  return amount;
}

function rangeText(
  min: number | undefined,
  max: number | undefined,
  format: (amount: number) => string,
): string {
  if (min !== undefined && max !== undefined) return `${format(min)}..${format(max)}`;
  if (min !== undefined) return `${format(min)} or more`;
  return max === undefined ? '' : `at most ${format(max)}`;
}
