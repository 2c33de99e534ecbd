// What is to be looked at in this second: found by going through all names that were learnt, given with the most popular first.
import type { NameTable } from './name-table.js';
import { MAX_IN_VAIN } from './popularity.js';

/** Looked at in one second at most, some 2 us each; the others are looked at in the next. */
const INDEX_BITS = 13;
const MAX_DUE = 2 ** INDEX_BITS;
const INDEX_MASK = MAX_DUE - 1;

export class Due {
  count = 0;
  readonly #names: NameTable;
  /** From which share of the whole on names are popular. */
  readonly #share: number;
  /** By index: bucket and tag, and where its answers come from. */
  readonly #buckets = new Int32Array(MAX_DUE);
  readonly #tags = new Int32Array(MAX_DUE);
  readonly #origins = new Uint8Array(MAX_DUE);
  /** Share and index of each. */
  readonly #order = new Uint32Array(MAX_DUE);
  #bucket = 0;
  #now = 0;
  #isNewPeriod = false;

  constructor(names: NameTable, share: number) {
    this.#names = names;
    this.#share = share;
  }

  /**
   * Finds what is due at tick `now`. At the beginning of a period these are also names that are popular at this time of day, though nobody may have asked for
   * them for hours.
   */
  find(now: number, period: number, isNewPeriod: boolean): void {
    const names = this.#names;
    const buckets = names.bucket.count;
    this.count = 0;
    this.#now = now;
    this.#isNewPeriod = isNewPeriod;
    // Where there is not room for all, the next time begins where this one ends.
    for (let i = 0; i < buckets && this.count < MAX_DUE; i++) {
      if (isNewPeriod) names.visit(this.#bucket, period, this.#visit);
      else names.visitDue(this.#bucket, now, period, this.#visit);
      this.#bucket = (this.#bucket + 1) % buckets;
    }
    this.#order.subarray(0, this.count).sort();
  }

  /** Reads the i-th, 0 being the most popular, into the fields of the table; false when it is gone or no longer due. */
  read(i: number, period: number): boolean {
    const at = this.#at(i);
    const names = this.#names;
    if (!names.read(this.#buckets[at] as number, this.#tags[at] as number, period)) return false;
    return names.isDue(this.#now);
  }

  /** Where the answers to the i-th come from. */
  origin(i: number): number {
    return this.#origins[this.#at(i)] as number;
  }

  /** Whether it is so popular that it is to be refreshed. */
  isPopular(i: number): boolean {
    return (this.#order[this.count - 1 - i] as number) >>> INDEX_BITS >= this.#share;
  }

  readonly #visit = (tag: number): boolean => {
    const names = this.#names;
    const { popularity } = names;
    const isAwaited = this.#isNewPeriod && !popularity.isArmed && this.#isUsual;
    if (isAwaited) {
      popularity.isArmed = true;
      popularity.inVain = 0;
      names.end = (this.#now + names.lead) | 0;
    }
    if (names.isDue(this.#now) && this.count < MAX_DUE) {
      const at = this.count++;
      this.#buckets[at] = this.#names.bucket.opened;
      this.#tags[at] = tag;
      this.#origins[at] = popularity.origin;
      const share = popularity.inVain < MAX_IN_VAIN ? popularity.expected : 0;
      this.#order[at] = (share << INDEX_BITS) | at;
    }
    return isAwaited;
  };

  /** Whether the name visited is popular at this time on other days. */
  get #isUsual(): boolean {
    return this.#names.popularity.usual >= this.#share;
  }

  #at(i: number): number {
    return (this.#order[this.count - 1 - i] as number) & INDEX_MASK;
  }
}
