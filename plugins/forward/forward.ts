// Hot path. Asks upstreams on behalf of the client: one after the other until one replies, never longer than a budget.
//
//   serve -> attempt at an upstream -> its reply        -> settle
//                                   -> TC over UDP      -> the same upstream over TCP
//                                   -> FORMERR, NOTIMP  -> the same upstream without EDNS, once
//                                   -> failure, failover rcode -> attempt at the next upstream, or SERVFAIL
import {
  type Answer,
  type Clock,
  type Counter,
  createReceiveBatch,
  DnsError,
  dropOpt,
  type Exchange,
  type ExchangeOwner,
  ExchangePool,
  Failure,
  type Gauge,
  type Handler,
  type Next,
  type Query,
  Rcode,
  type Reply,
  type Services,
  SOCKETS,
  TIMERS,
  type Timers,
  Transport,
  whenDone,
  writeQuery,
} from '../../core/plugin.js';
import { InFlightCells } from './health-cells.js';
import { resolveTargets } from './names.js';
import type { Policy } from './policy.js';
import { checkCount } from './publish.js';
import { NONE_LEFT, PAUSE, Selection } from './selection.js';
import type { AddressTarget, NameTarget } from './targets.js';
import { Upstream, type UpstreamOptions } from './upstream.js';
import { ZoneMatcher } from './zone-matcher.js';

/** What a query may take in all; CoreDNS's. */
const BUDGET_MS = 5000;

/** Pause between rounds over the upstreams when the number of attempts has no limit. */
const ROUND_PAUSE_MS = 100;

/** TC in the third octet of the header, RA in the fourth. */
const TC = 0x02;
const RA = 0x80;

const NO_UPSTREAM = new DnsError('ERR_NO_UPSTREAM');
const OVERLOAD = new DnsError('ERR_OVERLOAD');

export interface ForwardOptions {
  /** Zones that are forwarded, and names below them that are not. */
  readonly from: readonly string[];
  readonly except: readonly string[];
  /** Servers that host names among the upstreams are looked up with; none for the system's. */
  readonly resolvers: readonly string[];
  readonly preferUdp: boolean;
  readonly readTimeoutMs: number;
  /** Attempts per query, 0 for no limit, undefined for twice the number of upstreams. */
  readonly maxAttempts: number | undefined;
  /** Queries in flight in all workers, 0 for no limit. */
  readonly maxConcurrent: number;
  readonly isFailFast: boolean;
  /** Bit n is rcode n: the reply is not taken, the next upstream or the next *forward* is asked. */
  readonly failoverMask: number;
  readonly nextMask: number;
  readonly isNextOnNodata: boolean;
  readonly policy: Policy;
  readonly upstream: UpstreamOptions;
}

export class Forward implements Handler, ExchangeOwner {
  readonly #targets: readonly (AddressTarget | NameTarget)[];
  readonly #options: ForwardOptions;
  readonly #services: Services;
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #zones: ZoneMatcher;
  readonly #except: ZoneMatcher;
  readonly #exchanges = new ExchangePool();
  readonly #inFlight: InFlightCells;
  readonly #waiting: Gauge;
  readonly #rejects: Counter;
  readonly #overloads: Counter;
  readonly #broken: Counter;
  readonly #limitError: DnsError;
  #upstreams: readonly Upstream[] = [];
  #selection: Selection;
  /** The rest of the chain, and whether another *forward* is its front; known from the first query on. */
  #next: Next | undefined;
  #isNextForward = false;
  #isStopped = false;

  constructor(
    targets: readonly (AddressTarget | NameTarget)[],
    options: ForwardOptions,
    services: Services,
  ) {
    const { metrics } = services;
    this.#targets = targets;
    this.#options = options;
    this.#services = services;
    this.#clock = services.clock;
    this.#timers = services.get(TIMERS);
    this.#zones = new ZoneMatcher(options.from);
    this.#except = new ZoneMatcher(options.except);
    this.#inFlight = new InFlightCells(options.upstream.cells, services.worker);
    this.#waiting = metrics.gauge('in_flight', 'Queries that wait for an upstream.');
    this.#rejects = metrics.counter(
      'max_concurrent_rejects_total',
      'Queries refused because of max_concurrent.',
    );
    this.#overloads = metrics.counter(
      'overload_total',
      'Attempts given up for want of a message id, socket or slot of this server.',
    );
    this.#broken = metrics.counter(
      'healthcheck_broken_total',
      'Queries that found every upstream down.',
    );
    const limit = `concurrent queries exceeded maximum ${options.maxConcurrent}`;
    this.#limitError = new DnsError('ERR_UPSTREAM_LIMIT', limit);
    this.#selection = this.#use(targets.every(isAddress) ? targets : []);
  }

  serve(q: Query, next: Next): Answer {
    if (!this.#zones.covers(q)) return next(q);
    if (this.#except.size > 0 && this.#except.covers(q) && !this.#zones.has(q)) return next(q);
    if (this.#next === undefined) {
      this.#next = next;
      this.#isNextForward = this.#services.block.plugins[q.depth + 1] === 'forward';
    }
    const { maxConcurrent } = this.#options;
    if (maxConcurrent > 0 && this.#inFlight.total >= maxConcurrent) {
      this.#rejects.inc();
      return withRecursion(q.replyError(this.#limitError));
    }
    const answer = this.#start(q);
    return this.#isNextForward ? whenDone(answer, this.#continue) : answer;
  }

  async onStart(): Promise<void> {
    if (!this.#targets.every(isAddress)) {
      const targets = await resolveTargets(this.#targets, this.#options.resolvers);
      checkCount(targets.length);
      this.#selection = this.#use(targets);
    }
    for (const upstream of this.#upstreams) upstream.health.start();
  }

  onStop(): void {
    this.#isStopped = true;
    for (const upstream of this.#upstreams) upstream.close();
  }

  onAnswer(x: Exchange, wire: Uint8Array, length: number): void {
    const upstream = this.#upstreams[x.upstream] as Upstream;
    const rcode = (wire[3] as number) & 15;
    this.#timers.cancel(x.timer);
    x.timer = 0;
    upstream.health.answered();
    upstream.observe(rcode, this.#clock.nowMs - x.sentMs);
    const isTruncated = ((wire[2] as number) & TC) !== 0;
    if (isTruncated && !x.isStream) {
      this.#retry(x, true);
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

  /** Makes the upstreams and what selects among them. */
  #use(targets: readonly AddressTarget[]): Selection {
    const { upstream, policy, maxAttempts, isFailFast } = this.#options;
    const services = this.#services;
    const batch = createReceiveBatch(services.get(SOCKETS));
    const made = new Map<string, Upstream>();
    this.#upstreams = targets.map((target) => {
      const key = JSON.stringify(target);
      const known =
        made.get(key) ?? new Upstream(target, upstream, services, this.#exchanges, batch);
      made.set(key, known);
      return known;
    });
    const attempts = maxAttempts ?? 2 * targets.length;
    return new Selection(this.#upstreams, policy, attempts, isFailFast, this.#broken);
  }

  #start(q: Query): Answer {
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

  /** Attempts one upstream after the other until one is under way; false when none is left. */
  #advance(x: Exchange): boolean {
    for (;;) {
      const leftMs = x.deadlineMs - this.#clock.nowMs;
      if (leftMs <= 0 || this.#isStopped) return false;
      const index = this.#selection.next(x);
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
      const failure = this.#send(x, upstream, this.#wantsStream(x.query as Query));
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
    if (failure === Failure.LIMIT) this.#overloads.inc();
    else (this.#upstreams[x.upstream] as Upstream).health.failed();
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

  /** Asks the next *forward* of the block when the reply is of a kind that this one passes over. */
  readonly #continue = (reply: Reply, q: Query): Answer => {
    const { nextMask, isNextOnNodata } = this.#options;
    if (reply.error !== undefined) return reply;
    const isNodata = reply.rcode === Rcode.NOERROR && reply.layout.answers === 0;
    const isPassedOver = ((nextMask >> reply.rcode) & 1) !== 0 || (isNextOnNodata && isNodata);
    return isPassedOver ? (this.#next as Next)(q) : reply;
  };
}

/** FORMERR or NOTIMP without an OPT: what servers from before EDNS say to one (RFC 6891 section 7). */
function isRefusalOfEdns(wire: Uint8Array, rcode: number): boolean {
  return (rcode === Rcode.FORMERR || rcode === Rcode.NOTIMP) && wire[10] === 0 && wire[11] === 0;
}

/** Errors of our own say that recursion is on offer, as replies of upstreams do. */
function withRecursion(reply: Reply): Reply {
  reply.wire[3] = (reply.wire[3] as number) | RA;
  return reply;
}

function isAddress(target: AddressTarget | NameTarget): target is AddressTarget {
  return target.kind === 'address';
}
