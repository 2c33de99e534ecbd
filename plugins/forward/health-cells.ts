// What the workers know together of each upstream: cells in shared memory. Read plainly on the hot path, written when something changes.
import {
  addToCell,
  allocateCells,
  claimCell,
  loadCell,
  releaseCell,
  storeCell,
} from '../../core/plugin.js';
import { LATENCY_CELLS } from './latency.js';
import { MAX_UPSTREAMS } from './policy.js';

/**
 * Cells of one upstream: whose it is (hash of its address), failed probes in a row, suspected since, who probes, without EDNS until; why it is suspected,
 * whether that was logged and when last; error replies in a row; folds the case of questions until, when it was last said that its
 * answers may be forged; what it is called.
 */
const KEY = 0;
const FAILS = 1;
const SUSPECT = 2;
const PROBER = 3;
const PLAIN = 4;
const CAUSE = 5;
const IS_LOGGED = 6;
const LOGGED_AT = 7;
const STREAK = 8;
const FOLDED = 9;
const WARNED_AT = 10;
const TEXT = 11;
/** Length and as many bytes of a name: the longest address with scheme, interface and port is 80. */
const TEXT_CELLS = 24;
/** Behind them, how fast it is: over UDP, then over connections. */
const DATAGRAMS = TEXT + TEXT_CELLS;
const STREAMS = DATAGRAMS + LATENCY_CELLS;
const WIDTH = STREAMS + LATENCY_CELLS;

/** A cache line: what each worker counts for itself is so far from what others write, or every query would take the line away from them. */
const LINE_CELLS = 16;

/** Why an upstream is suspected; the first ones are the failures of exchanges. */
export const Cause = { NONE: 0, TIMEOUT: 1, NETWORK: 2, ANSWER: 3, ERRORS: 4 } as const;
export type Cause = (typeof Cause)[keyof typeof Cause];

/** How often suspicions of one upstream are logged at most: where every other datagram is lost it may come and go many times a second. */
const LOG_EVERY_MS = 10_000;

/** How often it is said that answers of one upstream may be forged. */
const WARN_EVERY_MS = 60_000;

/** Upstreams that have a place: those asked, and as many again that were asked before and may come back, or have queries in flight. */
export const PLACES = 2 * MAX_UPSTREAMS;

/** What each worker says of itself, in a line of its own: its queries in flight, and the oldest set of upstreams that it still asks. */
const IN_FLIGHT = 0;
const OLDEST_SET = 1;
const WORKERS = PLACES * WIDTH + LINE_CELLS;

/** Memory for the upstreams of one *forward* and for what its workers say of themselves. */
export function allocateHealth(workers: number): Int32Array {
  return allocateCells(WORKERS + workers * LINE_CELLS);
}

/** One upstream's cells. */
export class HealthCells {
  readonly #cells: Int32Array;
  readonly #at: number;
  /** This worker's mark as prober. */
  readonly #owner: number;

  private constructor(cells: Int32Array, at: number, owner: number) {
    this.#cells = cells;
    this.#at = at;
    this.#owner = owner;
  }

  /**
   * The place of the upstream called `text`, for `worker`: the one it has, else a free one. The control part sees to it that there is one before the
   * workers hear of an upstream. Throws when all are taken.
   */
  static of(cells: Int32Array, text: string, worker: number): HealthCells {
    const key = hashOf(text);
    const found = placeOf(cells, (held) => held === key);
    let at = found < 0 ? placeOf(cells, (held) => held === 0) : found;
    while (at >= 0 && !claimCell(cells, at + KEY, key)) at = placeOf(cells, (held) => held === 0);
    if (at < 0) throw new Error(`no place is left for upstream ${text}`);
    const place = new HealthCells(cells, at, worker + 1);
    place.#name(text);
    return place;
  }

  /** Makes the place of `text` free and forgets what was known. No worker may ask that upstream any more. */
  static release(cells: Int32Array, text: string): void {
    const key = hashOf(text);
    const at = placeOf(cells, (held) => held === key);
    if (at < 0) return;
    cells.fill(0, at + KEY + 1, at + WIDTH);
    releaseCell(cells, at + KEY, key);
  }

  /** Every upstream that has a place, to be looked at. */
  static all(cells: Int32Array): readonly HealthCells[] {
    const all: HealthCells[] = [];
    for (let i = 0; i < PLACES; i++) {
      const place = new HealthCells(cells, i * WIDTH, 0);
      if (cells[i * WIDTH + KEY] !== 0 && place.text !== '') all.push(place);
    }
    return all;
  }

  /** What the upstream is called; '' as long as nobody said so. */
  get text(): string {
    const length = loadCell(this.#cells, this.#at + TEXT);
    return String.fromCharCode(...this.#textBytes.subarray(0, length));
  }

  /** Every worker writes the same; the length comes last. */
  #name(text: string): void {
    const bytes = this.#textBytes;
    const { length } = shownText(text);
    for (let i = 0; i < length; i++) bytes[i] = text.charCodeAt(i);
    storeCell(this.#cells, this.#at + TEXT, length);
  }

  get #textBytes(): Uint8Array {
    const { buffer, byteOffset, BYTES_PER_ELEMENT } = this.#cells;
    const first = byteOffset + (this.#at + TEXT + 1) * BYTES_PER_ELEMENT;
    return new Uint8Array(buffer, first, (TEXT_CELLS - 1) * BYTES_PER_ELEMENT);
  }

  /** Where the cells of its `Latency` begin. */
  latencyAt(isStream: boolean): number {
    return this.#at + (isStream ? STREAMS : DATAGRAMS);
  }

  /** Probes that failed one after the other since the last success. */
  get fails(): number {
    return this.#cells[this.#at + FAILS] as number;
  }

  /** When it was first suspected, on the workers' clock in whole milliseconds as 32 bits, never 0; 0 when it is trusted. */
  get suspectSince(): number {
    return this.#cells[this.#at + SUSPECT] as number;
  }

  /** A worker probes. */
  get isProbed(): boolean {
    return this.#cells[this.#at + PROBER] !== 0;
  }

  /** Until when it gets queries without EDNS, in whole seconds of the workers' clock. */
  get plainUntil(): number {
    return this.#cells[this.#at + PLAIN] as number;
  }

  get cause(): Cause {
    return this.#cells[this.#at + CAUSE] as Cause;
  }

  /** Replies in a row that were errors. */
  get streak(): number {
    return this.#cells[this.#at + STREAK] as number;
  }

  set streak(length: number) {
    this.#cells[this.#at + STREAK] = length;
  }

  /** Suspects it. True for the one worker that was first. */
  suspect(nowMs: number, cause: Cause): boolean {
    if (!claimCell(this.#cells, this.#at + SUSPECT, nowMs | 0 || 1)) return false;
    storeCell(this.#cells, this.#at + CAUSE, cause);
    return true;
  }

  /** Whether a suspicion is to be logged: not when another one was a moment ago. */
  startsLog(nowMs: number): boolean {
    const loggedAt = this.#cells[this.#at + LOGGED_AT] as number;
    if (loggedAt !== 0 && (((nowMs | 0) - loggedAt) | 0) < LOG_EVERY_MS) return false;
    storeCell(this.#cells, this.#at + LOGGED_AT, nowMs | 0 || 1);
    storeCell(this.#cells, this.#at + IS_LOGGED, 1);
    return true;
  }

  /** Whether the suspicion that ends here was logged. */
  endsLog(): boolean {
    return releaseCell(this.#cells, this.#at + IS_LOGGED, 1);
  }

  /** Counts a failed probe; gives how many there are now. */
  probeFailed(): number {
    return addToCell(this.#cells, this.#at + FAILS, 1);
  }

  /** It answered: trusted again. True for the one worker that was first. */
  trust(): boolean {
    storeCell(this.#cells, this.#at + FAILS, 0);
    const since = this.suspectSince;
    return since !== 0 && releaseCell(this.#cells, this.#at + SUSPECT, since);
  }

  usePlainUntil(seconds: number): void {
    storeCell(this.#cells, this.#at + PLAIN, seconds);
  }

  /** Until when its questions are sent in the client's case, in whole seconds of the workers' clock. */
  get foldedUntil(): number {
    return this.#cells[this.#at + FOLDED] as number;
  }

  foldUntil(seconds: number): void {
    storeCell(this.#cells, this.#at + FOLDED, seconds);
  }

  /** Whether a warning that answers may be forged is to be logged: not when another one was a moment ago. */
  startsWarning(nowMs: number): boolean {
    const warnedAt = this.#cells[this.#at + WARNED_AT] as number;
    if (warnedAt !== 0 && (((nowMs | 0) - warnedAt) | 0) < WARN_EVERY_MS) return false;
    storeCell(this.#cells, this.#at + WARNED_AT, nowMs | 0 || 1);
    return true;
  }

  /** Makes this worker the one that probes; false when another one is. */
  claimProbe(): boolean {
    return claimCell(this.#cells, this.#at + PROBER, this.#owner);
  }

  /** True when this worker was the one that probes. */
  releaseProbe(): boolean {
    return releaseCell(this.#cells, this.#at + PROBER, this.#owner);
  }
}

/** Queries in flight in all workers. Each worker counts its own, so that a worker that died takes its count along. */
export class InFlightCells {
  readonly #cells: Int32Array;
  readonly #own: number;

  constructor(cells: Int32Array, worker: number) {
    this.#cells = cells;
    this.#own = WORKERS + worker * LINE_CELLS + IN_FLIGHT;
    storeCell(cells, this.#own, 0);
  }

  get total(): number {
    let total = 0;
    const cells = this.#cells;
    for (let i = WORKERS; i < cells.length; i += LINE_CELLS)
      total += cells[i + IN_FLIGHT] as number;
    return total;
  }

  /** Only this worker writes its cell: no atomic addition is needed. */
  add(n: number): void {
    this.#cells[this.#own] = (this.#cells[this.#own] as number) + n;
  }
}

/** As much of what an upstream is called as its place holds: an HTTPS path may be longer. */
export function shownText(text: string): string {
  return text.slice(0, (TEXT_CELLS - 1) * Int32Array.BYTES_PER_ELEMENT);
}

/** Says that `set` is the oldest set of upstreams that `worker` still asks. Sets are numbered from 1 on. */
export function keepOldestSet(cells: Int32Array, worker: number, set: number): void {
  storeCell(cells, WORKERS + worker * LINE_CELLS + OLDEST_SET, set);
}

/** The oldest set that any worker still asks; 0 while one has not begun. */
export function oldestSet(cells: Int32Array): number {
  let oldest = Number.POSITIVE_INFINITY;
  for (let i = WORKERS; i < cells.length; i += LINE_CELLS) {
    oldest = Math.min(oldest, loadCell(cells, i + OLDEST_SET));
  }
  return oldest;
}

/** Where the first place begins whose key fits, -1 when none does. */
function placeOf(cells: Int32Array, isMeant: (key: number) => boolean): number {
  for (let at = 0; at < PLACES * WIDTH; at += WIDTH) {
    if (isMeant(loadCell(cells, at + KEY))) return at;
  }
  return -1;
}

/** FNV-1a, never 0. */
export function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash | 0 || 1;
}
