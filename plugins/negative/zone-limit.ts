// Hot path for misses. Random names below a zone ("water torture") are in no cache: each asks upstream, to be denied or to wait in vain. So many are
// let through for each zone and second; the rest is not asked.
//
// A query is counted under the name above its own when it is let through, and is taken back when its reply comes within the second and is no denial
// of the name: names that exist cost nothing, names that nobody answers cost one each. NXDOMAIN counts under the zone that its SOA record names, too,
// for names with several random labels. The counts are in a table of fixed size that all workers share:
//
//   | hot second | tag, second, count, minute of the last log line | ... |      a name has its place in one set of four
//
// Cells are changed without a lock: a count may be lost when a second begins, no more.
import {
  addToCell,
  equalNames,
  formatName,
  Hasher,
  type Logger,
  loadCell,
  QNAME_OFFSET,
  type Query,
  storeCell,
} from '../../core/plugin.js';
import { NamesAbove } from './names-above.js';

/** Sets of names; a name that finds its set full takes the place of the one longest unseen, or least counted. */
const SETS = 256;
const WAYS = 4;

const Cell = { TAG: 0, SECOND: 1, COUNT: 2, LOGGED: 3 } as const;
const SLOT_CELLS = 4;
const FIRST_SLOT = 4;
const HOT = 0;

/** Cells for `allocateCells`: 16 KiB. */
export const ZONE_CELLS = FIRST_SLOT + SETS * WAYS * SLOT_CELLS;

const SECONDS_PER_MINUTE = 60;

export class ZoneLimit {
  readonly #cells: Int32Array;
  readonly #rate: number;
  readonly #hasher: Hasher;
  readonly #log: Logger;
  readonly #above = new NamesAbove();

  /** `rate` is how many queries a second are let through for a zone; `seed` is the same in all workers. */
  constructor(cells: Int32Array, rate: number, seed: readonly [number, number], log: Logger) {
    this.#cells = cells;
    this.#rate = rate;
    this.#hasher = new Hasher(seed[0], seed[1]);
    this.#log = log;
  }

  /** Whether `q` may be asked upstream; it is counted then. */
  admit(q: Query, nowMs: number): boolean {
    if (q.labels === 0) return true;
    const second = secondOf(nowMs);
    const above = this.#above;
    above.begin(q, 0);
    above.skip();
    const slot = this.#take(q, second);
    if (addToCell(this.#cells, slot + Cell.COUNT, 1) > this.#rate) {
      return this.#refuse(slot, slot, q, second);
    }
    if (loadCell(this.#cells, HOT) !== second) return true;
    while (above.next()) {
      const zone = this.#find(q);
      if (zone !== 0 && this.#countOf(zone, second) >= this.#rate) {
        return this.#refuse(slot, zone, q, second);
      }
    }
    return true;
  }

  /** The reply to a query that was let through is no denial of its name. */
  takeBack(q: Query, nowMs: number): void {
    const second = secondOf(nowMs);
    if (q.labels === 0 || secondOf(q.receivedMs) !== second) return;
    this.#above.begin(q, 0);
    this.#above.skip();
    const slot = this.#find(q);
    if (slot !== 0 && this.#countOf(slot, second) > 0) {
      addToCell(this.#cells, slot + Cell.COUNT, -1);
    }
  }

  /** The reply to a query that was let through is NXDOMAIN, by the zone whose SOA record has its owner at `owner` in `wire`. */
  denied(q: Query, wire: Uint8Array, owner: number, nowMs: number): void {
    if (q.labels < 2) return;
    const above = this.#above;
    above.begin(q, 0);
    above.skip();
    // The name above its own is counted already.
    if (equalNames(wire, owner, q.wire, QNAME_OFFSET + above.at)) return;
    while (above.next()) {
      if (!equalNames(wire, owner, q.wire, QNAME_OFFSET + above.at)) continue;
      const second = secondOf(nowMs);
      const slot = this.#take(q, second);
      const count = addToCell(this.#cells, slot + Cell.COUNT, 1);
      if (count >= this.#rate) storeCell(this.#cells, HOT, second);
      return;
    }
  }

  /** Not let through: because of `zone`, where `above` is. One line a minute says so. */
  #refuse(slot: number, zone: number, q: Query, second: number): boolean {
    const cells = this.#cells;
    addToCell(cells, slot + Cell.COUNT, -1);
    const minute = Math.floor(second / SECONDS_PER_MINUTE) + 1;
    if (loadCell(cells, zone + Cell.LOGGED) === minute) return false;
    storeCell(cells, zone + Cell.LOGGED, minute);
    const name = formatName(q.wire, QNAME_OFFSET + this.#above.at).toLowerCase();
    this.#log.warning(
      `${name}: more than ${this.#rate} queries a second for names that do not exist or get no answer; the others get SERVFAIL`,
    );
    return false;
  }

  #countOf(slot: number, second: number): number {
    return loadCell(this.#cells, slot + Cell.SECOND) === second
      ? loadCell(this.#cells, slot + Cell.COUNT)
      : 0;
  }

  /** The slot of the name that `above` is at, 0 for none. */
  #find(q: Query): number {
    const set = this.#setOf(q);
    const tag = this.#hasher.high | 1;
    for (let slot = set; slot < set + WAYS * SLOT_CELLS; slot += SLOT_CELLS) {
      if (loadCell(this.#cells, slot + Cell.TAG) === tag) return slot;
    }
    return 0;
  }

  /** The same, which is made if there is none. Its count is that of this second. */
  #take(q: Query, second: number): number {
    const cells = this.#cells;
    let slot = this.#find(q);
    if (slot === 0) {
      slot = this.#least(second);
      storeCell(cells, slot + Cell.TAG, this.#hasher.high | 1);
      storeCell(cells, slot + Cell.LOGGED, 0);
      storeCell(cells, slot + Cell.SECOND, 0);
    }
    if (loadCell(cells, slot + Cell.SECOND) !== second) {
      storeCell(cells, slot + Cell.SECOND, second);
      storeCell(cells, slot + Cell.COUNT, 0);
    }
    return slot;
  }

  /** The slot of the set hashed last that is longest unseen, or least counted in this second. */
  #least(second: number): number {
    const set = this.#setAt();
    let least = set;
    let leastRank = Number.POSITIVE_INFINITY;
    for (let slot = set; slot < set + WAYS * SLOT_CELLS; slot += SLOT_CELLS) {
      const unseen = second - loadCell(this.#cells, slot + Cell.SECOND);
      const rank = unseen === 0 ? loadCell(this.#cells, slot + Cell.COUNT) : -unseen;
      if (rank >= leastRank) continue;
      least = slot;
      leastRank = rank;
    }
    return least;
  }

  #setOf(q: Query): number {
    const { words, bytes } = this.#above;
    this.#hasher.hash(q.qclass, bytes, words, (bytes + 3) >> 2);
    return this.#setAt();
  }

  #setAt(): number {
    return FIRST_SLOT + (this.#hasher.low & (SETS - 1)) * WAYS * SLOT_CELLS;
  }
}

/** The second of a time on the worker's clock; never 0, which is no second. */
function secondOf(nowMs: number): number {
  return (Math.floor(nowMs / 1000) + 1) | 0;
}
