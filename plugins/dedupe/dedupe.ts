// Hot path. One upstream query for identical questions in flight: the first leads, the others wait for its reply.
import { randomInt } from 'node:crypto';
import {
  type Answer,
  type Counter,
  DnsError,
  type Gauge,
  type Handler,
  type Next,
  type Query,
  Rcode,
  Reply,
  type Services,
  TIMERS,
  type Timers,
  whenDone,
} from '../../core/plugin.js';
import { type Flight, Flights } from './flights.js';
import { Waiters } from './waiters.js';

/**
 * A leader older than this ended without anybody telling. The server answers every query within 10 s and tells `observe`, so it takes a query
 * from elsewhere to get here.
 */
const LEADER_LIMIT_MS = 15_000;

const TOO_MANY = new DnsError('ERR_WAITERS_LIMIT');
const FAULT = new DnsError('ERR_PLUGIN_FAULT');

/**
 * The life of a flight:
 *
 *   lead -> leader's reply -> the waiting queries get it, the flight is over
 *        -> leader's error -> those let down before get it; of the others the oldest leads, in the same flight
 *        -> leader ended without a reply (a fault, its time limit) -> the same, a timer tick later
 *
 * A leader's reply is borrowed and may lie in the buffer that the server lends to every waiting query in turn, so everything that wants it
 * gets it before the leader's own way up the chain goes on.
 */
export class DedupeHandler implements Handler {
  readonly #flights = new Flights(randomInt(2 ** 32 - 1));
  readonly #waiters: Waiters;
  readonly #services: Services;
  readonly #timers: Timers;
  readonly #counts: ReturnType<typeof countsOf>;
  /** The flight whose new leader is being settled, for `#onSettled` to see. */
  #promoted: Flight | null = null;
  /** Flights without leader, until the timer fires. */
  readonly #lost: Flight[] = [];
  #lostTimer = 0;

  constructor(limit: number, services: Services) {
    this.#waiters = new Waiters(limit);
    this.#services = services;
    this.#timers = services.get(TIMERS);
    this.#counts = countsOf(services);
  }

  serve(q: Query, next: Next): Answer {
    if (q.ecsFamily !== 0) return next(q);
    const hash = this.#flights.hashOf(q);
    const flight = this.#flights.find(q, hash);
    return flight === undefined ? this.#lead(q, hash, next) : this.#join(flight, q);
  }

  /** A leader that failed or ran out of time is answered by the server: it never comes back to `#onReply`, or too late. */
  observe(q: Query, reply: Reply): void {
    if (reply.rcode !== Rcode.SERVFAIL || this.#flights.size === 0 || q.ecsFamily !== 0) return;
    const flight = this.#flights.find(q, this.#flights.hashOf(q));
    if (flight !== undefined && flight.leader === q) this.#lose(flight, reply.error);
  }

  onStop(): void {
    this.#timers.cancel(this.#lostTimer);
  }

  #lead(q: Query, hash: number, next: Next): Answer {
    const answer = next(q);
    if (answer instanceof Reply) return answer;
    if (this.#flights.isFull) {
      this.#counts.overQuestions.inc();
      return answer;
    }
    this.#flights.add(q, hash, next, this.#services.clock.nowMs);
    this.#counts.leaders.inc();
    return whenDone(answer, this.#onReply);
  }

  #join(flight: Flight, q: Query): Answer {
    if (!this.#waiters.append(flight, q)) {
      this.#counts.overWaiters.inc();
      return q.replyError(TOO_MANY);
    }
    this.#counts.joined.inc();
    this.#counts.waiting.inc();
    const ageMs = this.#services.clock.nowMs - flight.startedMs;
    if (flight.leader !== null && ageMs > LEADER_LIMIT_MS) this.#lose(flight, undefined);
    return whenDone(q.defer(), this.#onSettled);
  }

  /** The leader's reply. It goes to those that wait, then on its own way. */
  readonly #onReply = (reply: Reply, q: Query): Answer => {
    const flight = this.#flights.find(q, this.#flights.hashOf(q));
    // Another one leads by now, when the server gave up on this one before.
    if (flight === undefined || flight.leader !== q) return reply;
    if (flight.head === -1) {
      this.#flights.remove(flight);
      return reply;
    }
    // `out` is lent to every waiting query in turn, which would overwrite a reply made there.
    const shared = reply.wire === q.out ? reply.copy() : reply;
    if (shared.error === undefined) {
      const first = this.#waiters.detach(flight, flight.tail);
      this.#flights.remove(flight);
      this.#settleFrom(first, shared);
    } else {
      this.#retry(flight, shared);
    }
    return shared;
  };

  /** A waiting query got its reply, or is told to lead. */
  readonly #onSettled = (reply: Reply, q: Query): Answer => {
    const flight = this.#promoted;
    if (flight === null) return reply;
    this.#promoted = null;
    return whenDone(flight.next(q), this.#onReply);
  };

  /** The leader failed: those it is the second to let down get `failure`, the oldest of the others leads. */
  #retry(flight: Flight, failure: Reply): void {
    flight.leader = null;
    if (flight.lastTried !== -1) {
      this.#settleFrom(this.#waiters.detach(flight, flight.lastTried), failure);
    }
    this.#promote(flight);
  }

  #promote(flight: Flight): void {
    if (flight.head === -1) {
      this.#flights.remove(flight);
      return;
    }
    const q = this.#waiters.shift(flight);
    this.#counts.waiting.inc(-1);
    this.#counts.retries.inc();
    flight.leader = q;
    flight.lastTried = flight.tail;
    flight.startedMs = this.#services.clock.nowMs;
    this.#promoted = flight;
    // Goes to `#onSettled`, which asks again: within `settle`, so that what the rest of the chain registers comes before what waits above.
    q.settle(q.replyRcode(Rcode.SERVFAIL));
    this.#promoted = null;
  }

  #settleFrom(first: number, shared: Reply): void {
    for (let node = first; node !== -1; ) {
      const following = this.#waiters.after(node);
      const q = this.#waiters.release(node);
      this.#counts.waiting.inc(-1);
      q.settle(handOn(shared, q));
      node = following;
    }
  }

  /** The leader ended without a reply. Not the place to settle anything: replies may be on their way out right now. */
  #lose(flight: Flight, error: DnsError | undefined): void {
    flight.leader = null;
    flight.error = error;
    if (flight.head === -1) {
      this.#flights.remove(flight);
      return;
    }
    if (this.#lost.push(flight) === 1) this.#lostTimer = this.#timers.start(0, this.#onLost, 0);
  }

  readonly #onLost = (): void => {
    for (const flight of this.#lost.splice(0)) {
      const failure = flight.error ?? FAULT;
      flight.leader = null;
      while (flight.lastTried !== -1) {
        const q = this.#waiters.shift(flight);
        this.#counts.waiting.inc(-1);
        q.settle(q.replyError(failure));
      }
      this.#promote(flight);
    }
  };
}

/** The same reply for another query: it puts in its own id, question and size when it is sent. */
function handOn(reply: Reply, q: Query): Reply {
  const same = q.replyWire(reply.wire, reply.length, reply.optOffset);
  same.rcode = reply.rcode;
  same.ede = reply.ede;
  same.edeText = reply.edeText;
  same.error = reply.error;
  return same;
}

function countsOf({ metrics }: Services): {
  readonly leaders: Counter;
  readonly joined: Counter;
  readonly retries: Counter;
  readonly waiting: Gauge;
  readonly overWaiters: Counter;
  readonly overQuestions: Counter;
} {
  const limitHelp = 'Queries that met a limit.';
  return {
    leaders: metrics.counter('leaders_total', 'Queries that went on for others to wait for.'),
    joined: metrics.counter('joined_total', "Queries that waited for another one's reply."),
    retries: metrics.counter('retries_total', 'Waiting queries that asked again.'),
    waiting: metrics.gauge('waiters', 'Queries that wait now.'),
    overWaiters: metrics.counter('limit_total', limitHelp, { limit: 'waiters' }),
    overQuestions: metrics.counter('limit_total', limitHelp, { limit: 'questions' }),
  };
}
