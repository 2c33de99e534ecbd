// Hot path. Asks upstreams on behalf of the client: one after the other until one replies, never longer than a budget.
//
//   start -> attempt at an upstream -> its reply        -> settle
//                                   -> TC over UDP      -> the same upstream over TCP
//                                   -> client subnet    -> the same upstream without it, once
//                                      rejected
//                                   -> FORMERR, NOTIMP  -> the same upstream without EDNS, once
//                                   -> failure, failover rcode -> attempt at the next upstream, or SERVFAIL
import {
  type Answer,
  type Clock,
  type Counter,
  createReceiveBatch,
  DnsError,
  dropEcs,
  dropOpt,
  type Exchange,
  type ExchangeOwner,
  ExchangePool,
  Failure,
  type Gauge,
  type Query,
  Rcode,
  type Reply,
  rejectsEcs,
  type Services,
  SOCKETS,
  TIMERS,
  type Timers,
  Transport,
  writeQuery,
} from '../../core/plugin.js';
import type { InFlightCells } from './health-cells.js';
import { createPolicy, type PolicyName } from './policy.js';
import { NONE_LEFT, PAUSE, Selection } from './selection.js';
import type { AddressTarget } from './targets.js';
import { Upstream, type UpstreamOptions } from './upstream.js';

/** What a query may take in all; CoreDNS's. */
const BUDGET_MS = 5000;

/** Pause between rounds over the upstreams when the number of attempts has no limit. */
const ROUND_PAUSE_MS = 100;

/** TC in the third octet of the header, RA in the fourth. */
const TC = 0x02;
const RA = 0x80;

const NO_UPSTREAM = new DnsError('ERR_NO_UPSTREAM');
const OVERLOAD = new DnsError('ERR_OVERLOAD');

export interface AttemptOptions {
  readonly preferUdp: boolean;
  readonly readTimeoutMs: number;
  /** Attempts per query, 0 for no limit, undefined for twice the number of upstreams. */
  readonly maxAttempts: number | undefined;
  readonly isFailFast: boolean;
  /** Bit n is rcode n: the reply is not taken, the next upstream is asked. */
  readonly failoverMask: number;
  readonly policy: PolicyName;
  readonly upstream: UpstreamOptions;
}

export class Attempts implements ExchangeOwner {
  readonly #options: AttemptOptions;
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #exchanges = new ExchangePool();
  readonly #inFlight: InFlightCells;
  readonly #waiting: Gauge;
  readonly #overloads: Counter;
  readonly #upstreams: readonly Upstream[];
  readonly #selection: Selection;
  #isStopped = false;

  constructor(
    targets: readonly AddressTarget[],
    options: AttemptOptions,
    inFlight: InFlightCells,
    services: Services,
  ) {
    const { metrics } = services;
    this.#options = options;
    this.#clock = services.clock;
    this.#timers = services.get(TIMERS);
    this.#inFlight = inFlight;
    this.#waiting = metrics.gauge('in_flight', 'Queries that wait for an upstream.');
    this.#overloads = metrics.counter(
      'overload_total',
      'Attempts given up for want of a message id, socket or slot of this server.',
    );
    const broken = metrics.counter(
      'healthcheck_broken_total',
      'Queries that found every upstream down.',
    );
    this.#upstreams = createUpstreams(targets, options.upstream, services, this.#exchanges);
    this.#selection = new Selection(
      this.#upstreams,
      createPolicy(options.policy, this.#upstreams, options.readTimeoutMs),
      options.maxAttempts ?? 2 * targets.length,
      options.isFailFast,
      broken,
    );
  }

  /** Goes on with the probes of the worker that this one replaces. */
  resumeProbes(): void {
    for (const upstream of this.#upstreams) upstream.health.start();
  }

  /** Closes everything; queries that still wait get an error. */
  close(): void {
    this.#isStopped = true;
    for (const upstream of this.#upstreams) upstream.close();
  }

  /** Asks upstreams for `q`: gives its reply when none could be asked, else settles it later. */
  start(q: Query): Answer {
    const x = this.#exchanges.take();
    if (x === undefined) {
      this.#overloads.inc();
      return withRecursion(q.replyError(OVERLOAD));
    }
    x.owner = this;
    x.query = q;
    x.deadlineMs = this.#clock.nowMs + BUDGET_MS;
    if (!this.#advance(x)) {
      const reply = this.#errorReply(x, q);
      this.#exchanges.give(x);
      return reply;
    }
    this.#waiting.inc();
    this.#inFlight.add(1);
    return q.defer();
  }

  onAnswer(x: Exchange, wire: Uint8Array, length: number): void {
    const upstream = this.#upstreams[x.upstream] as Upstream;
    const rcode = (wire[3] as number) & 15;
    this.#timers.cancel(x.timer);
    x.timer = 0;
    upstream.health.answered();
    const rttMs = this.#clock.nowMs - x.sentMs;
    upstream.latency(x.isStream).answered(rttMs);
    upstream.observe(rcode, rttMs);
    const isTruncated = ((wire[2] as number) & TC) !== 0;
    if (isTruncated && !x.isStream) {
      this.#retry(x, true);
    } else if (rejectsEcs(x, wire, length)) {
      dropEcs(x);
      this.#retry(x, x.isStream);
    } else if (x.hasOpt && isRefusalOfEdns(wire, rcode)) {
      dropOpt(x);
      x.isPlainRetry = true;
      this.#retry(x, x.isStream);
    } else {
      if (x.isPlainRetry && !isRefusalOfEdns(wire, rcode)) upstream.health.rememberPlain();
      this.#onReply(x, wire, length, rcode);
    }
  }

  onFailure(x: Exchange, failure: Failure): void {
    this.#timers.cancel(x.timer);
    x.timer = 0;
    this.#note(x, failure);
    this.#resume(x);
  }

  /** Attempts one upstream after the other until one is under way; false when none is left. */
  #advance(x: Exchange): boolean {
    for (;;) {
      const leftMs = x.deadlineMs - this.#clock.nowMs;
      if (leftMs <= 0 || this.#isStopped) return false;
      const isStream = this.#wantsStream(x.query as Query);
      const index = this.#selection.next(x, isStream);
      if (index === NONE_LEFT) return false;
      if (index === PAUSE) {
        x.timer = this.#timers.start(Math.min(ROUND_PAUSE_MS, leftMs), this.#onTimer, x.index);
        return x.timer !== 0;
      }
      x.upstream = index;
      x.attempts++;
      x.triedMask |= 1 << index;
      x.isPlainRetry = false;
      const upstream = this.#upstreams[index] as Upstream;
      writeQuery(x, x.query as Query, !upstream.health.isPlain);
      const failure = this.#send(x, upstream, isStream);
      if (failure === Failure.NONE) return true;
      this.#note(x, failure);
    }
  }

  /** As the client asked, unless told otherwise (CoreDNS: force_tcp wins over prefer_udp). */
  #wantsStream(q: Query): boolean {
    if (this.#options.upstream.forceTcp) return true;
    return q.transport !== Transport.UDP && !this.#options.preferUdp;
  }

  #send(x: Exchange, upstream: Upstream, isStream: boolean): Failure {
    const nowMs = this.#clock.nowMs;
    const leftMs = x.deadlineMs - nowMs;
    if (leftMs <= 0) return Failure.TIMEOUT;
    x.isStream = isStream || upstream.isStreamOnly;
    x.sentMs = nowMs;
    const carrier = upstream.carrier(isStream);
    const failure = carrier.send(x);
    upstream.latency(x.isStream).sent();
    if (failure !== Failure.NONE) return failure;
    const waitMs = Math.min(this.#options.readTimeoutMs, leftMs);
    x.timer = this.#timers.start(waitMs, this.#onTimer, x.index);
    if (x.timer !== 0) return Failure.NONE;
    carrier.cancel(x, false);
    return Failure.LIMIT;
  }

  /** The same upstream again, over TCP or without EDNS; not counted as an attempt. */
  #retry(x: Exchange, isStream: boolean): void {
    const failure = this.#send(x, this.#upstreams[x.upstream] as Upstream, isStream);
    if (failure !== Failure.NONE) this.onFailure(x, failure);
  }

  readonly #onTimer = (index: number): void => {
    const x = this.#exchanges.at(index);
    x.timer = 0;
    // Not under way: the pause between two rounds is over.
    if (x.link !== null) {
      x.carrier?.cancel(x, true);
      this.#note(x, Failure.TIMEOUT);
    }
    this.#resume(x);
  };

  /** Remembers why the attempt failed, and draws the upstream's health from it. */
  #note(x: Exchange, failure: Failure): void {
    x.lastFailure = failure;
    if (failure === Failure.TIMEOUT) x.timedOutMask |= 1 << x.upstream;
    const upstream = this.#upstreams[x.upstream] as Upstream;
    if (failure === Failure.LIMIT) {
      this.#overloads.inc();
      upstream.latency(x.isStream).withdrawn();
    } else {
      upstream.latency(x.isStream).failed();
      upstream.health.failed();
    }
  }

  /** Goes on with a deferred query: another attempt, or its error. */
  #resume(x: Exchange): void {
    if (this.#advance(x)) return;
    const q = x.query as Query;
    this.#settle(x, q, this.#errorReply(x, q));
  }

  #onReply(x: Exchange, wire: Uint8Array, length: number, rcode: number): void {
    const isFailedOver = ((this.#options.failoverMask >> rcode) & 1) !== 0;
    if (isFailedOver && this.#selection.hasAnother(x)) {
      this.#resume(x);
      return;
    }
    const q = x.query as Query;
    let reply: Reply;
    if (wire[5] === 0) {
      // The upstream did not repeat the question; the client wants to see it.
      reply = withRecursion(q.replyRcode(rcode));
    } else {
      reply = q.replyWire(wire, length);
      if (!reply.layout.isValid) {
        this.onFailure(x, Failure.ANSWER);
        return;
      }
      reply.optOffset = reply.layout.optOffset;
    }
    this.#settle(x, q, reply);
  }

  /** Gives the exchange back first: settling may bring in the next query. */
  #settle(x: Exchange, q: Query, reply: Reply): void {
    this.#exchanges.give(x);
    this.#waiting.inc(-1);
    this.#inFlight.add(-1);
    q.settle(reply);
  }

  #errorReply(x: Exchange, q: Query): Reply {
    const upstream = this.#upstreams[x.upstream];
    if (x.lastFailure === Failure.LIMIT) return withRecursion(q.replyError(OVERLOAD));
    if (upstream === undefined) return withRecursion(q.replyError(NO_UPSTREAM));
    return withRecursion(q.replyError(upstream.errorFor(x.lastFailure)));
  }
}

/** An upstream for each target; a target that is named twice is one upstream that is asked twice as often. */
function createUpstreams(
  targets: readonly AddressTarget[],
  options: UpstreamOptions,
  services: Services,
  exchanges: ExchangePool,
): readonly Upstream[] {
  const batch = createReceiveBatch(services.get(SOCKETS));
  const made = new Map<string, Upstream>();
  return targets.map((target) => {
    const key = JSON.stringify(target);
    const upstream = made.get(key) ?? new Upstream(target, options, services, exchanges, batch);
    made.set(key, upstream);
    return upstream;
  });
}

/** FORMERR or NOTIMP without an OPT: what servers from before EDNS say to one (RFC 6891 section 7). */
function isRefusalOfEdns(wire: Uint8Array, rcode: number): boolean {
  return (rcode === Rcode.FORMERR || rcode === Rcode.NOTIMP) && wire[10] === 0 && wire[11] === 0;
}

/** Errors of our own say that recursion is on offer, as replies of upstreams do. */
export function withRecursion(reply: Reply): Reply {
  reply.wire[3] = (reply.wire[3] as number) | RA;
  return reply;
}
