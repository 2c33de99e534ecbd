// Hot path for misses. Which names were stored once of late: a bit for each, by its hash, in memory that all workers share. Names that come a second time are
// worth learning; a flood of names that come once costs a bit each, and nobody's place in the table.
import { addToCell, allocateCells, storeCell } from '../../core/plugin.js';

/** Bits for each name that can be learnt, and the share of them that may be set: then about as many names are taken for known, and all begins anew. */
const BITS_PER_NAME = 32;
const MAX_FULL = 1 / 8;

const COUNT = 0;
const FIRST = 1;

/** Memory for a table of so many names. */
export function allocateSeenOnce(names: number): Int32Array {
  const words = 2 ** Math.ceil(Math.log2((names * BITS_PER_NAME) / 32));
  return allocateCells(FIRST + words);
}

export class SeenOnce {
  readonly #cells: Int32Array;
  readonly #mask: number;
  readonly #most: number;

  constructor(cells: Int32Array) {
    const bits = (cells.length - FIRST) * 32;
    this.#cells = cells;
    this.#mask = bits - 1;
    this.#most = bits * MAX_FULL;
  }

  /** Whether this hash was there before; it is from now on. Written without a lock: a bit may be lost now and then. */
  meet(hash: number): boolean {
    const cells = this.#cells;
    const bit = hash & this.#mask;
    const at = FIRST + (bit >>> 5);
    const word = cells[at] as number;
    if (((word >>> (bit & 31)) & 1) !== 0) return true;
    if (addToCell(cells, COUNT, 1) > this.#most) {
      cells.fill(0);
      storeCell(cells, COUNT, 1);
    }
    cells[at] = (cells[at] as number) | (1 << (bit & 31));
    return false;
  }
}
