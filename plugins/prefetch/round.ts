// Which worker looks for what is due in a second: one alone, all in turn. If the one whose turn it is does not come, another does a second later.
import { allocateCells, loadCell, swapCell } from '../../core/plugin.js';

const SECOND = 0;
const PERIOD = 1;

/** A worker that is late by so many seconds has lost its turn. */
const LATE = 2;

export function allocateRound(): Int32Array {
  return allocateCells(2);
}

export class Round {
  readonly #cells: Int32Array;
  readonly #worker: number;
  readonly #workers: number;

  constructor(cells: Int32Array, worker: number, workers: number) {
    this.#cells = cells;
    this.#worker = worker;
    this.#workers = workers;
  }

  /** Whether it is for this worker to look in the second of this time. */
  take(nowMs: number): boolean {
    const second = (Math.floor(nowMs / 1000) + 1) | 0;
    const last = loadCell(this.#cells, SECOND);
    if (second === last) return false;
    const isMine = second % this.#workers === this.#worker;
    if (!isMine && last !== 0 && ((second - last) | 0) < LATE) return false;
    return swapCell(this.#cells, SECOND, last, second);
  }

  /** Whether nobody has looked in this period before. */
  begins(period: number): boolean {
    const last = loadCell(this.#cells, PERIOD);
    return last !== period + 1 && swapCell(this.#cells, PERIOD, last, period + 1);
  }
}
