// What the listeners of one worker share: receive slots, outbox, pools, limits and counts.
import { DnsError } from '../chain/errors.js';
import type { Query, ReplySink } from '../chain/query.js';
import type { Counter, Logger, Metrics, Timers } from '../chain/services.js';
import type { Batch, SocketLayer } from '../system/sockets.js';
import { MAX_UDP_BYTES, Verdict } from '../wire/accept.js';
import { FaultLog } from './faults.js';
import { type Limits, limitsOf } from './limits.js';
import { Outbox } from './outbox.js';
import { Parked } from './parked.js';
import { QueryPool } from './query-pool.js';

/** Datagrams per system call: 256 measured 309,000/s against 278,000-298,000 for 64. */
const BATCH = 256;

/**
 * 4096 bytes hold the largest message sent over UDP here; 64 more spread the slots' first lines over all sets of the processor's caches, which
 * a stride of one page would put into one.
 */
const SLOT_BYTES = 4096 + 64;

/** The largest message (RFC 1035 4.2.2), for deferred queries and TCP. */
const SCRATCH_BYTES = 65_535;

export interface Counters {
  /** Datagrams longer than a slot. */
  readonly oversized: Counter;
  /** By verdict of the acceptance gate. */
  readonly rejected: readonly (Counter | undefined)[];
  /** Queries for a zone or class that no block serves. */
  readonly refused: Counter;
}

export interface SharedClock {
  nowMs: number;
  refresh(): void;
}

/** A listener or connection as the taker of deferred replies. */
export interface ServerSink extends ReplySink {
  /** A limit was reached before the reply came: answers with `error`. The plugin still holds the object, which comes back by `deliver`. */
  expire(q: Query, error: DnsError): void;
}

const TIMEOUT = new DnsError('ERR_QUERY_TIMEOUT');

export class Shared {
  readonly clock: SharedClock;
  readonly rx: Batch;
  /** The query object of each receive slot. */
  readonly queries: Query[] = [];
  readonly pool: QueryPool;
  readonly outbox: Outbox;
  readonly parked: Parked;
  readonly counters: Counters;
  readonly limits: Limits;
  /** Where replies of deferred queries are written until they are sent. */
  readonly scratch = new Uint8Array(SCRATCH_BYTES);
  /** Where those are finished that cannot be sent at once, before they are copied. */
  readonly lateOut = new Uint8Array(MAX_UDP_BYTES);
  /** The same as `scratch` of queries that are answered at once over a stream: a plugin may settle others before it gives its reply. */
  readonly streamOut = new Uint8Array(SCRATCH_BYTES);
  readonly #faults: FaultLog;
  readonly #faulted: Counter;
  readonly #sockets: SocketLayer;

  constructor(options: {
    readonly sockets: SocketLayer;
    readonly timers: Timers;
    readonly clock: SharedClock;
    readonly metrics: Metrics;
    readonly log: Logger;
    readonly isDebug: boolean;
  }) {
    const { sockets, metrics } = options;
    this.clock = options.clock;
    this.#sockets = sockets;
    this.#faults = new FaultLog(options.log, options.isDebug);
    this.#faulted = metrics.counter('/panics_total', 'Faults of plugins.');
    this.counters = makeCounters(metrics);
    this.limits = limitsOf(metrics);
    this.pool = new QueryPool(this.limits.objects);
    this.rx = sockets.createBatch(BATCH, SLOT_BYTES, true);
    const unsent = metrics.counter('unsent_total', 'Replies the kernel had no room for.');
    const tx = sockets.createBatch(BATCH, SLOT_BYTES);
    this.outbox = new Outbox(tx, this.clock, this.pool, this.#faults, unsent);
    this.parked = new Parked(options.timers, this.#onLimit, this.limits.waiting);
  }

  /** Fills the receive slots' query objects. */
  begin(sink: Query['sink']): void {
    while (this.queries.length < this.rx.capacity) this.queries.push(this.pool.take(sink));
  }

  readonly #onLimit = (q: Query): void => {
    this.limits.time.inc();
    (q.sink as ServerSink).expire(q, TIMEOUT);
  };

  requestFlush(): void {
    this.#sockets.requestFlush();
  }

  /** Counts and logs a fault of the plugin that had the query. */
  reportFault(q: Query, error: unknown): void {
    this.#faulted.inc();
    const plugin = q.chain?.steps[q.depth]?.plugin ?? 'core';
    this.#faults.report(plugin, error, this.clock.nowMs);
  }
}

function makeCounters(metrics: Metrics): Counters {
  const help = 'Messages that did not reach a chain.';
  const dropped = (reason: string): Counter => metrics.counter('rejected_total', help, { reason });
  const rejected: (Counter | undefined)[] = [];
  rejected[Verdict.IGNORE] = dropped('ignored');
  rejected[Verdict.FORMERR] = dropped('malformed');
  rejected[Verdict.NOTIMP] = dropped('opcode');
  rejected[Verdict.BADVERS] = dropped('edns_version');
  return { oversized: dropped('oversized'), rejected, refused: dropped('zone') };
}
