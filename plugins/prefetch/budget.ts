// Hot path for misses. How many refreshes a second there may be, shared fairly between the sets of upstreams that answers come from, and which of those are
// spared because they fail. In cells that all workers share:
//
//   | second | refreshes in it | set 0 | set 1 | ... |      set  | hash | wanted | wanted the second before | begun | failures in a row | spared until |
//
// In a second each set that wants refreshes, or did in the one before, has an equal share for certain. What others do not want of theirs is there for whoever
// comes first. Set 0 stands for all whose number is not known.
import {
  addToCell,
  allocateCells,
  claimCell,
  loadCell,
  storeCell,
  swapCell,
} from '../../core/plugin.js';

/** As many as six bits tell apart. More sets than that share the first. */
export const MAX_ORIGINS = 64;

const SECOND = 0;
const BEGUN = 1;
const FIRST = 2;

const Cell = { HASH: 0, WANTED: 1, WANTED_BEFORE: 2, BEGUN: 3, FAILS: 4, SPARED: 5 } as const;
const SET_CELLS = 6;

/** Failures in a row, without any reply in between, after which upstreams are spared: one name that nobody can resolve makes fewer. */
const LEAST_FAILS = 5;

/** For how many seconds they are spared at first and at most. */
const FIRST_PAUSE = 1;
const MAX_PAUSE = 60;

/** Within so many seconds the one refresh that tries has its reply. */
const TRIAL = 10;

/** Cells for `allocateCells`. */
const BUDGET_CELLS = FIRST + MAX_ORIGINS * SET_CELLS;

export function allocateBudget(): Int32Array {
  return allocateCells(BUDGET_CELLS);
}

export class Budget {
  readonly #cells: Int32Array;
  readonly #rate: number;
  readonly #ticksPerSecond: number;

  /** `rate` is how many refreshes there may be in a second; Infinity for no limit. */
  constructor(cells: Int32Array, rate: number, ticksPerSecond: number) {
    this.#cells = cells;
    this.#rate = rate;
    this.#ticksPerSecond = ticksPerSecond;
  }

  /** The number here of the set of upstreams with this hash, 0 for none in particular. */
  originOf(hash: number): number {
    if (hash === 0) return 0;
    for (let origin = 1; origin < MAX_ORIGINS; origin++) {
      if (claimCell(this.#cells, at(origin) + Cell.HASH, hash)) return origin;
    }
    return 0;
  }

  /** The hash of the set with this number, 0 for none. */
  hashOf(origin: number): number {
    return loadCell(this.#cells, at(origin) + Cell.HASH);
  }

  /** Says that a refresh is wanted in this second, before `begin` is asked. */
  want(origin: number, nowMs: number): void {
    this.#turn(nowMs);
    addToCell(this.#cells, at(origin) + Cell.WANTED, 1);
  }

  /** Whether a refresh that is wanted may begin; it is counted then. */
  begin(origin: number, nowMs: number): boolean {
    this.#turn(nowMs);
    const cells = this.#cells;
    const own = at(origin) + Cell.BEGUN;
    if (this.#rate !== Number.POSITIVE_INFINITY) {
      const left = this.#rate - loadCell(cells, BEGUN);
      if (left <= 0 || !this.#isEntitled(origin, left)) return false;
    }
    if (addToCell(cells, BEGUN, 1) > this.#rate) {
      addToCell(cells, BEGUN, -1);
      return false;
    }
    addToCell(cells, own, 1);
    return true;
  }

  /** Gives back what `begin` took: nothing was sent. */
  giveBack(origin: number): void {
    addToCell(this.#cells, BEGUN, -1);
    addToCell(this.#cells, at(origin) + Cell.BEGUN, -1);
  }

  /** Takes notice of what came from a set of upstreams at tick `now`: an answer, or a failure. */
  note(origin: number, isGood: boolean, isRefresh: boolean, now: number): void {
    const cells = this.#cells;
    const fails = at(origin) + Cell.FAILS;
    const spared = at(origin) + Cell.SPARED;
    if (isGood) {
      if (loadCell(cells, fails) === 0) return;
      storeCell(cells, fails, 0);
      storeCell(cells, spared, 0);
      return;
    }
    // While they are spared only what was sent to find out counts: clients that fail together say no more than one.
    if (!isRefresh && this.isSpared(origin, now)) return;
    const count = addToCell(cells, fails, 1);
    if (count < LEAST_FAILS) return;
    const seconds = Math.min(FIRST_PAUSE * 2 ** (count - LEAST_FAILS), MAX_PAUSE);
    storeCell(cells, spared, this.#tickIn(seconds, now));
  }

  /** Whether a set of upstreams is left alone at tick `now`. */
  isSpared(origin: number, now: number): boolean {
    const until = loadCell(this.#cells, at(origin) + Cell.SPARED);
    return until !== 0 && ((until - now) | 0) > 0;
  }

  /** Whether a refresh may be sent to a set that is not left alone: when a pause is over, the one who asks first may try, and nobody else meanwhile. */
  mayTry(origin: number, now: number): boolean {
    const cells = this.#cells;
    const spared = at(origin) + Cell.SPARED;
    const until = loadCell(cells, spared);
    return until === 0 || swapCell(cells, spared, until, this.#tickIn(TRIAL, now));
  }

  /** Whether one of `left` refreshes in this second is for this set: it is within its share, or nobody else needs it. */
  #isEntitled(origin: number, left: number): boolean {
    const cells = this.#cells;
    let sets = 0;
    for (let i = 0; i < MAX_ORIGINS; i++) if (this.#wanted(i) > 0) sets++;
    const share = Math.max(1, Math.floor(this.#rate / Math.max(sets, 1)));
    if (loadCell(cells, at(origin) + Cell.BEGUN) < share) return true;
    let kept = 0;
    for (let i = 0; i < MAX_ORIGINS; i++) {
      if (i === origin) continue;
      kept += Math.max(0, Math.min(this.#wanted(i), share) - loadCell(cells, at(i) + Cell.BEGUN));
    }
    return left > kept;
  }

  /** Refreshes that a set wants in this second, as far as can be told. */
  #wanted(origin: number): number {
    const wanted = loadCell(this.#cells, at(origin) + Cell.WANTED);
    return Math.max(wanted, loadCell(this.#cells, at(origin) + Cell.WANTED_BEFORE));
  }

  /** Never 0, which is no time. */
  #tickIn(seconds: number, now: number): number {
    return (now + seconds * this.#ticksPerSecond) | 0 || 1;
  }

  /** Begins another second. Workers that come at the same moment may lose a count. */
  #turn(nowMs: number): void {
    const cells = this.#cells;
    const second = (Math.floor(nowMs / 1000) + 1) | 0;
    const before = loadCell(cells, SECOND);
    // Another worker's clock may be a moment ahead.
    if (before === second || (before !== 0 && ((second - before) | 0) < 0)) return;
    if (!swapCell(cells, SECOND, before, second)) return;
    storeCell(cells, BEGUN, 0);
    for (let i = 0; i < MAX_ORIGINS; i++) {
      const set = at(i);
      const wanted = second - before === 1 ? loadCell(cells, set + Cell.WANTED) : 0;
      storeCell(cells, set + Cell.WANTED_BEFORE, wanted);
      storeCell(cells, set + Cell.WANTED, 0);
      storeCell(cells, set + Cell.BEGUN, 0);
    }
  }
}

function at(origin: number): number {
  return FIRST + origin * SET_CELLS;
}
