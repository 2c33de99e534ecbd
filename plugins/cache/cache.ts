// Hot path. Answers from memory what was asked before, and keeps what the rest of the chain answers.
import {
  type Answer,
  type Clock,
  EcsFamily,
  type Handler,
  type Next,
  type Query,
  Rcode,
  type Reply,
  type Services,
  whenDone,
  ZoneSet,
} from '../../core/plugin.js';
import { Outage } from '../negative/outage.js';
import { Use } from '../prefetch/name-table.js';
import { freshReply, staleReply } from './answer.js';
import { classify, Kind } from './classify.js';
import { type CacheCounts, countHit, countsOf, type ServerCounts } from './counts.js';
import { Finder } from './finder.js';
import { Keeper } from './keeper.js';
import { CacheKey } from './key.js';
import { MissGate } from './miss-gate.js';
import { Networks } from './networks.js';
import type { CacheMemory, CacheOptions } from './options.js';
import { Prefetcher, type PrefetchHost, useOf } from './prefetcher.js';
import { Refresher, type RefreshOwner } from './refresher.js';
import { Region } from './region.js';
import { StalePause } from './stale-pause.js';
import { TICKS_PER_SECOND, tickOf, ticksOfMs } from './ticks.js';
import { WholeNames } from './whole-names.js';

/** Times an answer is begun again because its entry was changed while it was copied; then the query is a miss. */
const ATTEMPTS = 4;

/** A refresh is taken for lost after this time: somewhat longer than *forward* takes at most. */
const REFRESH_LIMIT_MS = 10_000;

export class CacheHandler implements Handler, RefreshOwner, PrefetchHost {
  readonly #options: CacheOptions;
  readonly #clock: Clock;
  readonly #wallMs: () => number;
  readonly #zones: ZoneSet;
  readonly #key: CacheKey;
  readonly #success: Region;
  readonly #denial: Region;
  /** Also for refreshes on a timer. */
  readonly finder: Finder;
  readonly #counts: CacheCounts;
  readonly #names: WholeNames;
  readonly #gate: MissGate;
  readonly #outage: Outage;
  readonly #keeper: Keeper;
  readonly #refresher: Refresher;
  readonly #prefetcher: Prefetcher | undefined;
  readonly #refreshTicks = ticksOfMs(REFRESH_LIMIT_MS);
  readonly #pause: StalePause;
  readonly #maxPauseTicks: number;
  /** The query that is being settled with what there is, although upstream has not answered. */
  #settled: Query | undefined;

  /** `wallMs` is the time of day, for signatures. */
  constructor(
    options: CacheOptions,
    memory: CacheMemory,
    services: Services,
    wallMs: () => number = Date.now,
  ) {
    const { block, clock, worker } = services;
    const { stale, prefetch } = options;
    const staleTicks = ticksOfMs(stale?.maxMs ?? 0);
    this.#options = options;
    this.#clock = clock;
    this.#wallMs = wallMs;
    this.#zones = new ZoneSet(options.zones, block.zones);
    this.#key = new CacheKey(memory.seed, block.fingerprint);
    this.#success = new Region(memory.memory, memory.success, worker + 1, staleTicks);
    this.#denial = new Region(memory.memory, memory.denial, worker + 1, staleTicks);
    this.#counts = countsOf(services, options.zones);
    this.#names = new WholeNames(this.#success, this.#denial, this.#key, options.cut, block);
    this.#outage = new Outage(memory.outageCells);
    this.#gate = new MissGate(options, memory, this.#names, this.#success, this.#counts, services);
    const networks = new Networks(this.#success, this.#denial, this.#key, memory, options.networks);
    this.finder = new Finder(this.#success, this.#denial, this.#key, this.#names, networks, stale);
    this.#keeper = new Keeper(
      this.#success,
      this.#denial,
      options,
      this.#key,
      this.#names,
      networks,
      this.#counts,
    );
    this.#refresher = new Refresher(this, services);
    if (options.popular !== undefined && memory.prefetch !== undefined) {
      this.#prefetcher = new Prefetcher(
        this,
        options.popular,
        memory.prefetch,
        this.#key.another(),
        options.zones,
        this.#refreshTicks,
        services,
        wallMs,
      );
    }
    this.#pause = new StalePause(stale);
    this.#maxPauseTicks = ticksOfMs(prefetch?.maxPauseMs ?? 0);
  }

  onLink(next: Next): void {
    this.#prefetcher?.link(next);
  }

  onStart(): void {
    this.#prefetcher?.start();
  }

  onStop(): void {
    this.#prefetcher?.stop();
  }

  serve(q: Query, next: Next): Answer {
    if (q.opcode !== 0 || !this.#zones.covers(q)) return next(q);
    const counts = this.#counts.servers[q.server] as ServerCounts;
    counts.requests.inc();
    const now = tickOf(this.#clock.nowMs);
    this.finder.begin(q);
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const region = this.finder.seek(q, now);
      if (region === null || (region === this.#denial && this.#isBygone(region, now))) break;
      if (this.finder.isStale) {
        const answer = this.#serveStale(q, next, region, now);
        if (answer !== null) return answer;
        continue;
      }
      const reply = freshReply(region, q, this.#options.keepTtl);
      if (reply === null) continue;
      countHit(region === this.#success ? counts.success : counts.denial, region);
      if (this.#options.prefetch === undefined) region.reader.touch();
      else this.#countUse(region, q, next, now);
      return reply;
    }
    return this.#gate.answer(q, this.#key, now) ?? whenDone(next(q), this.#onReply);
  }

  /** A refresh in the background has its reply; nobody waits for it. */
  onRefreshed(q: Query, reply: Reply | null): void {
    const now = tickOf(this.#clock.nowMs);
    const prefetcher = this.#prefetcher;
    prefetcher?.note(reply, q, true, now);
    const kind = reply === null ? Kind.UNUSABLE : this.#kindOf(reply, q);
    if (reply !== null && isRefreshed(kind)) {
      const use = prefetcher === undefined ? Use.UNKNOWN : useOf(this.finder.find(q, now), now);
      this.finder.begin(q);
      this.#keep(reply, q, kind, use, now);
      if (kind !== Kind.PASSING) return;
    }
    const region = this.finder.find(q, now);
    const until = (now + this.#pause.inBackground(region)) | 0;
    region?.reader.postpone(until);
    this.finder.begin(q);
    prefetcher?.failed(q, this.#key, until);
  }

  /** Asks `q` in the background. */
  ask(q: Query, next: Next): boolean {
    if (!this.#refresher.start(q, next)) return false;
    (this.#counts.servers[q.server] as ServerCounts).prefetches.inc();
    return true;
  }

  /** A client waits no longer for a refresh. What there is need not be stale any more; it may be gone, then the client waits on. */
  onTimeout(q: Query): boolean {
    const now = tickOf(this.#clock.nowMs);
    this.finder.begin(q);
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const region = this.finder.seek(q, now);
      if (region === null) return false;
      const reply = this.#replyFound(q, region);
      if (reply === null) continue;
      this.#settled = q;
      q.settle(reply);
      this.#settled = undefined;
      return true;
    }
    return false;
  }

  /** Nobody waits any more for a refresh that is still under way: others are not to begin another. */
  onLate(q: Query): void {
    const now = tickOf(this.#clock.nowMs);
    this.finder.begin(q);
    const region = this.finder.seek(q, now);
    if (region !== null && this.finder.isStale) {
      region.reader.postpone((now + this.#refreshTicks) | 0);
    }
  }

  /** Counts a use of the entry found, and refreshes it when it is popular and near its end. */
  #countUse(region: Region, q: Query, next: Next, now: number): void {
    const { amount, percent } = this.#options.prefetch as { amount: number; percent: number };
    const uses = region.reader.countUse(now, this.#maxPauseTicks, amount);
    const seconds = region.lifetime / TICKS_PER_SECOND;
    const left = seconds - region.ageSeconds;
    if (uses < amount || left > Math.ceil((seconds * percent) / 100)) return;
    this.#refresh(region, q, next, now, this.#prefetcher);
  }

  /** Refreshes the entry found behind the client's back, unless somebody does or did so in vain a moment ago, or `prefetcher` is against it. */
  #refresh(region: Region, q: Query, next: Next, now: number, prefetcher?: Prefetcher): void {
    const { reader } = region;
    if (!reader.claim(now, (now + this.#refreshTicks) | 0)) return;
    if (prefetcher?.admits(region, now) === false) {
      reader.postpone((now + TICKS_PER_SECOND) | 0);
      return;
    }
    const isBegun = this.ask(q, next);
    prefetcher?.begun(region, isBegun);
    if (isBegun) return;
    this.#counts.overRefreshes.inc();
    reader.postpone(now);
  }

  /** Answers with the stale entry found, or first asks upstream; null when the entry was changed meanwhile. */
  #serveStale(q: Query, next: Next, region: Region, now: number): Answer | null {
    const { verifies, timeoutMs } = this.#options.stale as { verifies: boolean; timeoutMs: number };
    if (verifies && !this.finder.isSettled && !region.reader.isPostponed(now)) {
      if (timeoutMs === 0) return whenDone(next(q), this.#onVerified);
      const answer = this.#refresher.wait(q, next, timeoutMs);
      if (answer !== undefined) return whenDone(answer, this.#onVerified);
      this.#counts.overRefreshes.inc();
    }
    const isSettled = this.finder.isSettled;
    const reply = this.#staleReply(q, region);
    if (reply !== null && !verifies && !isSettled) this.#refresh(region, q, next, now);
    return reply;
  }

  /** The reply from the entry found, fresh or stale; null when it was changed meanwhile. */
  #replyFound(q: Query, region: Region): Reply | null {
    if (this.finder.isStale) return this.#staleReply(q, region);
    const reply = freshReply(region, q, this.#options.keepTtl);
    if (reply === null) return null;
    const counts = this.#counts.servers[q.server] as ServerCounts;
    countHit(region === this.#success ? counts.success : counts.denial, region);
    region.reader.touch();
    return reply;
  }

  #staleReply(q: Query, region: Region): Reply | null {
    const { ttl } = this.#options.stale as { ttl: number };
    const reply = staleReply(region, q, ttl);
    if (reply === null) return null;
    const counts = this.#counts.servers[q.server] as ServerCounts;
    countHit(region === this.#success ? counts.success : counts.denial, region);
    counts.servedStale.inc();
    region.reader.touch();
    return reply;
  }

  /** The reply of the rest of the chain to a miss. */
  readonly #onReply = (reply: Reply, q: Query): Answer => {
    this.finder.begin(q);
    const now = tickOf(this.#clock.nowMs);
    this.#prefetcher?.note(reply, q, false, now);
    const kind = this.#kindOf(reply, q);
    this.#gate.settled(reply, q, kind);
    return this.#keep(reply, q, kind, Use.MISSED, now);
  };

  /** The reply of the rest of the chain to a query for which there is a stale entry. */
  readonly #onVerified = (reply: Reply, q: Query): Answer => {
    if (this.#settled === q) return reply;
    const now = tickOf(this.#clock.nowMs);
    this.#prefetcher?.note(reply, q, false, now);
    const kind = this.#kindOf(reply, q);
    this.finder.begin(q);
    let isLost = false;
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const region = this.finder.seek(q, now);
      if (region === null || (!isLost && this.#isReplaced(region, kind))) break;
      // For a network it would be kept elsewhere, and the entry found be lost from sight.
      if (!isLost && isRefreshed(kind) && q.ecsFamily === EcsFamily.NONE) {
        this.#keep(reply, q, kind, Use.MISSED, now);
        // The keeper looks at other entries, and the region has found the last of them.
        this.finder.begin(q);
        if (this.finder.seek(q, now) !== region) break;
      }
      if (this.finder.isStale) region.reader.postpone((now + this.#pause.forClient(region)) | 0);
      const found = this.#replyFound(q, region);
      if (found !== null) return found;
      // The entry was changed meanwhile, and the copy may have gone over the reply.
      isLost ||= reply.wire === q.out;
    }
    if (isLost) return q.replyRcode(Rcode.SERVFAIL);
    (this.#counts.servers[q.server] as ServerCounts).misses.inc();
    return this.#keep(reply, q, kind, Use.MISSED, now);
  };

  /** Keeps a reply to `q`, which the key is of. */
  #keep(reply: Reply, q: Query, kind: Kind, use: Use, now: number): Reply {
    const prefetcher = this.#prefetcher;
    if (prefetcher === undefined) return this.#keeper.keep(reply, q, kind, now);
    const kept = this.#keeper.keep(reply, q, kind, now, prefetcher.originOf(q));
    prefetcher.learn(q, this.#key, kind, this.#keeper.lifetime, use, now);
    return kept;
  }

  /** Whether a reply of this kind is given instead of the entry found, which another worker may have refreshed meanwhile. */
  #isReplaced(region: Region, kind: Kind): boolean {
    if (!this.finder.isStale) return isRefreshed(kind) || region.kind === Kind.FAILURE;
    if (!isRefreshed(kind)) return false;
    const keepsAnswer =
      this.#options.stale?.prefersPositive === true &&
      region === this.#success &&
      region.kind === Kind.ANSWER;
    return !keepsAnswer || kind === Kind.ANSWER;
  }

  /** Whether the entry found is a failure of an outage that is over; it is dropped then. */
  #isBygone(region: Region, now: number): boolean {
    if (region.kind !== Kind.FAILURE) return false;
    if (!this.#outage.hasEndedSince((now - region.age) | 0)) return false;
    region.writer.remove(this.#key);
    return true;
  }

  #kindOf(reply: Reply, q: Query): Kind {
    this.#outage.note(reply, tickOf(this.#clock.nowMs));
    // Only signatures need the time of day.
    const wallSeconds = q.dnssecOk ? Math.floor(this.#wallMs() / 1000) : 0;
    const kind = classify(reply, q, wallSeconds);
    if (kind !== Kind.MISMATCH) return kind;
    (this.#counts.servers[q.server] as ServerCounts).drops.inc();
    return Kind.UNUSABLE;
  }
}

/** Whether a reply tells what is there now (RFC 8767 section 4: NOERROR and NXDOMAIN, whole and for the question). */
function isRefreshed(kind: Kind): boolean {
  return kind >= Kind.PASSING && kind <= Kind.DENIAL;
}
