// One upstream as a worker sees it: the ways to it, its health, what is counted of it and the errors it causes.
import {
  type Batch,
  type Carrier,
  type Counter,
  DnsError,
  type ExchangePool,
  Failure,
  type Histogram,
  type Logger,
  type Metrics,
  rcodeName,
  type Services,
  TIMERS,
} from '../../core/plugin.js';
import type { Candidate } from './candidate.js';
import { type CarrierOptions, type Carriers, createCarriers, spoofCounterOf } from './carriers.js';
import { Health, type HealthOptions, STATES, type State } from './health.js';
import { HealthCells, hashOf } from './health-cells.js';
import { Latency } from './latency.js';
import { Spelling } from './spelling.js';
import { type AddressTarget, addressWithPort, targetText } from './targets.js';
import { DEFAULT_WEIGHT } from './weights.js';

/** Upper bounds in seconds: 0.25 ms doubling, as CoreDNS has them. */
const DURATION_BUCKETS = Array.from({ length: 16 }, (_, i) => 0.00025 * 2 ** i);

/** Rcodes with a series of their own; the others share one. */
const COUNTED_RCODES = 6;

/** The same error of a connection is logged again after this at the earliest. */
const LOG_INTERVAL_MS = 60_000;

/** What the upstreams of one *forward* have in common. */
export interface UpstreamOptions extends CarrierOptions {
  readonly cells: Int32Array;
  readonly health: HealthOptions;
  /** Whether the case of letters in questions over UDP is mixed. */
  readonly mixesCase: boolean;
}

export class Upstream implements Candidate {
  /** With its scheme: for messages. */
  readonly text: string;
  readonly weight: number;
  readonly seed: number;
  readonly health: Health;
  readonly spelling: Spelling;
  /** Counts replies over UDP that were forged but for the case of letters. */
  readonly forged: Counter;
  readonly timeoutError: DnsError;
  readonly networkError: DnsError;
  readonly answerError: DnsError;
  readonly #datagrams: Latency;
  readonly #streams: Latency;
  readonly #carriers: Carriers;
  readonly #durations: readonly Histogram[];
  readonly #services: Services;
  #lastError = '';
  #lastErrorMs = Number.NEGATIVE_INFINITY;

  constructor(
    target: AddressTarget,
    options: UpstreamOptions,
    services: Services,
    exchanges: ExchangePool,
    receiveBatch: Batch,
  ) {
    const to = addressWithPort(target);
    this.text = targetText(target);
    this.weight = target.weight ?? DEFAULT_WEIGHT;
    this.seed = hashOf(this.text);
    this.#services = services;
    this.timeoutError = new DnsError('ERR_UPSTREAM_TIMEOUT', this.text);
    this.networkError = new DnsError('ERR_UPSTREAM_NETWORK', this.text);
    this.answerError = new DnsError('ERR_UPSTREAM_ANSWER', this.text);
    this.#durations = durationsOf(services.metrics, to);

    const { clock, metrics, log, worker } = services;
    const cells = HealthCells.of(options.cells, this.text, worker);
    this.forged = spoofCounterOf(metrics, to, 'case');
    this.spelling = new Spelling(this.text, cells, options.mixesCase, {
      clock,
      log,
      folds: metrics.counter(
        'case_folds_total',
        'How often an upstream was found not to keep the case of questions.',
        { to },
      ),
    });
    const given = metrics.counter(
      'distrusted_sockets_total',
      'UDP sockets given up because too many messages looked forged.',
      { to },
    );
    this.#carriers = createCarriers(target, options, services, exchanges, receiveBatch, {
      onError: (error) => this.#logOnce(log, error),
      onForgery: () => {
        given.inc();
        if (!cells.startsWarning(clock.nowMs)) return;
        log.warning(
          `somebody may be forging answers of upstream ${this.text}: what waits for them is asked over TCP`,
        );
      },
    });
    this.#datagrams = new Latency(options.cells, cells.latencyAt(false), clock);
    this.#streams = new Latency(options.cells, cells.latencyAt(true), clock);
    const failures = metrics.counter(
      '/proxy_healthcheck_failures_total',
      'Probes of an upstream that failed.',
      { proxy_name: 'forward', to },
    );
    this.health = new Health(this.text, cells, this.carrier(options.forceTcp), options.health, {
      clock,
      timers: services.get(TIMERS),
      exchanges,
      log,
      failures,
      changes: changesOf(metrics, to),
      latencies: [this.#datagrams, this.#streams],
    });
  }

  /** Whether there is no other way to it than connections. */
  get isStreamOnly(): boolean {
    return this.#carriers.udp === undefined;
  }

  carrier(isStream: boolean): Carrier {
    const { udp, stream } = this.#carriers;
    return isStream || udp === undefined ? stream : udp;
  }

  /** How fast it is over UDP, if it is asked so, or over connections. */
  latency(isStream: boolean): Latency {
    return isStream || this.isStreamOnly ? this.#streams : this.#datagrams;
  }

  /** Notes how long a reply with this rcode took. */
  observe(rcode: number, ms: number): void {
    (this.#durations[Math.min(rcode, COUNTED_RCODES)] as Histogram).observe(ms / 1000);
  }

  errorFor(failure: Failure): DnsError {
    if (failure === Failure.TIMEOUT) return this.timeoutError;
    return failure === Failure.ANSWER ? this.answerError : this.networkError;
  }

  /** Opens a connection ahead of the first query, where there is no other way to it, and goes on with the probes of a worker that is gone. */
  begin(): void {
    this.#carriers.stream.warm?.();
    this.health.start();
  }

  close(): void {
    this.health.stop();
    this.#carriers.udp?.close();
    this.#carriers.stream.close();
  }

  /** A wrong certificate fails every connection in the same way: one line a minute says so. */
  #logOnce(log: Logger, error: Error): void {
    const nowMs = this.#services.clock.nowMs;
    if (error.message === this.#lastError && nowMs - this.#lastErrorMs < LOG_INTERVAL_MS) return;
    this.#lastError = error.message;
    this.#lastErrorMs = nowMs;
    log.warning(`upstream ${this.text}: ${error.message}`);
  }
}

function durationsOf(metrics: Metrics, to: string): readonly Histogram[] {
  return Array.from({ length: COUNTED_RCODES + 1 }, (_, rcode) =>
    metrics.histogram(
      '/proxy_request_duration_seconds',
      'How long upstreams took to reply.',
      DURATION_BUCKETS,
      { proxy_name: 'forward', to, rcode: rcode < COUNTED_RCODES ? rcodeName(rcode) : 'other' },
    ),
  );
}

function changesOf(metrics: Metrics, to: string): Readonly<Record<State, Counter>> {
  const counters = STATES.map((state) => [
    state,
    metrics.counter('state_changes_total', 'How often an upstream came into a state.', {
      to,
      state,
    }),
  ]);
  return Object.fromEntries(counters) as Record<State, Counter>;
}
