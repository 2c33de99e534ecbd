// Hot path. One upstream query for identical questions in flight: the first leads, the others wait for its reply.
import {
  type Answer,
  DnsError,
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
import type { DedupeMemory } from './control.js';
import { countsOf, type DedupeCounts } from './counts.js';
import { type Flight, Flights } from './flights.js';
import type { Mail } from './mail.js';
import { Peers } from './peers.js';
import { Question } from './question.js';
import { Waiters } from './waiters.js';

export interface DedupeOptions {
  /** Queries that may wait at once. */
  readonly waiters: number;
  /** How long they wait for one leader. */
  readonly timeoutMs: number;
}

const TOO_MANY = new DnsError('ERR_WAITERS_LIMIT');
const FAULT = new DnsError('ERR_PLUGIN_FAULT');
const TOO_SLOW = new DnsError('ERR_UPSTREAM_TIMEOUT', 'the same question was in flight too long');

/**
 * The life of a flight:
 *
 *   claimed here      -> the first query leads
 *   claimed elsewhere -> all wait for mail from the worker that leads
 *
 *   reply (of the leader, by mail)       -> the waiting queries get it, the flight is over
 *   error (of the leader, by mail)       -> those let down before get it; of the others the oldest leads, in the worker that has or gets the claim
 *   leader ended without a reply         -> the same, a timer tick later
 *   leader too slow                      -> the same, and a claim of another worker is seized
 *   the other worker ended, mail was lost -> claimed again, nobody was let down
 *
 * A leader's reply is borrowed and may lie in the buffer that the server lends to every waiting query in turn, so everything that wants it
 * gets it before the leader's own way up the chain goes on.
 */
export class DedupeHandler implements Handler {
  readonly #flights: Flights;
  readonly #question: Question;
  readonly #waiters: Waiters;
  readonly #peers: Peers | undefined;
  readonly #timeoutMs: number;
  readonly #services: Services;
  readonly #timers: Timers;
  readonly #counts: DedupeCounts;
  /** The flight whose new leader is being settled, for `#onSettled` to see. */
  #promoted: Flight | null = null;

  constructor({ waiters, timeoutMs }: DedupeOptions, memory: DedupeMemory, services: Services) {
    this.#question = new Question(memory.seed);
    this.#waiters = new Waiters(waiters);
    this.#timeoutMs = timeoutMs;
    this.#services = services;
    this.#timers = services.get(TIMERS);
    this.#counts = countsOf(services);
    this.#flights = new Flights(this.#counts.flights);
    this.#peers =
      memory.shared === undefined ? undefined : new Peers(memory.shared, services, this.#counts);
  }

  serve(q: Query, next: Next): Answer {
    const question = this.#question;
    question.set(q);
    const known = this.#flights.find(question);
    if (known !== undefined) return this.#join(known, q);
    if (this.#flights.isFull) {
      this.#counts.overQuestions.inc();
      return next(q);
    }
    const flight = this.#flights.add(question, next, this.#services.clock.nowMs);
    if (this.#claim(flight, false)) return this.#lead(flight, q);
    const answer = this.#join(flight, q);
    if (answer instanceof Reply) this.#remove(flight);
    return answer;
  }

  /** A leader that failed or ran out of time is answered by the server: it never comes back to `#onReply`, or too late. */
  observe(q: Query, reply: Reply): void {
    if (reply.rcode !== Rcode.SERVFAIL || this.#flights.size === 0) return;
    const flight = this.#flightLedBy(q);
    if (flight !== undefined) this.#lose(flight, reply.error);
  }

  onStart(): void {
    this.#peers?.open(this.onMail);
  }

  onStop(): void {
    this.#peers?.close();
    for (const { timer } of this.#flights.all) this.#timers.cancel(timer);
  }

  /** Takes what other workers sent. `onStart` sees to it that this is called. */
  readonly onMail = (): void => {
    const peers = this.#peers as Peers;
    this.#services.clock.refresh?.();
    const question = this.#question;
    while (peers.take(question)) {
      const answered = this.#flights.find(question);
      // Claims go by hash: who waits for another question with the same hash gets no answer.
      for (const flight of this.#flights.remote(question.high)) {
        if (flight === answered) this.#onEnd(flight, peers.incoming);
        else if (flight.isRemote) this.#again(flight, false);
      }
    }
    if (!peers.takeLost()) return;
    for (const flight of this.#flights.remote()) if (flight.isRemote) this.#again(flight, false);
  };

  #onEnd(flight: Flight, { reply, error, goesOn }: Mail): void {
    if (!goesOn) {
      this.#end(flight, reply, error);
      return;
    }
    this.#letDown(flight, reply, error ?? FAULT);
    flight.lastTried = flight.tail;
    flight.startedMs = this.#services.clock.nowMs;
    if (flight.head === -1) this.#remove(flight);
  }

  /** Whether the flight's leader is to be found here; else another worker leads, and tells. */
  #claim(flight: Flight, isSeized: boolean): boolean {
    return this.#peers === undefined || this.#peers.claim(flight, isSeized);
  }

  #lead(flight: Flight, q: Query): Answer {
    flight.leader = q;
    let answer: Answer;
    // A claim must not outlive it; costs nothing that could be measured (bench/micro/dedupe.ts).
    try {
      answer = flight.next(q);
    } catch (error) {
      if (flight.leader === q) this.#lose(flight, undefined);
      throw error;
    }
    if (!(answer instanceof Reply)) this.#counts.leaders.inc();
    return whenDone(answer, this.#onReply);
  }

  #join(flight: Flight, q: Query): Answer {
    if (!this.#waiters.append(flight, q)) {
      this.#counts.overWaiters.inc();
      return q.replyError(TOO_MANY);
    }
    (flight.isRemote ? this.#counts.joinedElsewhere : this.#counts.joinedHere).inc();
    this.#counts.waiting.inc();
    if (flight.timer === 0) this.#startTimer(flight);
    return whenDone(q.defer(), this.#onSettled);
  }

  /** The leader's reply. It goes to those that wait, then on its own way. */
  readonly #onReply = (reply: Reply, q: Query): Answer => {
    const flight = this.#flightLedBy(q);
    // Another one leads by now, when the server gave up on this one before.
    if (flight === undefined) return reply;
    // `out` is lent to every waiting query in turn, which would overwrite a reply made there.
    const shared = flight.head !== -1 && reply.wire === q.out ? reply.copy() : reply;
    this.#end(flight, shared, shared.error);
    return shared;
  };

  /** A waiting query got its reply, or is told to lead. */
  readonly #onSettled = (reply: Reply, q: Query): Answer => {
    const flight = this.#promoted;
    if (flight === null) return reply;
    this.#promoted = null;
    return this.#lead(flight, q);
  };

  /** The leader has its reply: those that wait get it, or try again. */
  #end(flight: Flight, reply: Reply | undefined, error: DnsError | undefined): void {
    if (reply === undefined || error !== undefined) {
      this.#fail(flight, reply, error ?? FAULT);
      return;
    }
    // The first one takes it up the chain before the question may be claimed anew: a plugin that keeps replies has it then.
    if (flight.head !== -1) {
      this.#settleFrom(this.#waiters.detach(flight, flight.head), reply, FAULT, false);
    }
    this.#peers?.tell(flight, reply, undefined, false);
    const first = flight.head === -1 ? -1 : this.#waiters.detach(flight, flight.tail);
    this.#remove(flight);
    this.#settleFrom(first, reply, FAULT, true);
  }

  /** The leader ended because of `error`, with a reply or without: those it is the second to let down get that, the others try again. */
  #fail(flight: Flight, reply: Reply | undefined, error: DnsError, isSeized = false): void {
    flight.leader = null;
    // Who waits elsewhere goes on waiting for this worker while somebody here can lead: another one would not know how soon that ends.
    this.#peers?.tell(flight, reply, error, flight.tail !== flight.lastTried);
    this.#letDown(flight, reply, error);
    this.#again(flight, true, isSeized);
  }

  /** A second failure is final. */
  #letDown(flight: Flight, reply: Reply | undefined, error: DnsError): void {
    if (flight.lastTried === -1) return;
    this.#settleFrom(this.#waiters.detach(flight, flight.lastTried), reply, error, true);
  }

  /** Finds a leader for those that still wait: the oldest of them, or another worker. `isLetDown` when they had one that failed. */
  #again(flight: Flight, isLetDown: boolean, isSeized = false): void {
    if (flight.head === -1) {
      this.#remove(flight);
      return;
    }
    flight.startedMs = this.#services.clock.nowMs;
    if (flight.timer === 0) this.#startTimer(flight);
    const isLed = this.#claim(flight, isSeized);
    const q = isLed ? this.#waiters.shift(flight) : null;
    if (isLetDown) flight.lastTried = flight.tail;
    if (q === null) return;
    this.#counts.waiting.inc(-1);
    this.#counts.retries.inc();
    flight.leader = q;
    this.#promoted = flight;
    // Goes to `#onSettled`, which asks again: within `settle`, so that what the rest of the chain registers comes before what waits above.
    q.settle(q.replyRcode(Rcode.SERVFAIL));
    this.#promoted = null;
  }

  /** Gives the reply, or without one the error, to the queries from this node on. */
  #settleFrom(first: number, reply: Reply | undefined, error: DnsError, isShared: boolean): void {
    for (let node = first; node !== -1; ) {
      const following = this.#waiters.after(node);
      const q = this.#waiters.release(node);
      this.#counts.waiting.inc(-1);
      const same = reply === undefined ? q.replyError(error) : reply.handTo(q);
      same.isShared = isShared;
      q.settle(same);
      node = following;
    }
  }

  /** The leader ended without a reply. Not the place to settle anything: replies may be on their way out right now. */
  #lose(flight: Flight, error: DnsError | undefined): void {
    flight.leader = null;
    flight.error = error ?? FAULT;
    if (flight.head === -1) {
      this.#fail(flight, undefined, flight.error);
      return;
    }
    this.#timers.cancel(flight.timer);
    flight.timer = this.#timers.start(0, this.#onTimer, flight.id);
  }

  #startTimer(flight: Flight): void {
    const leftMs = flight.startedMs + this.#timeoutMs - this.#services.clock.nowMs;
    flight.timer = this.#timers.start(Math.max(leftMs, 0), this.#onTimer, flight.id);
  }

  readonly #onTimer = (id: number): void => {
    const flight = this.#flights.all[id] as Flight;
    const { error } = flight;
    flight.timer = 0;
    flight.error = undefined;
    if (error !== undefined) {
      this.#fail(flight, undefined, error);
    } else if (flight.startedMs + this.#timeoutMs > this.#services.clock.nowMs) {
      // Another leader than the one it was started for.
      this.#startTimer(flight);
    } else {
      this.#counts.timeouts.inc();
      this.#fail(flight, undefined, TOO_SLOW, flight.isRemote);
    }
  };

  #flightLedBy(q: Query): Flight | undefined {
    this.#question.set(q);
    const flight = this.#flights.find(this.#question);
    return flight?.leader === q ? flight : undefined;
  }

  #remove(flight: Flight): void {
    if (flight.timer !== 0) this.#timers.cancel(flight.timer);
    this.#flights.remove(flight);
  }
}
