// Numbers of benchmarks: a latency histogram of constant size, and median and spread of a few rounds.

/** Each power of two is cut into so many steps: a percentile is at most 1.6 % too high. */
const STEPS = 64;
const STEP_BITS = 6;
/** Microseconds up to 2^32, over an hour. */
const BUCKETS = (32 - STEP_BITS + 1) * STEPS;

/** Counts of durations, exact below 64 us and within 1.6 % above. */
export class LatencyHistogram {
  readonly #counts = new Float64Array(BUCKETS);
  #total = 0;
  #max = 0;

  get count(): number {
    return this.#total;
  }

  /** The longest duration in microseconds, exact. */
  get max(): number {
    return this.#max;
  }

  record(us: number): void {
    const value = us < 0 ? 0 : us | 0;
    this.#counts[bucketOf(value)] = (this.#counts[bucketOf(value)] as number) + 1;
    this.#total++;
    if (us > this.#max) this.#max = us;
  }

  /** The duration in microseconds that a `share` (0 to 1) of all does not exceed; 0 when there are none. */
  percentile(share: number): number {
    let left = Math.max(1, Math.ceil(this.#total * share));
    for (let i = 0; i < BUCKETS; i++) {
      left -= this.#counts[i] as number;
      if (left <= 0) return Math.min(upperBound(i), this.#max);
    }
    return 0;
  }
}

function bucketOf(us: number): number {
  if (us < STEPS) return us;
  const shift = 31 - Math.clz32(us) - STEP_BITS;
  return (shift + 1) * STEPS + (us >>> shift) - STEPS;
}

function upperBound(bucket: number): number {
  if (bucket < STEPS) return bucket;
  const shift = Math.floor(bucket / STEPS) - 1;
  return (((bucket % STEPS) + STEPS + 1) * 2 ** shift - 1) >>> 0;
}

export interface Spread {
  readonly median: number;
  readonly least: number;
  readonly most: number;
}

/** Median, least and greatest of a few rounds; zeros of none. */
export function spreadOf(rounds: readonly number[]): Spread {
  const sorted = [...rounds].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? 0;
  const median = sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? 0) + upper) / 2;
  return { median, least: sorted[0] ?? 0, most: sorted.at(-1) ?? 0 };
}
