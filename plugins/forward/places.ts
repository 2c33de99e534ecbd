// Gives upstreams their places in the memory that the workers share, and takes places back. An upstream that is gone keeps its place, and so what was learned of it, until another one
// needs it; and always until no worker asks it any more.
import { HealthCells, oldestSet, PLACES, shownText } from './health-cells.js';

/** Of an upstream that is in the newest set. */
const ASKED = Number.POSITIVE_INFINITY;

export class Places {
  readonly #cells: Int32Array;
  /** Of each upstream that has a place, the first set that it was left out of; those that were left out first come first. */
  readonly #left = new Map<string, number>();

  constructor(cells: Int32Array) {
    this.#cells = cells;
  }

  /** Whether the upstream whose place says that it is called `shown` is in the newest set. */
  isAsked(shown: string): boolean {
    for (const [text, left] of this.#left) {
      if (left === ASKED && shownText(text) === shown) return true;
    }
    return false;
  }

  /**
   * Gives places to the upstreams of set `set`; says which of them had none. Undefined, and nothing has changed, as long as too many are held by
   * upstreams that are gone and still have queries.
   */
  take(texts: ReadonlySet<string>, set: number): readonly string[] | undefined {
    const newcomers = [...texts].filter((text) => !this.#left.has(text));
    const missing = newcomers.length - (PLACES - this.#left.size);
    const oldest = oldestSet(this.#cells);
    const free = [...this.#left].filter(([text, left]) => left <= oldest && !texts.has(text));
    if (missing > free.length) return undefined;
    for (const [text] of free.slice(0, Math.max(0, missing))) {
      HealthCells.release(this.#cells, text);
      this.#left.delete(text);
    }
    for (const [text, left] of [...this.#left]) {
      if (texts.has(text)) {
        this.#left.set(text, ASKED);
      } else if (left === ASKED) {
        this.#left.delete(text);
        this.#left.set(text, set);
      }
    }
    for (const text of newcomers) {
      HealthCells.of(this.#cells, text, -1);
      this.#left.set(text, ASKED);
    }
    return newcomers;
  }
}
