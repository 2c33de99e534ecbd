// Queries that the cache asks by itself: to refresh an entry while clients are served from it, or on behalf of a client that waits only so long.
import {
  type Answer,
  type Next,
  Pending,
  Query,
  Reply,
  type ReplySink,
  type Services,
  TIMERS,
  Transport,
} from '../../core/plugin.js';

/** In flight at once, some 6 kB each. Past it nothing is refreshed, clients get what there is. */
const MAX_REFRESHES = 256;

/** Longer than *forward* takes at most: a refresh this old is lost, a plugin never answered. */
const LOST_MS = 15_000;

/** Room for a reply that a plugin makes itself. */
const OUT_BYTES = 4096;

/** AD, the bit of the fourth header octet that asks for AD in the reply (RFC 6840 5.7). */
const AD = 0x20;

export interface RefreshOwner {
  /** The reply to a refresh that no client waits for, null when a plugin failed. Both are borrowed. */
  onRefreshed(q: Query, reply: Reply | null): void;
  /** A client has waited for so long as it is to: settles `q` with what there is. False when there is nothing any more, and it waits on. */
  onTimeout(q: Query): boolean;
  /** The client no longer waits for this refresh; its reply will come to `onRefreshed`. */
  onLate(q: Query): void;
}

/** One query of ours, and the client's that waits for it. */
class Refresh implements ReplySink {
  readonly slot: number;
  readonly query: Query;
  startedMs = 0;
  waiter: Query | null = null;
  timer = 0;
  readonly #refresher: Refresher;

  constructor(refresher: Refresher, slot: number) {
    this.#refresher = refresher;
    this.slot = slot;
    this.query = new Query(this);
    this.query.out = new Uint8Array(OUT_BYTES);
  }

  deliver(_q: Query, reply: Reply): void {
    this.#refresher.finish(this, reply);
  }

  fault(_q: Query, error: unknown): void {
    this.#refresher.fail(this, error);
  }
}

export class Refresher {
  readonly #owner: RefreshOwner;
  readonly #services: Services;
  /** By slot; those in `#free` are not in flight. */
  readonly #all: Refresh[] = [];
  readonly #free: Refresh[] = [];

  constructor(owner: RefreshOwner, services: Services) {
    this.#owner = owner;
    this.#services = services;
  }

  /** Asks `next` the question of `q`; the owner is told of the reply. False when too many are in flight. */
  start(q: Query, next: Next): boolean {
    const refresh = this.#take(q);
    if (refresh === undefined) return false;
    try {
      const answer = this.#ask(refresh, next);
      if (answer instanceof Reply) this.finish(refresh, answer);
    } catch (error) {
      // The client that happened to come by has its reply already.
      this.fail(refresh, error);
    }
    return true;
  }

  /** The same for a client that waits `timeoutMs`, then `onTimeout` settles it. Undefined when too many are in flight. */
  wait(q: Query, next: Next, timeoutMs: number): Answer | undefined {
    const refresh = this.#take(q);
    if (refresh === undefined) return undefined;
    let answer: Answer;
    try {
      answer = this.#ask(refresh, next);
    } catch (error) {
      this.#free.push(refresh);
      throw error;
    }
    if (answer instanceof Reply) {
      this.#free.push(refresh);
      return answer.handTo(q);
    }
    refresh.waiter = q;
    refresh.timer = this.#services.get(TIMERS).start(timeoutMs, this.#onTimeout, refresh.slot);
    return q.defer();
  }

  /** A refresh has its reply. */
  finish(refresh: Refresh, reply: Reply): void {
    if (this.#isLost(refresh)) return;
    const waiter = this.#dismiss(refresh);
    if (waiter === null) this.#owner.onRefreshed(refresh.query, reply);
    else waiter.settle(reply.handTo(waiter));
    this.#free.push(refresh);
  }

  /** A plugin failed. */
  fail(refresh: Refresh, error: unknown): void {
    if (this.#isLost(refresh)) return;
    const waiter = this.#dismiss(refresh);
    if (waiter === null) {
      // The server reports faults of its own queries only.
      const text = error instanceof Error ? error.message : String(error);
      this.#services.log.error(`fault in a refresh: ${text}`);
      this.#owner.onRefreshed(refresh.query, null);
    } else {
      waiter.fail(error);
    }
    this.#free.push(refresh);
  }

  readonly #onTimeout = (slot: number): void => {
    const refresh = this.#all[slot] as Refresh;
    const { waiter } = refresh;
    if (waiter === null || !this.#owner.onTimeout(waiter)) return;
    refresh.waiter = null;
    this.#owner.onLate(refresh.query);
  };

  #ask(refresh: Refresh, next: Next): Answer {
    const answer = next(refresh.query);
    if (!(answer instanceof Reply) && !(answer instanceof Pending)) {
      answer.then(
        (reply) => this.finish(refresh, reply),
        (error: unknown) => this.fail(refresh, error),
      );
    }
    return answer;
  }

  #take(q: Query): Refresh | undefined {
    const refresh = this.#free.pop() ?? this.#make();
    if (refresh === undefined) return undefined;
    refresh.startedMs = this.#services.clock.nowMs;
    copyQuestion(q, refresh.query, refresh.startedMs);
    return refresh;
  }

  /** Another one, or in place of one that is lost. */
  #make(): Refresh | undefined {
    const lostBefore = this.#services.clock.nowMs - LOST_MS;
    const slot =
      this.#all.length < MAX_REFRESHES
        ? this.#all.length
        : this.#all.findIndex((r) => r.startedMs < lostBefore && r.waiter === null);
    if (slot === -1) return undefined;
    const refresh = new Refresh(this, slot);
    this.#all[slot] = refresh;
    return refresh;
  }

  #isLost(refresh: Refresh): boolean {
    return this.#all[refresh.slot] !== refresh;
  }

  /** Who waits for a refresh, null for nobody; nobody does afterwards. */
  #dismiss(refresh: Refresh): Query | null {
    const { waiter } = refresh;
    if (waiter === null) return null;
    this.#services.get(TIMERS).cancel(refresh.timer);
    refresh.waiter = null;
    return waiter;
  }
}

/** Makes `to` ask what `from` does, with a message of its own. */
function copyQuestion(from: Query, to: Query, nowMs: number): void {
  to.reset();
  to.wire = from.wire;
  to.length = from.length;
  to.peer = from.peer;
  to.local = from.local;
  to.retain();
  to.wire[3] = (to.wire[3] as number) | AD;
  to.qnameEnd = from.qnameEnd;
  to.qtype = from.qtype;
  to.qclass = from.qclass;
  to.labels = from.labels;
  for (let i = 0; i < from.folded32.length; i++) to.folded32[i] = from.folded32[i] as number;
  to.optOffset = from.optOffset;
  to.udpSize = from.udpSize;
  to.dnssecOk = from.dnssecOk;
  to.copyEcs(from);
  to.transport = Transport.UDP;
  to.server = from.server;
  to.zone = from.zone;
  to.receivedMs = nowMs;
  to.chain = from.chain;
  to.depth = from.depth;
}
