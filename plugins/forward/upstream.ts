// One upstream as a worker sees it: the ways to it, its health, what is counted of it and the errors it causes.
import {
  type Batch,
  type Carrier,
  type CarrierCounters,
  DnsError,
  type ExchangePool,
  Failure,
  type Histogram,
  type Logger,
  type Metrics,
  rcodeName,
  type Services,
  SOCKETS,
  StreamPool,
  type StreamTls,
  TIMERS,
  UdpPool,
} from '../../core/plugin.js';
import { Health, type HealthOptions } from './health.js';
import { HealthCells } from './health-cells.js';
import { type AddressTarget, addressWithPort, targetText } from './targets.js';

/** Upper bounds in seconds: 0.25 ms doubling, as CoreDNS has them. */
const DURATION_BUCKETS = Array.from({ length: 16 }, (_, i) => 0.00025 * 2 ** i);

/** Rcodes with a series of their own; the others share one. */
const COUNTED_RCODES = 6;

/** The same error of a connection is logged again after this at the earliest. */
const LOG_INTERVAL_MS = 60_000;

/** What the upstreams of one *forward* have in common. */
export interface UpstreamOptions {
  readonly cells: Int32Array;
  readonly health: HealthOptions;
  /** Source address, for upstreams of its family. */
  readonly sourceAddress: string | undefined;
  /** Certificates, when there is an upstream to speak TLS with. */
  readonly tlsContext: StreamTls['context'] | undefined;
  /** Name in the certificates of upstreams that do not have their own. */
  readonly servername: string;
  /** Plain upstreams are asked over TCP only. */
  readonly forceTcp: boolean;
  readonly expireMs: number;
  readonly maxAgeMs: number;
  readonly maxIdle: number;
}

export class Upstream {
  /** With its scheme: for messages. */
  readonly text: string;
  readonly health: Health;
  readonly timeoutError: DnsError;
  readonly networkError: DnsError;
  readonly answerError: DnsError;
  readonly #udp: Carrier | undefined;
  readonly #stream: Carrier;
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
    this.#services = services;
    this.timeoutError = new DnsError('ERR_UPSTREAM_TIMEOUT', this.text);
    this.networkError = new DnsError('ERR_UPSTREAM_NETWORK', this.text);
    this.answerError = new DnsError('ERR_UPSTREAM_ANSWER', this.text);
    this.#durations = durationsOf(services.metrics, to);

    const { clock, metrics, log, worker } = services;
    const timers = services.get(TIMERS);
    const shared = {
      remote: { address: target.address, port: target.port },
      local: sourceFor(target.address, options.sourceAddress),
      sockets: services.get(SOCKETS),
      timers,
      clock,
      exchanges,
    };
    const isTls = target.scheme === 'tls';
    this.#udp = isTls
      ? undefined
      : new UdpPool({ ...shared, receiveBatch, counters: countersOf(metrics, to, 'udp') });
    this.#stream = new StreamPool({
      ...shared,
      tls: isTls ? tlsFor(target, options) : undefined,
      counters: countersOf(metrics, to, isTls ? 'tcp-tls' : 'tcp'),
      expireMs: options.expireMs,
      maxAgeMs: options.maxAgeMs,
      maxIdle: options.maxIdle,
      onError: (error) => this.#logOnce(log, error),
    });
    const cells = new HealthCells(options.cells, this.text, worker);
    const failures = metrics.counter(
      '/proxy_healthcheck_failures_total',
      'Probes of an upstream that failed.',
      { proxy_name: 'forward', to },
    );
    const probed = options.forceTcp ? this.#stream : this.carrier(false);
    this.health = new Health(this.text, cells, probed, options.health, {
      clock,
      timers,
      exchanges,
      log,
      failures,
    });
  }

  /** Whether there is no other way to it than connections. */
  get isStreamOnly(): boolean {
    return this.#udp === undefined;
  }

  carrier(isStream: boolean): Carrier {
    return isStream || this.#udp === undefined ? this.#stream : this.#udp;
  }

  /** Notes how long a reply with this rcode took. */
  observe(rcode: number, ms: number): void {
    (this.#durations[Math.min(rcode, COUNTED_RCODES)] as Histogram).observe(ms / 1000);
  }

  errorFor(failure: Failure): DnsError {
    if (failure === Failure.TIMEOUT) return this.timeoutError;
    return failure === Failure.ANSWER ? this.answerError : this.networkError;
  }

  close(): void {
    this.health.stop();
    this.#udp?.close();
    this.#stream.close();
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

function tlsFor(target: AddressTarget, options: UpstreamOptions): StreamTls | undefined {
  if (options.tlsContext === undefined) return undefined;
  const servername = target.servername === '' ? options.servername : target.servername;
  return { context: options.tlsContext, servername };
}

function sourceFor(address: string, source: string | undefined): string | undefined {
  if (source === undefined) return undefined;
  return source.includes(':') === address.includes(':') ? source : undefined;
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

function countersOf(metrics: Metrics, to: string, proto: string): CarrierCounters {
  const labels = { proxy_name: 'forward', to, proto };
  return {
    hits: metrics.counter(
      '/proxy_conn_cache_hits_total',
      'Queries sent on a socket or connection that was open.',
      labels,
    ),
    misses: metrics.counter(
      '/proxy_conn_cache_misses_total',
      'Queries that a socket or connection was opened for.',
      labels,
    ),
    mismatched: metrics.counter(
      'mismatched_replies_total',
      'Messages from an upstream that do not fit the query, dropped.',
      { to, proto },
    ),
    unexpected: metrics.counter(
      'unexpected_replies_total',
      'Messages from an upstream that no query waits for, dropped.',
      { to, proto },
    ),
  };
}
