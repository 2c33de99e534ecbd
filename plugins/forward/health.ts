// Health of one upstream: suspected when a query fails or errors pile up, probed until it answers, down after too many failed probes.
//
//   trusted --query failed--> suspected: asked only after all others; probed at once and at every interval
//   trusted --STREAK_LIMIT error replies in a row--> suspected for HOLD_MS, unprobed: it would answer a probe
//   suspected --more than max_fails probes failed--> down: not asked while another one is up; probed ever more rarely
//   suspected, down --a probe or a query was answered--> trusted
//
// All workers see the same state; one of them probes, one probe at a time. With max_fails 0 nothing is probed and nothing goes down: every
// suspicion ends after HOLD_MS.
import {
  type Carrier,
  type Clock,
  type Counter,
  type Exchange,
  type ExchangeOwner,
  type ExchangePool,
  Failure,
  type Logger,
  RRType,
  randomBelow,
  type Timers,
  writeQuestion,
} from '../../core/plugin.js';
import { isConclusive } from './answers.js';
import { Cause, type HealthCells } from './health-cells.js';
import type { Latency } from './latency.js';

/** How long a probe waits for its answer; CoreDNS's. */
const PROBE_TIMEOUT_MS = 1000;

/** How long an upstream that is not probed stays suspected. The first error reply after that makes it suspected again. */
export const HOLD_MS = 10_000;

/** Replies in a row with rcodes such as SERVFAIL or REFUSED that make an upstream suspected; fewer may be the fault of a name. */
const STREAK_LIMIT = 5;

/** Longest pause between probes of an upstream that is down, so that it is found within seconds of its return. */
const MAX_PAUSE_MS = 5000;

/** In words. */
export const CAUSES: Readonly<Record<Cause, string>> = {
  [Cause.NONE]: '',
  [Cause.TIMEOUT]: 'timed out',
  [Cause.NETWORK]: 'not reachable',
  [Cause.ANSWER]: 'unusable replies',
  [Cause.ERRORS]: 'error replies',
};

/** How long an upstream that does not know EDNS gets queries without (seconds). */
const PLAIN_SECONDS = 900;

export interface HealthOptions {
  readonly maxFails: number;
  readonly intervalMs: number;
  /** The name asked for, in wire form. */
  readonly domain: Uint8Array;
  readonly recursionDesired: boolean;
}

export const STATES = ['trusted', 'suspected', 'down'] as const;
export type State = (typeof STATES)[number];

export interface HealthServices {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly exchanges: ExchangePool;
  readonly log: Logger;
  /** Counts failed probes. */
  readonly failures: Counter;
  /** Count how often it came into each state. */
  readonly changes: Readonly<Record<State, Counter>>;
  /** What is known of its speed: a recovery forgets the errors. */
  readonly latencies: readonly Latency[];
}

export class Health implements ExchangeOwner {
  readonly #name: string;
  readonly #cells: HealthCells;
  readonly #carrier: Carrier;
  readonly #options: HealthOptions;
  readonly #services: HealthServices;
  #probe: Exchange | undefined;
  #timer = 0;
  #pauseMs = 0;
  #isStopped = false;

  /** `carrier` is what probes go over: the same as queries. */
  constructor(
    name: string,
    cells: HealthCells,
    carrier: Carrier,
    options: HealthOptions,
    services: HealthServices,
  ) {
    this.#name = name;
    this.#cells = cells;
    this.#carrier = carrier;
    this.#options = options;
    this.#services = services;
  }

  /** Goes on with the probes of the worker that this one replaces. */
  start(): void {
    if (this.#cells.releaseProbe() && this.#isProbing) this.#startProbing();
  }

  stop(): void {
    this.#isStopped = true;
    this.#services.timers.cancel(this.#timer);
    this.#endProbe();
    this.#cells.releaseProbe();
  }

  get isDown(): boolean {
    const { maxFails } = this.#options;
    return maxFails > 0 && this.#cells.fails > maxFails;
  }

  /** Failed when last asked. Looking may start the probes, when the worker that made them is gone. */
  get isSuspect(): boolean {
    const since = this.#cells.suspectSince;
    if (since === 0) return false;
    if (this.#isProbing) {
      if (!this.#cells.isProbed) this.#startProbing();
      return true;
    }
    // Differences of 32-bit times stay right when they wrap.
    if ((((this.#services.clock.nowMs | 0) - since) | 0) < HOLD_MS) return true;
    if (this.#cells.streak >= STREAK_LIMIT) this.#cells.streak = STREAK_LIMIT - 1;
    this.#trust();
    return false;
  }

  /** It is suspected of being out of reach: probes tell when it is back. */
  get #isProbing(): boolean {
    if (this.#cells.suspectSince === 0 || this.#options.maxFails === 0) return false;
    return this.#cells.cause !== Cause.ERRORS;
  }

  /** Whether it gets queries without EDNS. */
  get isPlain(): boolean {
    const until = this.#cells.plainUntil;
    return until !== 0 && until > this.#services.clock.nowMs / 1000;
  }

  /** It answered without EDNS what it had refused with. */
  rememberPlain(): void {
    this.#cells.usePlainUntil(Math.ceil(this.#services.clock.nowMs / 1000) + PLAIN_SECONDS);
  }

  /** A query was answered with this rcode. */
  answered(rcode: number): void {
    const cells = this.#cells;
    if (isConclusive(rcode)) {
      if (cells.streak !== 0) cells.streak = 0;
      if (cells.suspectSince !== 0) this.#trust();
      return;
    }
    // It answers at least.
    if (cells.suspectSince !== 0 && cells.cause !== Cause.ERRORS) this.#trust();
    const streak = cells.streak + 1;
    cells.streak = streak;
    if (streak >= STREAK_LIMIT && cells.suspectSince === 0) this.#suspect(Cause.ERRORS);
  }

  /** A query came to nothing for a reason that is the upstream's. */
  failed(failure: Failure): void {
    if (this.#cells.suspectSince === 0) this.#suspect(failure as Cause);
    if (this.#isProbing) this.#startProbing();
  }

  onAnswer(): void {
    this.#endProbe();
    this.#trust();
    this.#cells.releaseProbe();
  }

  onFailure(_x: Exchange, failure: Failure): void {
    this.#endProbe();
    // Neither a limit of our own nor a forger says anything about the upstream.
    if (failure !== Failure.LIMIT && failure !== Failure.FORGERY) this.#probeFailed();
    this.#again();
  }

  #startProbing(): void {
    if (this.#isStopped || this.#probe !== undefined || this.#timer !== 0) return;
    if (this.#cells.claimProbe()) this.#sendProbe();
  }

  #sendProbe(): void {
    const { exchanges, clock, timers } = this.#services;
    const { domain, recursionDesired } = this.#options;
    const x = exchanges.take();
    if (x === undefined) {
      this.#again();
      return;
    }
    writeQuestion(x, domain, RRType.NS, recursionDesired);
    x.owner = this;
    x.sentMs = clock.nowMs;
    this.#probe = x;
    const failure = this.#carrier.send(x);
    if (failure === Failure.NONE) this.#timer = timers.start(PROBE_TIMEOUT_MS, this.#onTimer, 0);
    else this.onFailure(x, failure);
  }

  /** The probe under way has waited long enough, or the next one is due. */
  readonly #onTimer = (): void => {
    this.#timer = 0;
    const x = this.#probe;
    if (x !== undefined) {
      this.#carrier.cancel(x, true);
      this.onFailure(x, Failure.TIMEOUT);
    } else if (!this.#isProbing) {
      // A query was answered meanwhile.
      this.#cells.releaseProbe();
    } else {
      this.#sendProbe();
    }
  };

  #again(): void {
    if (this.#isStopped) return;
    this.#timer = this.#services.timers.start(this.#nextPause(), this.#onTimer, 0);
  }

  /** The interval, and for an upstream that is down something between that and three times the last pause (decorrelated jitter). */
  #nextPause(): number {
    const { intervalMs } = this.#options;
    const range = this.isDown ? Math.max(0, 3 * this.#pauseMs - intervalMs) : 0;
    const drawn = intervalMs + (range * randomBelow(65_536)) / 65_536;
    this.#pauseMs = Math.min(drawn, Math.max(intervalMs, MAX_PAUSE_MS));
    return this.#pauseMs;
  }

  /** Gives the probe's exchange back. */
  #endProbe(): void {
    const x = this.#probe;
    if (x === undefined) return;
    this.#services.timers.cancel(this.#timer);
    this.#timer = 0;
    this.#probe = undefined;
    if (x.link !== null) this.#carrier.cancel(x, false);
    this.#services.exchanges.give(x);
  }

  #probeFailed(): void {
    const { failures, changes, log } = this.#services;
    failures.inc();
    if (this.#cells.probeFailed() !== this.#options.maxFails + 1) return;
    changes.down.inc();
    log.warning(`upstream ${this.#name} is down`);
  }

  #suspect(cause: Cause): void {
    const { changes, clock, log } = this.#services;
    if (!this.#cells.suspect(clock.nowMs, cause)) return;
    changes.suspected.inc();
    if (!this.#cells.startsLog(clock.nowMs)) return;
    log.info(`upstream ${this.#name} is suspected: ${CAUSES[cause]}`);
  }

  #trust(): void {
    const { changes, latencies, log } = this.#services;
    const wasDown = this.isDown;
    if (!this.#cells.trust()) return;
    changes.trusted.inc();
    for (const latency of latencies) latency.recovered();
    const wasLogged = this.#cells.endsLog();
    if (wasDown) log.info(`upstream ${this.#name} is up again`);
    else if (wasLogged) log.info(`upstream ${this.#name} is trusted again`);
  }
}
