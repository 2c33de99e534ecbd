// Queries whose reply comes later: a bounded table, with a time limit for each so that no plugin can keep a client waiting for ever.
import type { Query } from '../chain/query.js';
import type { Gauge, Timers } from '../chain/services.js';

/** Deferred queries a worker keeps at once: some 20 MB when full. Past it a query is answered SERVFAIL at once. */
export const MAX_PARKED = 16_384;

/** A query not answered by then gets SERVFAIL: longer than *forward*'s whole budget of 5 s, about when stub resolvers give up. */
export const PARKED_LIMIT_MS = 10_000;

/** How often the table is looked through for those: one timer for all, and a limit that is kept to this. */
export const SWEEP_MS = 1000;
const SWEEPS = PARKED_LIMIT_MS / SWEEP_MS + 1;

export class Parked {
  readonly #timers: Timers;
  readonly #onLimit: (q: Query) => void;
  readonly #waiting: Gauge;
  readonly #queries: (Query | null)[] = [];
  /** How often each was met by a sweep. */
  readonly #sweeps = new Uint8Array(MAX_PARKED);
  readonly #free: number[] = [];
  #size = 0;
  #timer = 0;

  /** `onLimit` is called for a query that reached its time limit, after it was taken out; `waiting` shows how many there are. */
  constructor(timers: Timers, onLimit: (q: Query) => void, waiting: Gauge) {
    this.#timers = timers;
    this.#onLimit = onLimit;
    this.#waiting = waiting;
  }

  get size(): number {
    return this.#size;
  }

  /** Keeps a query until `remove`. False when the table is full. */
  add(q: Query): boolean {
    if (this.#size >= MAX_PARKED) return false;
    const slot = this.#free.pop() ?? this.#queries.length;
    this.#queries[slot] = q;
    this.#sweeps[slot] = 0;
    this.#size++;
    this.#waiting.inc();
    q.slot = slot;
    if (this.#timer === 0) this.#timer = this.#timers.start(SWEEP_MS, this.#sweep, 0);
    return true;
  }

  /** Takes a query out. False when it is not there: it was answered already, because of its time limit or the table's. */
  remove(q: Query): boolean {
    const slot = q.slot;
    if (slot < 0) return false;
    this.#release(q, slot);
    return true;
  }

  #release(q: Query, slot: number): void {
    this.#queries[slot] = null;
    this.#free.push(slot);
    this.#size--;
    this.#waiting.inc(-1);
    q.slot = -1;
  }

  readonly #sweep = (): void => {
    this.#timer = 0;
    for (let slot = 0; slot < this.#queries.length; slot++) {
      const q = this.#queries[slot];
      if (q === null || q === undefined) continue;
      const sweeps = (this.#sweeps[slot] as number) + 1;
      this.#sweeps[slot] = sweeps;
      if (sweeps < SWEEPS) continue;
      this.#release(q, slot);
      this.#onLimit(q);
    }
    if (this.#size > 0 && this.#timer === 0) {
      this.#timer = this.#timers.start(SWEEP_MS, this.#sweep, 0);
    }
  };
}
