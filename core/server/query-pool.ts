// Hot path. Query objects waiting to be used: replaced in a receive slot when a query is deferred, taken for every TCP message.
import { Query, type ReplySink } from '../chain/query.js';

/** Objects kept for reuse, about 1.5 kB each; more are left to the garbage collector. */
const MAX_POOLED = 4096;

export class QueryPool {
  readonly #free: Query[] = [];

  take(sink: ReplySink): Query {
    const q = this.#free.pop() ?? new Query(sink);
    q.sink = sink;
    return q;
  }

  /** Takes an object back; nobody may hold on to it. */
  put(q: Query): void {
    if (this.#free.length < MAX_POOLED) this.#free.push(q);
  }
}
