// Hot path. How fast an upstream answers over one transport, and how often not at all: numbers in shared memory that all workers add to.
//
// The cells are loaded and stored plainly. Two workers that write at once may lose one of the two samples; the next one makes up for it, and no
// cell depends on another. Times are kept in 1/64 ms, shares in 1/65536.
//
//   smoothed RTT and its deviation   Jacobson and Karels (RFC 6298), but a sample weighs more the longer the last one is ago: an upstream that is
//                                    asked once a second is known anew after three samples, a busy one after some ten
//   error share                      how many of the last messages, about 16, came to nothing
//   histogram                        counts in half octaves from 0.25 ms on, halved whenever there are 256: the last few hundred replies
import type { Clock } from '../../core/plugin.js';

/** Cells of one upstream over one transport, see below. */
const SRTT = 0;
const DEVIATION = 1;
const ERRORS = 2;
const P95 = 3;
const ANSWERED_AT = 4;
const SENT_AT = 5;
const SENT = 6;
const FAILED = 7;
const TOTAL = 8;
const BUCKET = 9;
const BUCKETS = 27;
export const LATENCY_CELLS = BUCKET + BUCKETS;

/** Units of a cell per millisecond, and of a share. */
const PER_MS = 64;
const ONE = 65_536;

/** Upper bound of the first bucket; the last one is 2048 ms and holds everything above as well. */
const FIRST_BUCKET_MS = 0.25;

/** The histogram is halved at this many, and its percentile read again after every so many replies. */
const HISTORY = 256;
const P95_EVERY = 16;

/** Least weight of a sample, and after how long a gap a sample weighs as much as all before it. */
const GAIN = 1 / 8;
const HALF_KNOWN_MS = 250;
const ERROR_GAIN = 1 / 16;

/** What is expected of an upstream that nothing is known of: slower than a good one, faster than a bad one. */
const COLD_MS = 100;

/** Limits of the wait before a second query goes out: ticks of the timers are 10 ms, and below two of them it would be noise. */
const MIN_HEDGE_MS = 20;
const COLD_HEDGE_MS = 250;

/** Limits of the wait before a datagram is taken for lost (RFC 6298 wants a minimum; resolvers of resolvers are rarely slower than the maximum). */
const MIN_RETRY_MS = 100;
const MAX_RETRY_MS = 1000;
const COLD_RETRY_MS = 400;

/** Numbers of one upstream and transport as the table of upstreams shows them. */
export interface LatencySummary {
  readonly sent: number;
  readonly failed: number;
  readonly srttMs: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly errorShare: number;
}

export class Latency {
  readonly #cells: Int32Array;
  readonly #at: number;
  readonly #clock: Clock;
  /** This worker's messages under way, and since when it has been waiting without any answer; 0 when it is not. */
  #inFlight = 0;
  #silentSinceMs = 0;

  /** `at` is where its LATENCY_CELLS cells begin. */
  constructor(cells: Int32Array, at: number, clock: Clock) {
    this.#cells = cells;
    this.#at = at;
    this.#clock = clock;
  }

  /** A message left. */
  sent(): void {
    const nowMs = this.#clock.nowMs;
    const cells = this.#cells;
    const at = this.#at;
    cells[at + SENT_AT] = nowMs;
    cells[at + SENT] = (cells[at + SENT] as number) + 1;
    this.#inFlight++;
    if (this.#silentSinceMs === 0) this.#silentSinceMs = nowMs;
  }

  /** A reply came, `rttMs` after its query left. */
  answered(rttMs: number): void {
    const cells = this.#cells;
    const at = this.#at;
    const nowMs = this.#clock.nowMs;
    if (this.#inFlight > 0) this.#inFlight--;
    this.#silentSinceMs = 0;

    const sample = rttMs * PER_MS;
    const srtt = cells[at + SRTT] as number;
    if (srtt === 0) {
      cells[at + SRTT] = Math.max(1, sample);
      cells[at + DEVIATION] = sample / 2;
    } else {
      const gapMs = ((nowMs | 0) - (cells[at + ANSWERED_AT] as number)) | 0;
      const gain = Math.max(GAIN, gapMs / (gapMs + HALF_KNOWN_MS));
      const difference = sample - srtt;
      const deviation = cells[at + DEVIATION] as number;
      cells[at + SRTT] = Math.max(1, srtt + gain * difference);
      cells[at + DEVIATION] =
        deviation + Math.max(2 * GAIN, gain) * (Math.abs(difference) - deviation);
    }
    cells[at + ANSWERED_AT] = nowMs;
    const errors = cells[at + ERRORS] as number;
    if (errors !== 0) cells[at + ERRORS] = errors * (1 - ERROR_GAIN);
    this.#count(rttMs);
  }

  /** A message came to nothing. */
  failed(): void {
    const cells = this.#cells;
    const at = this.#at;
    const errors = cells[at + ERRORS] as number;
    cells[at + ERRORS] = errors + (ONE - errors) * ERROR_GAIN;
    cells[at + FAILED] = (cells[at + FAILED] as number) + 1;
    this.withdrawn();
  }

  /** A message is no longer waited for; that says nothing about the upstream. */
  withdrawn(): void {
    if (this.#inFlight > 0) this.#inFlight--;
    if (this.#inFlight === 0) this.#silentSinceMs = 0;
  }

  /** It is back after a failure: what it did before counts no longer. */
  recovered(): void {
    this.#cells[this.#at + ERRORS] = 0;
    this.#silentSinceMs = 0;
  }

  /**
   * How long a reply will take, on average: the smoothed RTT, or how long the upstream has been silent if that is longer, and `penaltyMs` for
   * the share of messages that come to nothing. An upstream that falls silent is so passed over before anything timed out.
   */
  expectedMs(penaltyMs: number): number {
    const srtt = this.#cells[this.#at + SRTT] as number;
    const silentMs = this.#silentSinceMs === 0 ? 0 : this.#clock.nowMs - this.#silentSinceMs;
    const rttMs = srtt === 0 ? COLD_MS : srtt / PER_MS;
    const errors = (this.#cells[this.#at + ERRORS] as number) / ONE;
    return Math.max(rttMs, silentMs) + errors * penaltyMs;
  }

  /** How long ago any worker asked it last; Infinity when nobody did. */
  get unaskedMs(): number {
    if (this.#cells[this.#at + SENT] === 0) return Number.POSITIVE_INFINITY;
    return ((this.#clock.nowMs | 0) - (this.#cells[this.#at + SENT_AT] as number)) | 0;
  }

  /** Whether a reply came to any worker after `sinceMs`, to whatever. */
  hasAnsweredSince(sinceMs: number): boolean {
    const cells = this.#cells;
    if (cells[this.#at + SRTT] === 0) return false;
    return (((cells[this.#at + ANSWERED_AT] as number) - (sinceMs | 0)) | 0) > 0;
  }

  /** When a query that has no reply yet is worth a second one elsewhere: later than 95 of 100 replies come. */
  get hedgeMs(): number {
    const p95 = this.#cells[this.#at + P95] as number;
    return p95 === 0 ? COLD_HEDGE_MS : Math.max(MIN_HEDGE_MS, p95 / PER_MS);
  }

  /** When a datagram, or its reply, is taken for lost. */
  get retryMs(): number {
    const cells = this.#cells;
    const at = this.#at;
    const srtt = cells[at + SRTT] as number;
    if (srtt === 0) return COLD_RETRY_MS;
    const late = Math.max(
      srtt + 4 * (cells[at + DEVIATION] as number),
      2 * (cells[at + P95] as number),
    );
    return Math.min(MAX_RETRY_MS, Math.max(MIN_RETRY_MS, late / PER_MS));
  }

  #count(rttMs: number): void {
    const cells = this.#cells;
    const at = this.#at;
    // Half an octave each: how often 2 goes into the square, rounded up. Math.log2 takes twice as long.
    const octaves = rttMs / FIRST_BUCKET_MS;
    // Not `** 2`, which is a call.
    const square = Math.min(Math.max(octaves * octaves, 1), 2 ** 31);
    const place = 32 - Math.clz32(Math.ceil(square) - 1);
    const bucket = at + BUCKET + Math.min(BUCKETS - 1, place);
    cells[bucket] = (cells[bucket] as number) + 1;
    const total = (cells[at + TOTAL] as number) + 1;
    cells[at + TOTAL] = total;
    if (total % P95_EVERY === 0) cells[at + P95] = percentile(cells, at, 0.95) * PER_MS;
    if (total >= HISTORY) halve(cells, at);
  }
}

/** The numbers kept at `at`: for whoever shows them. */
export function summarize(cells: Int32Array, at: number): LatencySummary {
  return {
    sent: cells[at + SENT] as number,
    failed: cells[at + FAILED] as number,
    srttMs: (cells[at + SRTT] as number) / PER_MS,
    p50Ms: percentile(cells, at, 0.5),
    p95Ms: percentile(cells, at, 0.95),
    errorShare: (cells[at + ERRORS] as number) / ONE,
  };
}

/** What is worth keeping of the numbers at `at`: the times are another process's, and what is under way was never answered. */
export function keptLatency(cells: Int32Array, at: number): readonly number[] {
  return Array.from(cells.subarray(at, at + LATENCY_CELLS), (cell, i) =>
    i === ANSWERED_AT || i === SENT_AT || i === SENT || i === FAILED ? 0 : cell,
  );
}

/** Takes what `keptLatency` gave; a list of another length is left alone. */
export function takeLatency(cells: Int32Array, at: number, kept: readonly number[]): void {
  if (kept.length === LATENCY_CELLS && kept.every(Number.isInteger)) cells.set(kept, at);
}

/** Upper bound in ms of the bucket that holds this share of the replies, 0 without any. */
function percentile(cells: Int32Array, at: number, share: number): number {
  let total = 0;
  for (let i = 0; i < BUCKETS; i++) total += cells[at + BUCKET + i] as number;
  if (total === 0) return 0;
  let rest = total * share;
  let bucket = 0;
  while (bucket < BUCKETS - 1) {
    rest -= cells[at + BUCKET + bucket] as number;
    if (rest <= 0) break;
    bucket++;
  }
  return FIRST_BUCKET_MS * 2 ** (bucket / 2);
}

function halve(cells: Int32Array, at: number): void {
  let total = 0;
  for (let i = at + BUCKET; i < at + BUCKET + BUCKETS; i++) {
    cells[i] = (cells[i] as number) >> 1;
    total += cells[i] as number;
  }
  cells[at + TOTAL] = total;
}
