// Hot path. Who does what: a table in shared memory where one worker holds a piece of work, named by a hash, and others say that they want its outcome.
//
// A line of 16 words, 64 bytes, has a lock and five entries. An entry is a tag, the upper half of the hash (the lower half leads to the line), and a
// state: the holder, and a bit for each worker that wants to know; 0 for free. Who has the line's lock makes entries and sets bits. Giving up takes no
// lock: it cannot fail and waits for nobody. Two pieces of work may have
// one hash, so an outcome says what it is for, and who wanted another one claims again.
import { takeOver, tryLock, unlock } from './lock.js';

const LINE_WORDS = 16;
const ENTRY_WORDS = 3;
const FIRST_ENTRY = 1;

/** Words of an entry after its tag. */
const STATE = 1;

/** The holder as worker + 1: room for 1024 workers and then some. */
const HOLDER_BITS = 11;
const HOLDER = (1 << HOLDER_BITS) - 1;

/** Bits for workers that want to know. With more workers than this a bit stands for several. */
const WANT_BITS = 32 - HOLDER_BITS;

/** What `claim` gives besides a place: another worker holds it and will tell; the line is full, or its lock was taken for too long. */
export const CLAIM_TAKEN = -1;
export const CLAIM_FULL = -2;

/** Lines for each worker: 20,480 entries, more than it has queries in flight, in 256 KiB. */
const LINES_PER_WORKER = 4096;

/** An empty table for so many workers. */
export function allocateClaims(workers: number): SharedArrayBuffer {
  const lines = 2 ** Math.ceil(Math.log2(workers * LINES_PER_WORKER));
  return new SharedArrayBuffer(lines * LINE_WORDS * Int32Array.BYTES_PER_ELEMENT);
}

/** Whether a worker is, or may be, among those that `release` gave. */
export function wants(wanted: number, worker: number): boolean {
  return (wanted & (1 << (worker % WANT_BITS))) !== 0;
}

/** One worker's view of the table. */
export class Claims {
  readonly #words: Int32Array;
  readonly #lineMask: number;
  readonly #me: number;
  readonly #bit: number;

  constructor(memory: SharedArrayBuffer, worker: number) {
    this.#words = new Int32Array(memory);
    this.#lineMask = this.#words.length / LINE_WORDS - 1;
    this.#me = worker + 1;
    this.#bit = 1 << ((worker % WANT_BITS) + HOLDER_BITS);
  }

  /**
   * Claims the work named by a hash; gives its place. CLAIM_TAKEN when another worker holds it, which will see in `release` that this one wants its
   * outcome; with `isSeized` the work is taken from it instead. CLAIM_FULL when the work can be done, but nobody will know.
   */
  claim(low: number, high: number, isSeized = false): number {
    const words = this.#words;
    const line = (low & this.#lineMask) * LINE_WORDS;
    if (!tryLock(words, line, this.#me)) return CLAIM_FULL;
    let place = this.#find(line, high | 0);
    if (place < 0) place = this.#fill(line, high | 0);
    else place = this.#enter(place, isSeized);
    unlock(words, line);
    return place;
  }

  /** Gives up what `claim` gave; says who wants the outcome, 0 for nobody. Nothing happens when it was seized meanwhile. */
  release(place: number, high: number): number {
    const words = this.#words;
    if (place < 0) return 0;
    for (;;) {
      const state = Atomics.load(words, place + STATE);
      // Tags change only where there is no holder, so this one is the holder's own.
      if ((state & HOLDER) !== this.#me || words[place] !== (high | 0)) return 0;
      if (Atomics.compareExchange(words, place + STATE, state, 0) === state) {
        return state >>> HOLDER_BITS;
      }
    }
  }

  /** Who wants the outcome so far of what `claim` gave; -1 when it is not held any more. */
  wanted(place: number, high: number): number {
    if (place < 0) return -1;
    const state = Atomics.load(this.#words, place + STATE);
    const isHeld = (state & HOLDER) === this.#me && this.#words[place] === (high | 0);
    return isHeld ? state >>> HOLDER_BITS : -1;
  }

  /** Gives up, for a worker that ended, what it held, and its locks. For the main thread, which tells the others. */
  releaseAll(worker: number): void {
    const words = this.#words;
    for (let line = 0; line < words.length; line += LINE_WORDS) {
      if (takeOver(words, line, worker + 1, this.#me)) unlock(words, line);
      for (let at = line + FIRST_ENTRY; at < line + LINE_WORDS; at += ENTRY_WORDS) {
        for (;;) {
          const state = Atomics.load(words, at + STATE);
          if ((state & HOLDER) !== worker + 1) break;
          Atomics.compareExchange(words, at + STATE, state, 0);
        }
      }
    }
  }

  /** Entries in use. Walks the table: not for the hot path. */
  get count(): number {
    let count = 0;
    for (let line = 0; line < this.#words.length; line += LINE_WORDS) {
      for (let at = line + FIRST_ENTRY; at < line + LINE_WORDS; at += ENTRY_WORDS) {
        if (Atomics.load(this.#words, at + STATE) !== 0) count++;
      }
    }
    return count;
  }

  #find(line: number, tag: number): number {
    const words = this.#words;
    for (let at = line + FIRST_ENTRY; at < line + LINE_WORDS; at += ENTRY_WORDS) {
      if (words[at] === tag && Atomics.load(words, at + STATE) !== 0) return at;
    }
    return CLAIM_FULL;
  }

  #fill(line: number, tag: number): number {
    const words = this.#words;
    for (let at = line + FIRST_ENTRY; at < line + LINE_WORDS; at += ENTRY_WORDS) {
      if (Atomics.load(words, at + STATE) !== 0) continue;
      words[at] = tag;
      Atomics.store(words, at + STATE, this.#me);
      return at;
    }
    return CLAIM_FULL;
  }

  /** Takes the entry when its holder gave it up right now, or it is to be seized; else asks to be told. */
  #enter(at: number, isSeized: boolean): number {
    const words = this.#words;
    for (;;) {
      const state = Atomics.load(words, at + STATE);
      // Other work of this worker's own, with the same hash.
      if ((state & HOLDER) === this.#me) return CLAIM_FULL;
      const isFree = state === 0 || isSeized;
      const next = isFree ? (state & ~HOLDER & ~this.#bit) | this.#me : state | this.#bit;
      if (Atomics.compareExchange(words, at + STATE, state, next) === state) {
        return isFree ? at : CLAIM_TAKEN;
      }
    }
  }
}
