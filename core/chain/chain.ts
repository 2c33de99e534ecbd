// The handlers of a server block, linked front to back. Built at start; per query it is one comparison and one call per handler.
import { Ede, Rcode } from '../wire/constants.js';
import type { Handler, Next } from './handler.js';
import type { Answer } from './pending.js';
import type { Query } from './query.js';
import type { Reply } from './reply.js';

/** One handler with the plugin it came from. */
export interface Step {
  readonly plugin: string;
  readonly handler: Handler;
  /** The handler answers classes other than IN too (Plugin.servesAllClasses). */
  readonly servesAllClasses: boolean;
}

/** A server block's chain. `run` is its front. */
export class Chain {
  readonly steps: readonly Step[];
  readonly run: Next;
  readonly servesAllClasses: boolean;
  readonly #observers: readonly Handler[];
  readonly #filters: readonly Handler[];

  constructor(steps: readonly Step[]) {
    this.steps = steps;
    this.run = linkFrom(steps, 0);
    this.servesAllClasses = steps.some((step) => step.servesAllClasses);
    this.#observers = steps.map((step) => step.handler).filter((h) => h.observe !== undefined);
    this.#filters = steps.map((step) => step.handler).filter((h) => h.filter !== undefined);
  }

  get hasObservers(): boolean {
    return this.#observers.length > 0;
  }

  get hasFilters(): boolean {
    return this.#filters.length > 0;
  }

  /** Whether every filter of the block lets this query in. */
  takes(q: Query): boolean {
    for (let i = 0; i < this.#filters.length; i++) {
      if (!(this.#filters[i] as Required<Handler>).filter(q)) return false;
    }
    return true;
  }

  /** Tells the handlers of a reply that was sent. */
  observe(q: Query, reply: Reply): void {
    for (let i = 0; i < this.#observers.length; i++) {
      (this.#observers[i] as Required<Handler>).observe(q, reply);
    }
  }
}

function linkFrom(steps: readonly Step[], first: number): Next {
  let next: Next = refuse;
  for (let i = steps.length - 1; i >= first; i--) {
    next = link((steps[i] as Step).handler, i, next);
  }
  return next;
}

function link(handler: Handler, depth: number, next: Next): Next {
  handler.onLink?.(next);
  return function enter(q: Query): Answer {
    if (q.depth >= depth) throw new Error('next called twice for one query');
    q.depth = depth;
    return handler.serve(q, next);
  };
}

/** The end of every chain: nobody answered. */
function refuse(q: Query): Reply {
  return q.replyRcode(Rcode.REFUSED, Ede.NOT_AUTHORITATIVE);
}
