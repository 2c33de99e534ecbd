// The ways to one upstream: UDP and TCP, TLS, or HTTPS, with what is counted of each.
import {
  type Batch,
  type Carrier,
  type CarrierCounters,
  type ExchangePool,
  HttpsPool,
  type Metrics,
  type Services,
  SOCKETS,
  StreamPool,
  type StreamTls,
  TIMERS,
  UdpPool,
} from '../../core/plugin.js';
import { type AddressTarget, addressWithPort, type Scheme } from './targets.js';

/** How the upstreams of one *forward* are spoken to. */
export interface CarrierOptions {
  /** Source address, for upstreams of its family. */
  readonly sourceAddress: string | undefined;
  /** Certificates, when there is an upstream to speak TLS with. */
  readonly tlsContext: StreamTls['context'] | undefined;
  /** Name in the certificates of upstreams that do not have their own. */
  readonly servername: string;
  readonly dohMethod: 'GET' | 'POST';
  readonly expireMs: number;
  readonly maxAgeMs: number;
  readonly maxIdle: number;
}

export interface Carriers {
  /** Plain DNS only. */
  readonly udp: Carrier | undefined;
  readonly stream: Carrier;
}

/** CoreDNS's names of transports in metrics. */
const PROTOCOLS: Readonly<Record<Scheme, string>> = { dns: 'tcp', tls: 'tcp-tls', https: 'https' };

/** Makes the carriers of `target`; nothing is opened yet. `onError` hears why a socket or connection failed. */
export function createCarriers(
  target: AddressTarget,
  options: CarrierOptions,
  services: Services,
  exchanges: ExchangePool,
  receiveBatch: Batch,
  onError: (error: Error) => void,
): Carriers {
  const { metrics, clock } = services;
  const to = addressWithPort(target);
  const shared = {
    remote: { address: target.address, port: target.port },
    local: sourceFor(target.address, options.sourceAddress),
    sockets: services.get(SOCKETS),
    timers: services.get(TIMERS),
    clock,
    exchanges,
    onError,
  };
  const connected = {
    ...shared,
    expireMs: options.expireMs,
    maxAgeMs: options.maxAgeMs,
    maxIdle: options.maxIdle,
    counters: countersOf(metrics, to, PROTOCOLS[target.scheme]),
  };
  if (target.scheme === 'dns') {
    const counters = countersOf(metrics, to, 'udp');
    return {
      udp: new UdpPool({ ...shared, receiveBatch, counters }),
      stream: new StreamPool({ ...connected, tls: undefined }),
    };
  }
  const tls = tlsFor(target, options);
  const stream =
    target.scheme === 'tls'
      ? new StreamPool({ ...connected, tls })
      : new HttpsPool({ ...connected, tls, method: options.dohMethod });
  return { udp: undefined, stream };
}

function tlsFor(target: AddressTarget, { tlsContext, servername }: CarrierOptions): StreamTls {
  if (tlsContext === undefined) throw new Error('an upstream wants TLS and there is no context');
  return {
    context: tlsContext,
    servername: target.servername === '' ? servername : target.servername,
  };
}

function sourceFor(address: string, source: string | undefined): string | undefined {
  if (source === undefined) return undefined;
  return source.includes(':') === address.includes(':') ? source : undefined;
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
