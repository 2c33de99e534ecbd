// What a Corefile may say of *negative*: arguments, properties and defaults.
import {
  type ConfigToken,
  custom,
  directive,
  duration,
  integer,
  oneOf,
  parseDuration,
  type Syntax,
  tuple,
  ValueError,
  value,
} from '../../core/plugin.js';

/** Some 200 bytes are set aside for each; with as many answers as *cache* takes it stays below the limit of both halves. */
const MAX_CAPACITY = 5_000_000;

/** RFC 2308 section 5: one to three hours have been found to work well, more than a day is trouble. */
const MAX_TTL_MS = 86_400_000;

/** RFC 9520 section 3.2: at least a second, at most five minutes. */
const MIN_FAILURE_MS = 1000;
const MAX_FAILURE_MS = 300_000;

/**
 * Queries a second for unknown names of one zone: more than block lists and reverse zones bring a busy mail server, and little for an upstream.
 */
const ZONE_LIMIT = 1000;
const MAX_ZONE_LIMIT = 1_000_000;

/** How long failures are kept: the first, and when they repeat the most. */
export interface FailureSpan {
  readonly minMs: number;
  readonly maxMs: number;
}

/** Which NXDOMAIN is taken to hold for the names below it, too: one that the upstream validated, any, none. */
export type CutOptions = 'validated' | 'on' | 'off';

export const negativeSyntax = directive({
  args: { capacity: integer({ min: 0, max: MAX_CAPACITY }).optional() },
  block: {
    ttl: tuple(
      duration({ max: MAX_TTL_MS }).named('MIN'),
      duration({ min: 1000, max: MAX_TTL_MS }).named('MAX'),
    ).optional(),
    cut: oneOf('validated', 'on', 'off').or('validated'),
    failures: custom(parseFailures).optional(),
    zone_limit: value(parseLimit, 'off or queries a second').or(ZONE_LIMIT),
  },
}).once();

/** The configuration of one *negative*. */
export type NegativeConfig = typeof negativeSyntax extends Syntax<infer C> ? C : never;

/** `off | MIN [MAX]`; null for off. */
function parseFailures(args: readonly ConfigToken[]): FailureSpan | null {
  const [min, max, surplus] = args;
  if (min === undefined) throw new ValueError('want off or MIN [MAX]', 'is missing arguments');
  if (min.text === 'off') {
    if (max !== undefined) throw new ValueError('want nothing behind off', 'is not accepted', max);
    return null;
  }
  if (surplus !== undefined) {
    throw new ValueError('want nothing behind MAX', 'is not accepted', surplus);
  }
  const minMs = parseFailureTime(min);
  const maxMs = max === undefined ? MAX_FAILURE_MS : parseFailureTime(max);
  if (maxMs < minMs) throw new ValueError('want MAX no shorter than MIN', 'is too short', max);
  return Object.freeze({ minMs, maxMs });
}

/** Null for off. */
function parseLimit(text: string): number | null {
  if (text === 'off') return null;
  const limit = /^\d+$/.test(text) ? Number(text) : 0;
  if (limit >= 1 && limit <= MAX_ZONE_LIMIT) return limit;
  throw new ValueError(`want off or 1..${MAX_ZONE_LIMIT}`, 'is no limit');
}

function parseFailureTime(token: ConfigToken): number {
  const ms = parseDuration(token.text);
  if (ms !== undefined && ms >= MIN_FAILURE_MS && ms <= MAX_FAILURE_MS) return ms;
  throw new ValueError('want 1s..5m', 'is no time to keep a failure', token);
}
