// Queries whose reply comes later: a bounded table, with a time limit for each so that no plugin can keep a client waiting for ever.
import type { Query } from '../chain/query.js';
import type { Gauge, Timers } from '../chain/services.js';

/** Deferred queries a worker keeps at once: some 20 MB when full. Past it a query is answered SERVFAIL at once. */
export const MAX_PARKED = 16_384;

/** A query not answered by then gets SERVFAIL: longer than *forward*'s whole budget of 5 s, about when stub resolvers give up. */
export const PARKED_LIMIT_MS = 10_000;

export class Parked {
  readonly #timers: Timers;
  readonly #onLimit: (q: Query) => void;
  readonly #waiting: Gauge;
  readonly #queries: (Query | null)[] = [];
  readonly #free: number[] = [];
  #size = 0;

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
    this.#size++;
    this.#waiting.inc();
    q.slot = slot;
    q.timer = this.#timers.start(PARKED_LIMIT_MS, this.#expire, slot);
    return true;
  }

  /** Takes a query out. False when it is not there: it was answered already, because of its time limit or the table's. */
  remove(q: Query): boolean {
    const slot = q.slot;
    if (slot < 0) return false;
    this.#timers.cancel(q.timer);
    this.#release(q, slot);
    return true;
  }

  #release(q: Query, slot: number): void {
    this.#queries[slot] = null;
    this.#free.push(slot);
    this.#size--;
    this.#waiting.inc(-1);
    q.slot = -1;
    q.timer = -1;
  }

  readonly #expire = (slot: number): void => {
    const q = this.#queries[slot] as Query;
    this.#release(q, slot);
    this.#onLimit(q);
  };
}
