// Refreshes of popular names: which may begin, and, once a second, those that are due whether anybody asks or not. What is popular is learnt here, from what is
// stored; plugins/prefetch has the memory for it, the budget, and the times of day.
import {
  EcsFamily,
  type Next,
  type Query,
  Rcode,
  type Reply,
  type Services,
  TIMERS,
  type Timers,
} from '../../core/plugin.js';
import { Budget } from '../prefetch/budget.js';
import { type PrefetchCounts, prefetchCounts } from '../prefetch/counts.js';
import { Due } from '../prefetch/due.js';
import { NameTable, Outcome, Use } from '../prefetch/name-table.js';
import type { PopularOptions } from '../prefetch/options.js';
import { MAX_IN_VAIN, periodOf } from '../prefetch/popularity.js';
import { Round } from '../prefetch/round.js';
import { Kind } from './classify.js';
import { originOf, Reach, reachOf } from './entry.js';
import type { Finder } from './finder.js';
import type { CacheKey } from './key.js';
import type { CacheMemory } from './options.js';
import { OwnQuestion } from './own-question.js';
import type { Region } from './region.js';
import { TICKS_PER_SECOND, tickOf, ticksOfSeconds } from './ticks.js';

/** Looks this often for what is due. */
const PERIOD_MS = 1000;

/** What could not be begun is looked at again after this time. */
const AGAIN = ticksOfSeconds(1);

/** What the prefetcher needs of the cache. */
export interface PrefetchHost {
  /** What there is for a query. */
  readonly finder: Finder;
  /** Asks in the background; false when too many such queries are in flight. Its reply may come to `learn` before this returns. */
  ask(q: Query, next: Next): boolean;
}

export class Prefetcher {
  readonly #host: PrefetchHost;
  readonly #services: Services;
  readonly #wallMs: () => number;
  readonly #budget: Budget;
  readonly #counts: PrefetchCounts;
  readonly #round: Round;
  readonly #key: CacheKey;
  readonly #question: OwnQuestion;
  readonly #refreshTicks: number;
  /** Undefined when nothing is learnt. */
  readonly #names: NameTable | undefined;
  readonly #due: Due | undefined;
  #period: number;
  #next: Next | undefined;
  #timer = 0;

  /** `key` is for the prefetcher alone; `refreshTicks` is how long a refresh may take. */
  constructor(
    host: PrefetchHost,
    { share, budget }: PopularOptions,
    memory: NonNullable<CacheMemory['prefetch']>,
    key: CacheKey,
    zones: readonly string[],
    refreshTicks: number,
    services: Services,
    wallMs: () => number,
  ) {
    const { metrics, block, worker, workers } = services;
    this.#host = host;
    this.#services = services;
    this.#wallMs = wallMs;
    this.#budget = new Budget(memory.budget, budget, TICKS_PER_SECOND);
    this.#counts = prefetchCounts(metrics, { zones: zones.join(','), view: block.view });
    this.#round = new Round(memory.round, worker, workers);
    this.#key = key;
    this.#question = new OwnQuestion(zones, services);
    this.#refreshTicks = refreshTicks;
    this.#period = periodOf(wallMs());
    if (share !== undefined) {
      this.#names = new NameTable(memory.names, worker + 1, TICKS_PER_SECOND);
      this.#due = new Due(this.#names, share);
    }
  }

  /** The rest of the chain, for queries of our own. */
  link(next: Next): void {
    this.#next = next;
  }

  start(): void {
    if (this.#names !== undefined) this.#arm();
  }

  stop(): void {
    this.#timers.cancel(this.#timer);
  }

  /** The number of the upstreams that `q` was sent to. */
  originOf(q: Query): number {
    return this.#budget.originOf(q.origin);
  }

  /** Takes notice of what came of asking upstream; null for a fault. */
  note(reply: Reply | null, q: Query, isRefresh: boolean, now: number): void {
    if (q.origin === 0) return;
    const isGood = reply !== null && reply.error === undefined && reply.rcode !== Rcode.SERVFAIL;
    this.#budget.note(this.originOf(q), isGood, isRefresh, now);
  }

  /** Learns that a reply to `q`, under its key, was stored to be kept for `lifetime` ticks. */
  learn(q: Query, key: CacheKey, kind: Kind, lifetime: number, use: Use, now: number): void {
    const names = this.#names;
    if (names === undefined || lifetime === 0 || q.ecsFamily !== EcsFamily.NONE) return;
    if (kind !== Kind.ANSWER && kind !== Kind.DENIAL) return;
    const outcome = names.learn(key, now, lifetime, use, this.originOf(q), this.#period);
    if (names.bucket.evicted > 0) this.#counts.evicted.inc(names.bucket.evicted);
    this.#count(outcome);
  }

  /** A refresh failed: the name is not tried before this tick. */
  failed(q: Query, key: CacheKey, until: number): void {
    if (q.ecsFamily === EcsFamily.NONE) this.#names?.fail(key, until, this.#period);
  }

  /** Whether the entry that `region` found may be refreshed because of a hit. */
  admits(region: Region, now: number): boolean {
    const origin = originOf(region.head0);
    const { nowMs } = this.#services.clock;
    if (this.#budget.isSpared(origin, now)) {
      this.#counts.spared.inc();
      return false;
    }
    this.#budget.want(origin, nowMs);
    return this.#begin(origin, now, nowMs);
  }

  /** A refresh on a hit that was admitted was begun, or not, because too many are in flight. */
  begun(region: Region, isBegun: boolean): void {
    if (isBegun) {
      this.#counts.onHit.inc();
    } else {
      this.#counts.overLimit.inc();
      this.#budget.giveBack(originOf(region.head0));
    }
  }

  /** Refreshes what is due. The timer calls it. */
  readonly #onTimer = (): void => {
    const { nowMs } = this.#services.clock;
    this.#arm();
    this.#period = periodOf(this.#wallMs());
    if (this.#next === undefined || !this.#round.take(nowMs)) return;
    const due = this.#due as Due;
    const now = tickOf(nowMs);
    due.find(now, this.#period, this.#round.begins(this.#period));
    for (let i = 0; i < due.count && due.isPopular(i); i++) {
      if (!this.#budget.isSpared(due.origin(i), now)) this.#budget.want(due.origin(i), nowMs);
    }
    for (let i = 0; i < due.count; i++) {
      if (due.read(i, this.#period)) this.#look(due.isPopular(i), now, nowMs);
    }
  };

  /** Looks at the name just read: it is refreshed, or later, or not. */
  #look(isPopular: boolean, now: number, nowMs: number): void {
    const names = this.#names as NameTable;
    const { a, b, lead, popularity } = names;
    const { origin, inVain, isByTimer } = popularity;
    const key = this.#key;
    key.restore(a, b, names.name, b >>> 8);
    if (!this.#question.set(a, b, names.name, nowMs)) {
      names.rest(key, Use.UNKNOWN, this.#period);
      return;
    }
    const region = this.#host.finder.find(this.#question.query, now);
    if (region !== null && region.age < region.lifetime) {
      // What networks share was asked for with one, and only that can be done again.
      const isOurs = reachOf(region.head0) === Reach.NO_NETWORK && region.kind !== Kind.FAILURE;
      const end = (now - region.age + region.lifetime) | 0;
      if (isOurs && ((end - lead - now) | 0) > 0) {
        names.lookAgain(key, (end - lead) | 0, false, this.#period);
        return;
      }
      if (!isOurs) {
        names.rest(key, Use.UNKNOWN, this.#period);
        return;
      }
    }
    const use = useOf(region, now);
    const isVain = use === Use.UNUSED && isByTimer && inVain + 1 >= MAX_IN_VAIN;
    if (isPopular && !isVain) this.#refresh(region, origin, now, nowMs);
    else this.#count(names.rest(key, use, this.#period));
  }

  /** Refreshes the name just looked at. What is not begun is due still, a second later. */
  #refresh(region: Region | null, origin: number, now: number, nowMs: number): void {
    if (this.#budget.isSpared(origin, now)) {
      this.#counts.spared.inc();
      return;
    }
    const until = (now + this.#refreshTicks) | 0;
    if (region !== null && !region.reader.claim(now, until)) {
      this.#again(now);
      return;
    }
    if (!this.#begin(origin, now, nowMs)) {
      region?.reader.postpone(now);
      return;
    }
    // Before it is asked: the reply may be there at once.
    (this.#names as NameTable).lookAgain(this.#key, until, true, this.#period);
    if (this.#host.ask(this.#question.query, this.#next as Next)) {
      this.#counts.onTimer.inc();
      return;
    }
    this.#counts.overLimit.inc();
    this.#budget.giveBack(origin);
    region?.reader.postpone(now);
    this.#again(now);
  }

  #again(now: number): void {
    (this.#names as NameTable).lookAgain(this.#key, (now + AGAIN) | 0, false, this.#period);
  }

  #begin(origin: number, now: number, nowMs: number): boolean {
    if (!this.#budget.begin(origin, nowMs)) {
      this.#counts.overBudget.inc();
      return false;
    }
    if (this.#budget.mayTry(origin, now)) return true;
    this.#budget.giveBack(origin);
    this.#counts.spared.inc();
    return false;
  }

  #count(outcome: Outcome): void {
    if (outcome === Outcome.USED) this.#counts.used.inc();
    else if (outcome === Outcome.UNUSED) this.#counts.unused.inc();
  }

  /** At the beginning of the next second, so that all workers come at the same time and one of them goes. */
  #arm(): void {
    const delayMs = PERIOD_MS - (this.#services.clock.nowMs % PERIOD_MS);
    this.#timer = this.#timers.start(delayMs, this.#onTimer, 0);
  }

  get #timers(): Timers {
    return this.#services.get(TIMERS);
  }
}

/** What is known of the time for which the entry that `region` found was kept. */
export function useOf(region: Region | null, now: number): Use {
  if (region === null) return Use.UNKNOWN;
  const stored = (now - region.age) | 0;
  return ((region.reader.seen - stored) | 0) > 0 ? Use.USED : Use.UNUSED;
}
