// What a Corefile may say of *cache*: arguments, properties and defaults.
import {
  bytes,
  custom,
  type ConfigToken,
  directive,
  duration,
  flag,
  integer,
  oneOf,
  type Syntax,
  tuple,
  ValueError,
  value,
  zones,
} from '../../core/plugin.js';
import { minSizeBytes } from './control.js';
import type { StaleOptions } from './options.js';

/** CoreDNS's: 256 shards of 39 entries. */
const CAPACITY = 9984;

/** CoreDNS's least; less is raised to it. */
const MIN_CAPACITY = 1024;

/** Some 200 bytes each are set aside, and the memory of one cache must stay below 4 GiB. */
const MAX_CAPACITY = 5_000_000;

/** The most that one piece of shared memory can have. */
const MAX_SIZE_BYTES = 2 ** 32 - 2 ** 20;

const MAX_TTL = 2 ** 31 - 1;

/** CoreDNS's defaults in seconds. */
const SUCCESS_TTL = 3600;
const DENIAL_TTL = 1800;
const LEAST_TTL = 5;

/** CoreDNS's limits and defaults. */
const FAILURE_MS = 5000;
const MAX_FAILURE_MS = 300_000;
const MAX_PAUSE_MS = 60_000;
const PERCENT = 10;
const STALE_MS = 3_600_000;
const MAX_RECHECK_MS = 300_000;

const ttl = integer({ min: 1, max: MAX_TTL }).optional().named('TTL');
const capacity = integer({ min: 0, max: MAX_CAPACITY }).named('CAPACITY');
const sizes = tuple(
  capacity,
  ttl,
  integer({ min: 0, max: MAX_TTL }).or(LEAST_TTL).named('MINTTL'),
).or([CAPACITY, undefined, LEAST_TTL] as const);

const percentage = value((text) => {
  const percent = /^\d+%$/.test(text) ? Number(text.slice(0, -1)) : Number.NaN;
  if (percent >= 10 && percent <= 90) return percent;
  throw new ValueError('want 10%..90%', 'is not a percentage in range');
}, 'a percentage such as 10%');

/** Arguments of `serve_stale` without the policy. */
type StaleArguments = Omit<StaleOptions, 'prefersPositive'>;

export const cacheSyntax = directive({
  args: { ttl, zones: zones() },
  block: {
    success: sizes,
    denial: sizes,
    size: bytes({ min: 1, max: MAX_SIZE_BYTES }).optional(),
    prefetch: tuple(
      integer({ min: 0 }).named('AMOUNT'),
      duration({ min: 1 }).or(MAX_PAUSE_MS).named('DURATION'),
      percentage.or(PERCENT).named('PERCENTAGE'),
    ).or([0, MAX_PAUSE_MS, PERCENT] as const),
    serve_stale: custom(parseStale).optional(),
    serve_stale_policy: oneOf('prefer_positive').optional(),
    servfail: duration({ max: MAX_FAILURE_MS }).or(FAILURE_MS),
    disable: tuple(oneOf('success', 'denial').named('TYPE'), zones({ otherwise: ['.'] })).many(),
    keepttl: flag(),
  },
  check: ({ success, denial, size, serve_stale, serve_stale_policy }) => {
    if (serve_stale_policy !== undefined && serve_stale === undefined) {
      return { at: 'serve_stale_policy', message: 'serve_stale_policy needs serve_stale' };
    }
    const least = minSizeBytes(capacityOf(success[0]), capacityOf(denial[0]));
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
