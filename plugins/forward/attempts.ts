// Hot path. Asks upstreams on behalf of the client until one gives a usable reply, never longer than a budget.
//
//   start -> attempt at an upstream -> its reply              -> settle
//                                   -> TC over UDP            -> the same upstream over TCP
//                                   -> client subnet rejected -> the same upstream without it, once
//                                   -> FORMERR, NOTIMP        -> the same upstream without EDNS, once
//                                   -> forged, perhaps        -> the same upstream over TCP, see doubts.ts
//                                   -> failure, failover rcode, lame, TC over TCP -> attempt at the next upstream, or SERVFAIL
//                                   -> nothing for its p95    -> another upstream besides, while the budget of hedges lasts
//                                   -> nothing for longer     -> taken for lost: another one, or the same once more
//
// A race has one time at which it is looked at, that of whatever is due next. The first usable reply settles the query; see race.ts for those that come later.
import {
  type Answer,
  type Clock,
  dropEcs,
  dropOpt,
  type Exchange,
  type ExchangeOwner,
  type ExchangePool,
  Failure,
  type Query,
  Rcode,
  type Reply,
  rejectsEcs,
  type Services,
  TIMERS,
  Transport,
} from '../../core/plugin.js';
import { isBare, isConclusive, isLame, isRefusalOfEdns, kindOf } from './answers.js';
import { Budget } from './budget.js';
import { type AttemptCounts, createCounts } from './counts.js';
import { Disagreements } from './disagreements.js';
import { Doubts } from './doubts.js';
import { DueTimes } from './due-times.js';
import type { InFlightCells } from './health-cells.js';
import { Launcher } from './launcher.js';
import { createPolicy, type PolicyName } from './policy.js';
import type { AttemptPools } from './pools.js';
import type { Race, RacePool } from './race.js';
import { errorReply, overloadReply, replyFrom } from './replies.js';
import { NONE_LEFT, PAUSE, Selection } from './selection.js';
import type { Upstream, UpstreamOptions } from './upstream.js';

/** What a query may take in all; CoreDNS's. */
const BUDGET_MS = 5000;

/** Pause between rounds over the upstreams when the number of attempts has no limit. */
const ROUND_PAUSE_MS = 100;

/** Hedges that may go out at once after a quiet time: an upstream that falls silent has few queries under way when that is noticed. */
const HEDGE_BURST = 16;

/** A reply earns one repetition, and so many are kept: an upstream that does not answer at all is not flooded, half of the messages lost are made up for. */
const REPEATS_PER_REPLY = 1;
const REPEAT_BURST = 64;

/** TC in the third octet of the header. */
const TC = 0x02;

export interface AttemptOptions {
  readonly preferUdp: boolean;
  readonly readTimeoutMs: number;
  /** Attempts per query, 0 for no limit, undefined for twice the number of upstreams. */
  readonly maxAttempts: number | undefined;
  readonly isFailFast: boolean;
  /** Bit n is rcode n: the reply is not taken, the next upstream is asked. */
  readonly failoverMask: number;
  readonly policy: PolicyName;
  /** Upstreams asked at once. */
  readonly parallel: number;
  /** Share of queries that may be sent to a second upstream, 0 for none. */
  readonly hedgeShare: number;
  readonly logsDisagreements: boolean;
  readonly upstream: UpstreamOptions;
}

/** For one set of upstreams. When they become others a new one takes the new queries, and this one ends what it began. */
export class Attempts implements ExchangeOwner {
  readonly #options: AttemptOptions;
  readonly #clock: Clock;
  readonly #dueTimes: DueTimes;
  readonly #exchanges: ExchangePool;
  readonly #races: RacePool;
  readonly #inFlight: InFlightCells;
  readonly #upstreams: readonly Upstream[];
  readonly #selection: Selection;
  readonly #launcher: Launcher;
  readonly #hedges: Budget;
  readonly #repeats = new Budget(REPEATS_PER_REPLY, REPEAT_BURST);
  readonly #disagreements: Disagreements;
  readonly #doubts: Doubts;
  readonly #counts: AttemptCounts;
  /** Races that are not over. */
  #live = 0;
  #isStopped = false;

  constructor(
    upstreams: readonly Upstream[],
    options: AttemptOptions,
    { exchanges, races, inFlight }: AttemptPools,
    services: Services,
  ) {
    const { metrics, clock } = services;
    this.#options = options;
    this.#clock = clock;
    this.#dueTimes = new DueTimes(clock, services.get(TIMERS), this.#onDue);
    this.#exchanges = exchanges;
    this.#races = races;
    this.#inFlight = inFlight;
    this.#counts = createCounts(metrics);
    this.#disagreements = new Disagreements(services, options.logsDisagreements);
    this.#upstreams = upstreams;
    this.#hedges = new Budget(upstreams.length > 1 ? options.hedgeShare : 0, HEDGE_BURST);
    this.#selection = new Selection(
      upstreams,
      createPolicy(options.policy, upstreams, options.readTimeoutMs),
      {
        maxAttempts: options.maxAttempts ?? 2 * upstreams.length,
        isFailFast: options.isFailFast,
        hasCopies: this.#hedges.isOpen,
        broken: this.#counts.broken,
      },
    );
    this.#launcher = new Launcher(this, upstreams, this.#exchanges, {
      clock,
      readTimeoutMs: options.readTimeoutMs,
      overloads: this.#counts.overloads,
    });
    this.#doubts = new Doubts(this.#launcher, upstreams, metrics);
  }

  /** Whether it waits for nothing any more: neither a query nor what became of the messages of one. */
  get isIdle(): boolean {
    return this.#live === 0;
  }

  /** Makes no further attempts: queries get an error when what they wait for comes to nothing. */
  stop(): void {
    this.#isStopped = true;
    if (this.#live === 0) this.#dueTimes.close();
  }

  /** Asks upstreams for `q`: gives its reply when none could be asked, else settles it later. */
  start(q: Query): Answer {
    const race = this.#races.take();
    if (race === undefined) {
      this.#counts.overloads.inc();
      return overloadReply(q);
    }
    this.#live++;
    race.query = q;
    race.isStream = this.#wantsStream(q);
    // A query that comes from elsewhere than a batch, a promise say, finds the time of the last one.
    this.#clock.freshen?.();
    race.deadlineMs = this.#clock.nowMs + BUDGET_MS;
    this.#hedges.earn();
    if (this.#advance(race)) {
      this.#accompany(race);
      if (this.#arm(race)) {
        this.#counts.waiting.inc();
        this.#inFlight.add(1);
        return q.defer();
      }
      this.#launcher.abandon(race);
    }
    const reply = this.#errorReply(race, q);
    this.#selection.settled(race);
    this.#give(race);
    return reply;
  }

  onAnswer(x: Exchange, wire: Uint8Array, length: number): void {
    const race = this.#races.at(x.race);
    const upstream = this.#upstreams[x.upstream] as Upstream;
    const rcode = (wire[3] as number) & 15;
    const rttMs = this.#clock.nowMs - x.sentMs;
    upstream.latency(x.isStream).answered(rttMs);
    upstream.health.answered(rcode);
    upstream.observe(rcode, rttMs);
    this.#repeats.earn();
    this.#doubts.answered(x);
    const isTruncated = ((wire[2] as number) & TC) !== 0;
    if (race.query === null) {
      this.#onLateReply(race, x, kindOf(wire, rcode));
    } else if (isTruncated && !x.isStream) {
      race.isStream = true;
      this.#resend(race, x);
    } else if (isBare(wire) && this.#doubts.confirms(race, x)) {
      return;
    } else if (rejectsEcs(x, wire, length)) {
      dropEcs(x);
      this.#resend(race, x);
    } else if (x.hasOpt && isRefusalOfEdns(wire, rcode)) {
      dropOpt(x);
      x.isPlainRetry = true;
      this.#resend(race, x);
    } else {
      if (x.isPlainRetry && !isRefusalOfEdns(wire, rcode)) upstream.health.rememberPlain();
      this.#onReply(race, x, wire, length, rcode);
    }
  }

  onFailure(x: Exchange, failure: Failure): void {
    const race = this.#races.at(x.race);
    if (this.#doubts.resends(race, x, failure)) return;
    race.remove(x);
    this.#launcher.note(race, x, failure);
    this.#exchanges.give(x);
    if (race.count > 0 || race.isBusy) return;
    if (race.query === null) this.#release(race);
    else this.#resume(race);
  }

  /** Attempts one upstream after the other until one is under way, or a pause; false when none is left. */
  #advance(race: Race): boolean {
    for (;;) {
      const nowMs = this.#clock.nowMs;
      if (race.deadlineMs <= nowMs || this.#isStopped) return false;
      const index = this.#selection.next(race);
      if (index === NONE_LEFT) return false;
      if (index === PAUSE) return true;
      if (this.#launcher.launch(race, index) !== Failure.NONE) continue;
      const latency = (this.#upstreams[index] as Upstream).latency(race.isStream);
      const isHedged = this.#hedges.isOpen && race.hedge < 0;
      race.hedgeAtMs = isHedged ? nowMs + latency.hedgeMs : Number.POSITIVE_INFINITY;
      race.retryWaitMs = latency.retryMs;
      race.retryAtMs = nowMs + race.retryWaitMs;
      return true;
    }
  }

  /** Sends copies of a new query: to those it is raced at, or to an upstream that was not asked lately. */
  #accompany(race: Race): void {
    const explored = this.#selection.explored;
    for (let i = 1; i < this.#options.parallel; i++) {
      const index = this.#selection.another(race);
      if (index === NONE_LEFT) return;
      this.#launcher.launch(race, index);
    }
    const isOpen = explored >= 0 && (race.triedMask & (1 << explored)) === 0;
    if (!isOpen || !this.#hedges.spend()) return;
    if (this.#launcher.launch(race, explored) === Failure.NONE) this.#counts.explored.inc();
  }

  /** As the client asked, unless told otherwise (CoreDNS: force_tcp wins over prefer_udp). */
  #wantsStream(q: Query): boolean {
    if (this.#options.upstream.forceTcp) return true;
    return q.transport !== Transport.UDP && !this.#options.preferUdp;
  }

  /** The same upstream again, over TCP or without EDNS; not counted as an attempt. */
  #resend(race: Race, x: Exchange): void {
    const failure = this.#launcher.send(race, x, race.isStream);
    if (failure !== Failure.NONE) this.onFailure(x, failure);
  }

  readonly #onDue = (index: number): void => {
    const race = this.#races.at(index);
    const nowMs = this.#clock.nowMs;
    this.#launcher.dropOverdue(race);
    if (race.query === null) {
      if (race.count === 0) this.#release(race);
      else if (!this.#arm(race)) this.#giveUp(race);
      return;
    }
    if (race.count === 0) {
      this.#resume(race);
      return;
    }
    if (race.hedgeAtMs <= nowMs) this.#hedge(race);
    if (race.retryAtMs <= nowMs) this.#repeat(race, nowMs);
    if (!this.#arm(race)) this.#giveUp(race);
  };

  /** Another upstream besides, because the first takes longer than it usually does. */
  #hedge(race: Race): void {
    race.hedgeAtMs = Number.POSITIVE_INFINITY;
    const index = this.#selection.another(race);
    if (index === NONE_LEFT || !this.#hedges.spend()) return;
    if (this.#launcher.launch(race, index) !== Failure.NONE) return;
    race.hedge = index;
    this.#counts.hedged.inc();
  }

  /** What is under way is taken for lost: another upstream is asked unless the order is fixed, else the same once more if over UDP. */
  #repeat(race: Race, nowMs: number): void {
    race.retryWaitMs *= 2;
    race.retryAtMs = nowMs + race.retryWaitMs;
    const isOrdered = this.#options.policy === 'sequential';
    const index = isOrdered ? NONE_LEFT : this.#selection.another(race);
    const last = race.leg(race.count - 1) as Exchange;
    const isSettled = index === NONE_LEFT && last.isStream && !last.isDoubted;
    if (isSettled || !this.#repeats.spend()) return;
    if (last.isDoubted) race.noteStreamless(last.upstream);
    const failure =
      index === NONE_LEFT ? this.#launcher.repeat(race, last) : this.#launcher.launch(race, index);
    if (failure === Failure.NONE) this.#counts.repeated.inc();
  }

  /** Sees to it that it is looked at when something is due next; false when there is no timer left. */
  #arm(race: Race): boolean {
    const nowMs = this.#clock.nowMs;
    let dueMs = Number.POSITIVE_INFINITY;
    if (race.count === 0) dueMs = Math.min(nowMs + ROUND_PAUSE_MS, race.deadlineMs);
    else if (race.query !== null) dueMs = Math.min(race.hedgeAtMs, race.retryAtMs);
    for (let i = 0; i < race.count; i++) {
      const { deadlineMs } = race.leg(i) as Exchange;
      if (deadlineMs < dueMs) dueMs = deadlineMs;
    }
    return this.#dueTimes.set(race.index, dueMs);
  }

  /** Goes on with a deferred query: another attempt, or its error. */
  #resume(race: Race): void {
    if (!this.#advance(race)) this.#settle(race, this.#errorReply(race, race.query as Query));
    else if (!this.#arm(race)) this.#giveUp(race);
  }

  #onReply(race: Race, x: Exchange, wire: Uint8Array, length: number, rcode: number): void {
    const isUnknowing = isLame(wire, rcode);
    if (isUnknowing) this.#counts.lame.inc();
    // Over UDP it was asked for again.
    const isTruncated = ((wire[2] as number) & TC) !== 0;
    const isFailedOver =
      ((this.#options.failoverMask >> rcode) & 1) !== 0 || isUnknowing || isTruncated;
    race.remove(x);
    if (isFailedOver || !isConclusive(rcode)) {
      const isAnotherUnderWay = race.count > 0;
      if (isAnotherUnderWay || (isFailedOver && this.#selection.hasAnother(race))) {
        // NOERROR was no answer: without a better one it is an error.
        if (rcode !== Rcode.NOERROR) race.rcode = rcode;
        this.#exchanges.give(x);
        if (!isAnotherUnderWay) this.#resume(race);
        return;
      }
    }
    const reply = replyFrom(race.query as Query, x, wire, length, rcode);
    if (reply === undefined) {
      this.onFailure(x, Failure.ANSWER);
      return;
    }
    race.winner = x.upstream;
    race.kind = kindOf(wire, rcode);
    if (race.hedge === x.upstream) this.#counts.hedgeWins.inc();
    this.#exchanges.give(x);
    this.#settle(race, reply);
  }

  /** The query was settled without this one: only what it says is of interest. */
  #onLateReply(race: Race, x: Exchange, kind: number): void {
    race.remove(x);
    if (race.winner >= 0 && race.winner !== x.upstream) {
      const winner = this.#upstreams[race.winner] as Upstream;
      const loser = this.#upstreams[x.upstream] as Upstream;
      this.#disagreements.compare(x, race.kind, winner.text, kind, loser.text);
    }
    this.#exchanges.give(x);
    if (race.count === 0 && !race.isBusy) this.#release(race);
  }

  /** Gives everything back that is no longer needed first: settling may bring in the next query. */
  #settle(race: Race, reply: Reply): void {
    const q = race.query as Query;
    race.query = null;
    this.#selection.settled(race);
    if (race.count === 0) this.#release(race);
    this.#counts.waiting.inc(-1);
    this.#inFlight.add(-1);
    q.settle(reply);
  }

  /** Without a timer nothing can be waited for. */
  #giveUp(race: Race): void {
    this.#launcher.abandon(race);
    const q = race.query;
    if (q === null) this.#release(race);
    else this.#settle(race, this.#errorReply(race, q));
  }

  #release(race: Race): void {
    this.#dueTimes.clear(race.index);
    this.#give(race);
  }

  #give(race: Race): void {
    this.#races.give(race);
    if (--this.#live === 0 && this.#isStopped) this.#dueTimes.close();
  }

  #errorReply(race: Race, q: Query): Reply {
    return errorReply(race, q, this.#upstreams[race.lastUpstream]);
  }
}
