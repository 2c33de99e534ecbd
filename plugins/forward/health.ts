// Health of one upstream: suspected at its first failure, probed until it answers, down after too many failed probes.
//
//   trusted --query failed--> suspected: asked only after all others; probed at once and at every interval
//   suspected --more than max_fails probes failed--> down: not asked while another one is up
//   suspected, down --a probe or a query was answered--> trusted
//
// All workers see the same state; one of them probes. With max_fails 0 nothing is probed and nothing goes down: a suspected upstream is then
// trusted again after HOLD_MS.
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
  type Timers,
  writeQuestion,
} from '../../core/plugin.js';
import type { HealthCells } from './health-cells.js';

/** How long a probe waits for its answer; CoreDNS's. */
const PROBE_TIMEOUT_MS = 1000;

/** How long an upstream that is not probed stays suspected. */
const HOLD_MS = 10_000;

/** How long an upstream that does not know EDNS gets queries without (seconds). */
const PLAIN_SECONDS = 900;

export interface HealthOptions {
  readonly maxFails: number;
  readonly intervalMs: number;
  /** The name asked for, in wire form. */
  readonly domain: Uint8Array;
  readonly recursionDesired: boolean;
}

export interface HealthServices {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly exchanges: ExchangePool;
  readonly log: Logger;
  /** Counts failed probes. */
  readonly failures: Counter;
}

export class Health implements ExchangeOwner {
  readonly #name: string;
  readonly #cells: HealthCells;
  readonly #carrier: Carrier;
  readonly #options: HealthOptions;
  readonly #services: HealthServices;
  #probe: Exchange | undefined;
  #timer = 0;
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
    if (this.#cells.releaseProbe() && this.#cells.suspectSince !== 0) this.#startProbing();
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
    if (this.#options.maxFails > 0) {
      if (!this.#cells.isProbed) this.#startProbing();
      return true;
    }
    // Differences of 32-bit times stay right when they wrap.
    if ((((this.#services.clock.nowMs | 0) - since) | 0) < HOLD_MS) return true;
    this.#cells.trust();
    return false;
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

  /** A query was answered. */
  answered(): void {
    if (this.#cells.suspectSince !== 0) this.#trust();
  }

  /** A query came to nothing. */
  failed(): void {
    if (this.#cells.suspectSince === 0) this.#cells.suspect(this.#services.clock.nowMs);
    if (this.#options.maxFails > 0) this.#startProbing();
  }

  onAnswer(): void {
    this.#endProbe();
    this.#trust();
    this.#cells.releaseProbe();
  }

  onFailure(_x: Exchange, failure: Failure): void {
    this.#endProbe();
    // A limit of our own says nothing about the upstream.
    if (failure !== Failure.LIMIT) this.#probeFailed();
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
    } else if (this.#cells.suspectSince === 0) {
      // A query was answered meanwhile.
      this.#cells.releaseProbe();
    } else {
      this.#sendProbe();
    }
  };

  #again(): void {
    if (this.#isStopped) return;
    this.#timer = this.#services.timers.start(this.#options.intervalMs, this.#onTimer, 0);
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
    this.#services.failures.inc();
    if (this.#cells.probeFailed() === this.#options.maxFails + 1) {
      this.#services.log.warning(`upstream ${this.#name} is down`);
    }
  }

  #trust(): void {
    if (this.isDown) this.#services.log.info(`upstream ${this.#name} is up again`);
    this.#cells.trust();
  }
}
