// Hot path for misses. When upstreams stop answering altogether, whatever is asked for fails for no reason of its own. Such failures are not to outlive
// the outage: once an upstream answers again, those from before count no more.
import { type ErrorCode, loadCell, type Reply, storeCell } from '../../core/plugin.js';

/** Failures without any answer in between that make an outage: one name that nobody can resolve, asked for in three types, makes none. */
const LEAST_FAILURES = 5;

const SILENCE: readonly ErrorCode[] = [
  'ERR_UPSTREAM_TIMEOUT',
  'ERR_UPSTREAM_NETWORK',
  'ERR_NO_UPSTREAM',
];

const ENDED = 0;

/** Cells for `allocateCells`. */
export const OUTAGE_CELLS = 1;

/** One per worker, with cells that all share: an outage that one of them sees the end of is over for all. */
export class Outage {
  readonly #cells: Int32Array;
  #failures = 0;

  constructor(cells: Int32Array) {
    this.#cells = cells;
  }

  /** Takes notice of a reply from upstream, or that there was none, at tick `now`. */
  note(reply: Reply, now: number): void {
    if (reply.error !== undefined) {
      if (SILENCE.includes(reply.error.code)) this.#failures++;
      return;
    }
    if (this.#failures >= LEAST_FAILURES) storeCell(this.#cells, ENDED, now === 0 ? 1 : now);
    this.#failures = 0;
  }

  /** Whether an outage has ended since this tick. */
  hasEndedSince(tick: number): boolean {
    const ended = loadCell(this.#cells, ENDED);
    return ended !== 0 && ((ended - tick) | 0) > 0;
  }
}
