// Hot path. A reply that comes later, without a promise: one per query, reused with it.
import type { Query } from './query.js';
import { Reply } from './reply.js';

/** What `serve` gives: a reply, or something to wait for. An `async` handler's promise fits. */
export type Answer = Reply | PromiseLike<Reply>;

/** What is done with the reply of the rest of the chain; it may pass the reply on, make another, or wait in its turn. */
export type Continuation = (reply: Reply, q: Query) => Answer;

/**
 * The reply of a deferred query. `whenDone` registers on it without allocating; `await` works too, and then gets a copy,
 * because what `settle` lends is gone when a microtask runs.
 */
export class Pending implements PromiseLike<Reply> {
  readonly #q: Query;

  constructor(q: Query) {
    this.#q = q;
  }

  whenDone(run: Continuation): void {
    this.#q.onSettled(run);
  }

  // biome-ignore lint/suspicious/noThenProperty: being awaitable is what this class is for
  then<A = Reply, B = never>(
    onFulfilled?: ((reply: Reply) => A | PromiseLike<A>) | null,
    onRejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): PromiseLike<A | B> {
    const reply = new Promise<Reply>((resolve) => {
      this.#q.onSettled((reply, q) => {
        resolve(reply.copy());
        // The awaiting handler's own promise carries the query on from here.
        return q.defer();
      });
    });
    return reply.then(onFulfilled, onRejected);
  }
}

/**
 * Gives `run` the reply of the rest of the chain, at once when it is there and later when it is not. Returns what `run` returned or
 * a pending answer. `run` gets the query, so that one function made in `setup` serves every query.
 */
export function whenDone(answer: Answer, run: Continuation): Answer {
  if (answer instanceof Reply) return run(answer, answer.query);
  if (answer instanceof Pending) {
    answer.whenDone(run);
    return answer;
  }
  return answer.then((reply) => run(reply, reply.query));
}
