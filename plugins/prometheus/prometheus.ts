// Hot path. Counts every reply of a server block. Cells are looked up by number, never by text; a combination gets its cell when it first occurs.
import {
  type Counter,
  familyOf,
  type Handler,
  type Histogram,
  type Labels,
  type Metrics,
  type Next,
  type Query,
  type Reply,
  RRType,
  rcodeName,
  type Services,
  Transport,
  typeName,
} from '../../core/plugin.js';

/** 0.25 ms, doubled 15 times: up to about 8 s. */
export const DURATION_BUCKETS = Array.from({ length: 16 }, (_, i) => 0.00025 * 2 ** i);

export const SIZE_BUCKETS = [
  0, 100, 200, 300, 400, 511, 1023, 2047, 4095, 8291, 16e3, 32e3, 48e3, 64e3,
];

/** Types that get a label of their own; all the rest is `other`, so that strangers cannot make series. */
const COUNTED_TYPES: readonly number[] = [
  RRType.A,
  RRType.AAAA,
  RRType.ANY,
  RRType.AXFR,
  RRType.CNAME,
  RRType.DNSKEY,
  RRType.DS,
  RRType.HTTPS,
  RRType.IXFR,
  RRType.MX,
  RRType.NS,
  RRType.NSEC,
  RRType.NSEC3,
  RRType.PTR,
  RRType.RRSIG,
  RRType.SOA,
  RRType.SRV,
  RRType.SVCB,
  RRType.TXT,
];

const TYPES = COUNTED_TYPES.length + 1;
const OTHER_TYPE = COUNTED_TYPES.length;

/** By type: index of its label. Every counted type is below 256. */
const TYPE_INDEX = Uint8Array.from({ length: 256 }, (_, type) => {
  const index = COUNTED_TYPES.indexOf(type);
  return index < 0 ? OTHER_TYPE : index;
});

/** Rcodes with a name are below this (RFC 6895 2.3); the rest is `other`. */
const NAMED_RCODES = 24;
const RCODES = NAMED_RCODES + 1;

/** Rows of a table by how the query came. */
const PROTOS = ['udp', 'tcp'] as const;
const FAMILIES = ['1', '2'] as const;

/** What is counted for one listener and zone. */
interface Row {
  readonly requests: (Counter | null)[];
  readonly responses: (Counter | null)[];
  readonly duration: Histogram;
  /** By protocol. */
  readonly requestSize: (Histogram | null)[];
  readonly responseSize: (Histogram | null)[];
  dnssecOk: Counter | null;
}

export class CountingHandler implements Handler {
  readonly #metrics: Metrics;
  readonly #servers: readonly string[];
  readonly #zones: readonly string[];
  readonly #view: string;
  readonly #plugins: readonly string[];
  readonly #rows: (Row | null)[];

  constructor({ metrics, block, servers }: Services) {
    this.#metrics = metrics;
    this.#servers = servers;
    this.#zones = block.zones;
    this.#view = block.view;
    this.#plugins = block.plugins;
    this.#rows = new Array(servers.length * block.zones.length).fill(null);
  }

  serve(q: Query, next: Next): ReturnType<Next> {
    return next(q);
  }

  observe(q: Query, reply: Reply): void {
    const at = q.server * this.#zones.length + q.zone;
    const row = this.#rows[at] ?? this.#addRow(at, q);
    const proto = q.transport === Transport.UDP ? 0 : 1;
    const family = familyOf(q.peer) === 6 ? 1 : 0;
    const type = q.qtype < 256 ? (TYPE_INDEX[q.qtype] as number) : OTHER_TYPE;
    const rcode = Math.min(reply.rcode, NAMED_RCODES);

    const request = (proto * 2 + family) * TYPES + type;
    (row.requests[request] ?? this.#addRequest(row, request, q)).inc();
    const response = rcode * (this.#plugins.length + 1) + q.depth + 1;
    (row.responses[response] ?? this.#addResponse(row, response, q, rcode)).inc();
    if (q.dnssecOk) (row.dnssecOk ?? this.#addDnssecOk(row, q)).inc();
    if (row.requestSize[proto] === null) this.#addSizes(row, proto, q);
    (row.requestSize[proto] as Histogram).observe(q.length);
    (row.responseSize[proto] as Histogram).observe(reply.length);
    row.duration.observe((q.repliedMs - q.receivedMs) / 1000);
  }

  #labels(q: Query): Labels {
    return {
      server: this.#servers[q.server] ?? '',
      zone: this.#zones[q.zone] ?? '.',
      view: this.#view,
    };
  }

  #addRow(at: number, q: Query): Row {
    const row: Row = {
      requests: new Array(PROTOS.length * FAMILIES.length * TYPES).fill(null),
      responses: new Array(RCODES * (this.#plugins.length + 1)).fill(null),
      duration: this.#metrics.histogram(
        '/dns_request_duration_seconds',
        'Time from receiving a query to sending its reply.',
        DURATION_BUCKETS,
        this.#labels(q),
      ),
      requestSize: [null, null],
      responseSize: [null, null],
      dnssecOk: null,
    };
    this.#rows[at] = row;
    return row;
  }

  #addRequest(row: Row, index: number, q: Query): Counter {
    const type = COUNTED_TYPES[index % TYPES];
    const way = Math.floor(index / TYPES);
    const counter = this.#metrics.counter('/dns_requests_total', 'Queries answered.', {
      ...this.#labels(q),
      proto: PROTOS[way >> 1] ?? '',
      family: FAMILIES[way & 1] ?? '',
      type: type === undefined ? 'other' : typeName(type),
    });
    row.requests[index] = counter;
    return counter;
  }

  #addResponse(row: Row, index: number, q: Query, rcode: number): Counter {
    const counter = this.#metrics.counter('/dns_responses_total', 'Replies sent.', {
      ...this.#labels(q),
      rcode: rcode < NAMED_RCODES ? rcodeName(rcode) : 'other',
      plugin: this.#plugins[q.depth] ?? '',
    });
    row.responses[index] = counter;
    return counter;
  }

  #addDnssecOk(row: Row, q: Query): Counter {
    const counter = this.#metrics.counter(
      '/dns_do_requests_total',
      'Queries with the DO bit.',
      this.#labels(q),
    );
    row.dnssecOk = counter;
    return counter;
  }

  #addSizes(row: Row, proto: number, q: Query): void {
    const labels = { ...this.#labels(q), proto: PROTOS[proto] ?? '' };
    row.requestSize[proto] = this.#metrics.histogram(
      '/dns_request_size_bytes',
      'Size of queries.',
      SIZE_BUCKETS,
      labels,
    );
    row.responseSize[proto] = this.#metrics.histogram(
      '/dns_response_size_bytes',
      'Size of replies.',
      SIZE_BUCKETS,
      labels,
    );
  }
}
