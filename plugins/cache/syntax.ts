// What a Corefile may say of *cache*: arguments, properties and defaults.
import {
  bytes,
  type ConfigToken,
  custom,
  directive,
  duration,
  type Field,
  file,
  flag,
  formatSize,
  integer,
  oneOf,
  parseDuration,
  type Syntax,
  tuple,
  ValueError,
  value,
  zones,
} from '../../core/plugin.js';
import { amount, inPlace, MAX_PAUSE_MS, PERCENT, pause, percentage } from '../prefetch/syntax.js';
import { MAX_SIZE_BYTES, minSizeBytes } from './control.js';
import type { StaleOptions } from './options.js';
import type { TtlLimits } from './ttl.js';

/** CoreDNS's: 256 shards of 39 entries. */
const CAPACITY = 9984;

/** CoreDNS's least; less is raised to it. */
const MIN_CAPACITY = 1024;

/** Some 200 bytes are set aside for each; both halves together must stay below MAX_SIZE_BYTES. */
const MAX_CAPACITY = 10_000_000;

/** The largest TTL there is (RFC 2181 section 8). */
const MAX_TTL = 2 ** 31 - 1;

/** CoreDNS's defaults in seconds. */
const SUCCESS_TTL = 3600;
const DENIAL_TTL = 1800;
const LEAST_TTL = 5;

/** CoreDNS's limits and defaults. */
export const FAILURE_MS = 5000;
const MAX_FAILURE_MS = 300_000;
const STALE_MS = 3_600_000;
const MAX_RECHECK_MS = 300_000;

/** RFC 8767 section 5: how long a client waits for a refresh, in milliseconds, and the TTL of stale records in seconds (section 4). */
const CLIENT_TIMEOUT_MS = 1800;
const STALE_TTL = 30;

/** How often the cache is written to disk. Writing 100,000 entries takes a tenth of a second of one CPU and some 30 MB of disk. */
const PERSIST_MS = 300_000;
const MIN_PERSIST_MS = 1000;
const MAX_PERSIST_MS = 86_400_000;
/** Networks per question. A list of the most takes 12 kB and is written anew for each of them: a few microseconds. */
const NETWORKS = 100;
const MAX_NETWORKS = 1000;

const ttl = integer({ min: 1 }).optional().named('TTL');
const capacity = integer({ min: 0, max: MAX_CAPACITY }).named('CAPACITY');
const sizes = tuple(capacity, ttl, integer({ min: 0 }).or(LEAST_TTL).named('MINTTL')).or([
  CAPACITY,
  undefined,
  LEAST_TTL,
] as const);

/** Arguments of `serve_stale`. */
type StaleArguments = Omit<StaleOptions, 'prefersPositive' | 'except'>;

export const cacheSyntax = directive({
  args: { ttl, zones: zones() },
  block: {
    success: sizes,
    denial: sizes,
    size: bytes({ min: 1, max: MAX_SIZE_BYTES }).optional(),
    prefetch: tuple(amount, pause.or(MAX_PAUSE_MS), percentage.or(PERCENT)).optional(),
    serve_stale: custom(parseStale).optional(),
    serve_stale_except: zones({ min: 1 }).or([] as const),
    serve_stale_policy: oneOf('prefer_positive').optional(),
    servfail: duration({ max: MAX_FAILURE_MS }).optional(),
    disable: tuple(oneOf('success', 'denial').named('TYPE'), zones({ otherwise: ['.'] })).many(),
    keepttl: flag(),
    networks: integer({ min: 1, max: MAX_NETWORKS }).or(NETWORKS),
    persist: tuple(
      file().named('PATH'),
      inPlace(persistInterval()).or(PERSIST_MS).named('INTERVAL'),
    ).optional(),
  },
  check: ({ success, denial, size, serve_stale, serve_stale_except, serve_stale_policy }) => {
    if (serve_stale_policy !== undefined && serve_stale === undefined) {
      return { at: 'serve_stale_policy', message: 'serve_stale_policy needs serve_stale' };
    }
    if (serve_stale_except.length > 0 && serve_stale === undefined) {
      return { at: 'serve_stale_except', message: 'serve_stale_except needs serve_stale' };
    }
    const least = minSizeBytes(capacityOf(success[0]), capacityOf(denial[0]));
    if (least > MAX_SIZE_BYTES) {
      return `${formatSize(least)} for so many entries is too much, want at most 4GiB`;
    }
    if (size === undefined || size >= least) return undefined;
    const want = `want ${Math.ceil(least / 2 ** 20)}MiB or more`;
    return { at: 'size', message: `size is too small for so many entries, ${want}` };
  },
}).once();

/** The configuration of one *cache*. */
export type CacheConfig = typeof cacheSyntax extends Syntax<infer C> ? C : never;

/** Entries for a CAPACITY as written. */
export function capacityOf(written: number): number {
  return Math.max(written, MIN_CAPACITY);
}

/** `[DURATION [immediate [TTL [RECHECK]] | verify [TIMEOUT [TTL [RECHECK]]]]]` */
function parseStale(args: readonly ConfigToken[]): StaleArguments {
  const [duration, mode, ...others] = args;
  const maxMs = duration === undefined ? STALE_MS : parseTime(duration, 'DURATION');
  const word = mode?.text.toLowerCase() ?? 'immediate';
  if (word !== 'immediate' && word !== 'verify') {
    throw new ValueError('want immediate or verify', 'is not accepted', mode);
  }
  const verifies = word === 'verify';
  const timeout = verifies ? others.shift() : undefined;
  const [ttl, recheck, surplus] = others;
  if (surplus !== undefined) {
    throw new ValueError(`want nothing behind RECHECK`, 'is not accepted', surplus);
  }
  return {
    maxMs,
    verifies,
    timeoutMs: timeoutOf(verifies, timeout),
    ttl:
      ttl === undefined ? STALE_TTL : Math.min(MAX_TTL, Math.floor(parseTime(ttl, 'TTL') / 1000)),
    recheckMs: recheck === undefined ? undefined : parseTime(recheck, 'RECHECK', MAX_RECHECK_MS),
  };
}

/** Nobody waits unless upstream is asked first. */
function timeoutOf(verifies: boolean, written: ConfigToken | undefined): number {
  if (!verifies) return 0;
  return written === undefined ? CLIENT_TIMEOUT_MS : parseTime(written, 'TIMEOUT');
}

function parseTime(token: ConfigToken, label: string, max = Number.POSITIVE_INFINITY): number {
  const ms = parseDuration(token.text);
  if (ms === undefined) {
    throw new ValueError('want one such as 30s or 250ms', `is not a duration for ${label}`, token);
  }
  if (ms >= 0 && ms <= max) return ms;
  const want = max === MAX_RECHECK_MS ? 'want 0s..5m' : 'want 0s or more';
  throw new ValueError(want, `is out of range for ${label}`, token);
}

/** 0, for at the stop alone, or an interval. */
function persistInterval(): Field<number> {
  return value((text) => {
    const ms = parseDuration(text);
    if (ms === undefined) throw new ValueError('want one such as 5m', 'is not a duration');
    if (ms === 0 || (ms >= MIN_PERSIST_MS && ms <= MAX_PERSIST_MS)) return ms;
    throw new ValueError('want 0 or 1s..24h', 'is out of range');
  }, 'a duration such as 5m');
}

/** Least and most TTL of a type: its own, else that of the directive's line, else CoreDNS's. */
export function ttlsOf(config: CacheConfig, type: 'success' | 'denial'): TtlLimits {
  const [, own, min] = config[type];
  const otherwise = type === 'success' ? SUCCESS_TTL : DENIAL_TTL;
  const max = own ?? config.ttl ?? otherwise;
  return { min: Math.min(min, MAX_TTL), max: Math.min(max, MAX_TTL) };
}
