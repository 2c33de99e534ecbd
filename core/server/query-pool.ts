// Hot path. Query objects waiting to be used: replaced in a receive slot when a query is deferred, taken for every TCP message.
import { Query, type ReplySink } from '../chain/query.js';
import type { Gauge } from '../chain/services.js';

/** Objects kept for reuse, about 1.5 kB each; more are left to the garbage collector. */
export const MAX_POOLED = 4096;

export class QueryPool {
  readonly #free: Query[] = [];
  readonly #objects: Gauge;

  /** `objects` shows how many there are, in use or kept. */
  constructor(objects: Gauge) {
    this.#objects = objects;
  }

  take(sink: ReplySink): Query {
    const q = this.#free.pop() ?? this.#make(sink);
    q.sink = sink;
    return q;
  }

  /** Takes an object back; nobody may hold on to it. */
  put(q: Query): void {
    if (this.#free.length < MAX_POOLED) this.#free.push(q);
    else this.#objects.inc(-1);
  }

  #make(sink: ReplySink): Query {
    this.#objects.inc();
    return new Query(sink);
  }
}
