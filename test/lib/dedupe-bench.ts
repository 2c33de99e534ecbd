// *dedupe* in front of an upstream that answers when the test says so, with time and sink of a server.
import { DnsError, type Next, type Query, type Reply, TIMERS } from '../../core/plugin.js';
import {
  ask,
  FakeClock,
  type FakeMetrics,
  FakeTimers,
  fakeServices,
  makeQuery,
  type QueryOptions,
  replyFrom,
  TestSink,
} from '../../core/testing.js';
import { allocateDedupe, type DedupeMemory } from '../../plugins/dedupe/control.js';
import { DedupeHandler } from '../../plugins/dedupe/dedupe.js';

export type Decoded = Awaited<ReturnType<typeof ask>>;

/** What a failing upstream answers with. */
export const FAILURE = new DnsError('ERR_UPSTREAM_TIMEOUT');

/** A sink that does as the server does: a fault is answered SERVFAIL, and the handlers are told. */
class ServerSink extends TestSink {
  observe: (q: Query, reply: Reply) => void = () => {};

  override fault(q: Query, error: unknown): void {
    super.fault(q, error);
    this.observe(q, q.replyError(new DnsError('ERR_PLUGIN_FAULT')));
  }
}

/** How long queries wait for one leader: the default. */
export const TIMEOUT_MS = 6000;

/** One of several workers, which share memory and a clock. */
export interface Seat {
  readonly memory: DedupeMemory;
  readonly clock: FakeClock;
  readonly worker: number;
  readonly workers: number;
}

/** *dedupe* in front of a slow upstream, which answers when the test says so. */
export class DedupeBench {
  readonly clock: FakeClock;
  readonly timers: FakeTimers;
  readonly metrics: FakeMetrics;
  readonly handler: DedupeHandler;
  readonly sink = new ServerSink();
  /** Queries that reached the upstream and are not answered, oldest first. */
  readonly upstream: Query[] = [];
  asked = 0;
  /** Lent to every deferred query, as the server does. */
  readonly #scratch = new Uint8Array(4096);

  constructor(waiters = 10_000, seat?: Seat) {
    this.clock = seat?.clock ?? new FakeClock();
    this.timers = new FakeTimers(this.clock);
    const { worker = 0, workers = 1 } = seat ?? {};
    const tokens = [[TIMERS, this.timers]] as const;
    const services = fakeServices({ clock: this.clock, tokens, worker, workers });
    this.metrics = services.metrics;
    const memory = seat?.memory ?? allocateDedupe(1);
    this.handler = new DedupeHandler({ waiters, timeoutMs: TIMEOUT_MS }, memory, services);
    this.sink.observe = (q, reply) => this.handler.observe(q, reply);
  }

  readonly next: Next = (q) => {
    this.asked++;
    this.upstream.push(q);
    return q.defer();
  };

  query(name = 'example.org', options: QueryOptions = {}, type = 'A'): Query {
    const q = makeQuery(name, type, options, this.sink);
    q.out = this.#scratch;
    return q;
  }

  ask(q: Query = this.query(), next = this.next): Promise<Decoded> {
    return ask(this.handler, q, next);
  }

  /** The oldest query at the upstream gets this address. */
  answer(address = '192.0.2.1'): void {
    const q = this.upstream.shift() as Query;
    q.settle(withAddress(q, address));
  }

  /** The oldest query at the upstream fails. */
  fail(): void {
    const q = this.upstream.shift() as Query;
    q.settle(q.replyError(FAILURE));
  }

  get waiting(): number {
    return this.metrics.value('waiters');
  }
}

/** A reply for `q` with one A record. */
export function withAddress(q: Query, address: string): Reply {
  return replyFrom(q, { answers: [{ type: 'A', name: 'example.org', ttl: 60, data: address }] });
}

/** The address in a reply made by `withAddress`. */
export function addressOf(reply: Decoded): string | undefined {
  return (reply.answers?.[0] as { data?: string } | undefined)?.data;
}

/** So many workers over one memory; their mail is taken when the test says so. */
export function dedupeWorkers(workers: number, memory = allocateDedupe(workers)): DedupeBench[] {
  const clock = new FakeClock();
  return Array.from(
    { length: workers },
    (_, worker) => new DedupeBench(10_000, { memory, clock, worker, workers }),
  );
}

/** Every worker takes its mail, until there is none. */
export function exchange(workers: readonly DedupeBench[]): void {
  for (let i = 0; i < 3; i++) for (const worker of workers) worker.handler.onMail();
}

export function asked(workers: readonly DedupeBench[]): number[] {
  return workers.map((worker) => worker.asked);
}

export function sumOf(workers: readonly DedupeBench[], name: string, labels = {}): number {
  return workers.reduce((sum, worker) => sum + worker.metrics.value(name, labels), 0);
}
