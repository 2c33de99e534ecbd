// What the control part and the workers tell each other of a probe, in shared memory: its name, how often it was seen, what came of it.
import { addToCell, allocateCells, loadCell, type Query, storeCell } from '../../core/plugin.js';

export const State = {
  /** No probe is under way, and none came back. */
  QUIET: 0,
  /** A probe is under way. */
  WATCHING: 1,
  /** The last probe came back. */
  LOOPING: 2,
} as const;
export type State = (typeof State)[keyof typeof State];

const STATE = 0;
const SEEN = 1;
const NAME_BYTES = 2;
const NAME = 3;

/** Words of the longest name. */
const NAME_WORDS = 64;

/** Memory for one `Watch`, published by the control part. */
export function allocateWatch(): Int32Array {
  return allocateCells(NAME + NAME_WORDS);
}

export class Watch {
  readonly #cells: Int32Array;

  constructor(cells: Int32Array) {
    this.#cells = cells;
  }

  get state(): State {
    return this.#cells[STATE] as State;
  }

  set state(state: State) {
    storeCell(this.#cells, STATE, state);
  }

  /** How often queries with the probe's name came by. */
  get seen(): number {
    return loadCell(this.#cells, SEEN);
  }

  /** Starts over with another name, which is in wire form and lower case. */
  begin(name: Uint8Array): void {
    const cells = this.#cells;
    const padded = new Uint8Array(NAME_WORDS * 4);
    padded.set(name);
    cells.set(new Int32Array(padded.buffer), NAME);
    storeCell(cells, NAME_BYTES, name.length);
    storeCell(cells, SEEN, 0);
  }

  /** Counts a query if it has the probe's name: how often that was seen by now, 0 for any other query. */
  count(q: Query): number {
    const cells = this.#cells;
    const bytes = q.qnameEnd - q.qnameOffset;
    if (cells[NAME_BYTES] !== bytes) return 0;
    const words = (bytes + 3) >> 2;
    for (let i = 0; i < words; i++) {
      if (cells[NAME + i] !== ((q.folded32[i] as number) | 0)) return 0;
    }
    return addToCell(cells, SEEN, 1);
  }
}
