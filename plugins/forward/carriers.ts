// The ways to one upstream: UDP and TCP, TLS, or HTTPS, with what is counted of each.
import {
  type Batch,
  type Carrier,
  type CarrierCounters,
  type ConnectionCounters,
  type Counter,
  type ExchangePool,
  HttpsPool,
  type Metrics,
  type Services,
  SOCKETS,
  StreamPool,
  type StreamTls,
  TIMERS,
  type UdpCounters,
  UdpPool,
} from '../../core/plugin.js';
import { type AddressTarget, addressWithPort, pathOf, type Scheme } from './targets.js';

/** How the upstreams of one *forward* are spoken to. */
export interface CarrierOptions {
  /** Source address, for upstreams of its family. */
  readonly sourceAddress: string | undefined;
  /** Certificates, when there is an upstream to speak TLS with. */
  readonly tlsContext: StreamTls['context'] | undefined;
  /** Name in the certificates of upstreams that do not have their own. */
  readonly servername: string;
  /** Certificates have to come from an authority of the operator's own. */
  readonly hasAuthority: boolean;
  /** SHA-256 of the public keys that upstreams may have, in base64; none for any key. */
  readonly pins: readonly string[];
  /** Nothing is verified. */
  readonly isInsecure: boolean;
  /** Plain upstreams are asked over TCP only. */
  readonly forceTcp: boolean;
  readonly dohMethod: 'GET' | 'POST';
  readonly expireMs: number;
  readonly maxExpireMs: number;
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

export interface CarrierEvents {
  /** Told why a socket or connection failed. */
  readonly onError: (error: Error) => void;
  /** Told that a socket is given up because of messages that look forged. */
  readonly onForgery: () => void;
}

/** Makes the carriers of `target`; nothing is opened yet. */
export function createCarriers(
  target: AddressTarget,
  options: CarrierOptions,
  services: Services,
  exchanges: ExchangePool,
  receiveBatch: Batch,
  { onError, onForgery }: CarrierEvents,
): Carriers {
  const { metrics, clock } = services;
  const to = addressWithPort(target);
  const shared = {
    remote: { address: target.address, port: target.port },
    local: sourceFor(target.address, options.sourceAddress),
    timers: services.get(TIMERS),
    clock,
    onError,
  };
  const { expireMs, maxExpireMs, maxAgeMs, maxIdle } = options;
  const proto = PROTOCOLS[target.scheme];
  const connected = {
    ...shared,
    expireMs,
    maxAgeMs,
    maxIdle,
    // Plain TCP is for what UDP does not do: opening ahead would be for nothing.
    keepsWarm: expireMs > 0 && (target.scheme !== 'dns' || options.forceTcp),
    counters: connectionCountersOf(metrics, to, proto),
  };
  const messages = { sockets: services.get(SOCKETS), exchanges };
  if (target.scheme === 'dns') {
    const counters = udpCountersOf(metrics, to);
    return {
      udp: new UdpPool({ ...shared, ...messages, receiveBatch, counters, onForgery }),
      stream: new StreamPool({ ...connected, ...messages, maxExpireMs, tls: undefined }),
    };
  }
  const tls = tlsFor(target, options);
  if (target.scheme === 'tls') {
    const stream = new StreamPool({ ...connected, ...messages, maxExpireMs, tls });
    return { udp: undefined, stream };
  }
  const stream = new HttpsPool({
    ...connected,
    tls,
    path: pathOf(target),
    method: options.dohMethod,
    counters: { ...connected.counters, ...httpCountersOf(metrics, to) },
  });
  return { udp: undefined, stream };
}

function tlsFor(target: AddressTarget, options: CarrierOptions): StreamTls {
  const { tlsContext, hasAuthority, pins, isInsecure } = options;
  if (tlsContext === undefined) throw new Error('an upstream wants TLS and there is no context');
  const servername = target.servername === '' ? options.servername : target.servername;
  // A pin alone replaces the certificate (RFC 7858 section 4.2); with a name or an authority, both have to hold.
  const isPinAlone = pins.length > 0 && servername === '' && !hasAuthority;
  return { context: tlsContext, servername, pins, isVerified: !isPinAlone && !isInsecure };
}

function sourceFor(address: string, source: string | undefined): string | undefined {
  if (source === undefined) return undefined;
  return source.includes(':') === address.includes(':') ? source : undefined;
}

function countersOf(metrics: Metrics, to: string, proto: string): CarrierCounters {
  const labels = { proxy_name: 'forward', to, proto };
  return {
    open: metrics.gauge(
      'connections',
      'Sockets and connections to an upstream, open or being opened.',
      { to, proto },
    ),
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

/** Counts messages over UDP that somebody else may have sent. */
export function spoofCounterOf(metrics: Metrics, to: string, kind: 'guess' | 'case'): Counter {
  return metrics.counter(
    'spoof_attempts_total',
    'Messages over UDP that somebody else than the upstream may have sent, dropped.',
    { to, kind },
  );
}

function udpCountersOf(metrics: Metrics, to: string): UdpCounters {
  return { ...countersOf(metrics, to, 'udp'), guessed: spoofCounterOf(metrics, to, 'guess') };
}

function connectionCountersOf(metrics: Metrics, to: string, proto: string): ConnectionCounters {
  return {
    ...countersOf(metrics, to, proto),
    ahead: metrics.counter(
      'connections_ahead_total',
      'Connections that were opened before a query wanted them.',
      { to, proto },
    ),
  };
}

function httpCountersOf(
  metrics: Metrics,
  to: string,
): { readonly httpErrors: Counter; readonly oversized: Counter } {
  return {
    httpErrors: metrics.counter(
      'http_errors_total',
      'HTTP replies of an upstream that are no DNS messages.',
      { to },
    ),
    oversized: metrics.counter(
      'oversized_replies_total',
      'HTTP replies of an upstream that are longer than a DNS message can be.',
      { to },
    ),
  };
}
