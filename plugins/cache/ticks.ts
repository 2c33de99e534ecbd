// Time in the cache: ticks of 1/16 s in 32 bits that wrap, so that an entry's times fit in a word and a TTL of one second does not lose half of it.
// Only differences of less than four years mean anything.

export const TICK_SHIFT = 4;
export const TICKS_PER_SECOND = 1 << TICK_SHIFT;

/** No entry lives longer, two years: differences of ticks must not wrap. */
const MAX_TICKS = 2 ** 30;

/** The tick of a time on the worker's clock. */
export function tickOf(nowMs: number): number {
  return (nowMs * (TICKS_PER_SECOND / 1000)) | 0;
}

export function ticksOfSeconds(seconds: number): number {
  return Math.min(MAX_TICKS, seconds * TICKS_PER_SECOND);
}

/** Rounded up, so that what is not nothing does not become nothing. */
export function ticksOfMs(ms: number): number {
  return Math.min(MAX_TICKS, Math.ceil(ms * (TICKS_PER_SECOND / 1000)));
}
