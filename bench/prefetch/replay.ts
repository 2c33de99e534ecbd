// Clients that ask for what a trace says, at its times, of the real cache handler in front of a model of an upstream. The clock goes as fast as it can.
import { type Query, Reply, type ReplySink, RRClass, RRType, TIMERS } from '../../core/plugin.js';
import {
  FakeClock,
  type FakeMetrics,
  FakeTimers,
  fakeServices,
  makeQuery,
  parseDirective,
} from '../../core/testing.js';
import { CacheHandler } from '../../plugins/cache/cache.js';
import { CacheControl } from '../../plugins/cache/control.js';
import cache, { optionsOf, sizesOf } from '../../plugins/cache/setup.js';
import type { CacheConfig } from '../../plugins/cache/syntax.js';
import prefetch from '../../plugins/prefetch/setup.js';
import type { TimedTrace } from '../hitrate/day.js';
import { ModelUpstream } from './upstream.js';

const SEED = 21;

/** A Monday. */
const MIDNIGHT_MS = Date.UTC(2026, 0, 5);

/** The main thread counts every second. That changes nothing and takes a third of the time. */
const TICK_SECONDS = 16;

const HEADER_BYTES = 12;
const OUT_BYTES = 4096;
const SUFFIX = Buffer.from('\x07example\x03net\x00', 'latin1');

export interface Outcome {
  readonly queries: number;
  /** Of them answered at once. */
  readonly hits: number;
  /** Milliseconds that each query waited, in order of length. */
  readonly waits: Float32Array;
  /** Queries that reached the upstream. */
  readonly asked: number;
  /** The most that did in a second. */
  readonly mostAsked: number;
  readonly metrics: FakeMetrics;
  readonly names: number;
  readonly nameBytes: number;
}

/** Replays a trace with a *cache*, and a *prefetch* if there is a text for it. */
export function replay(trace: TimedTrace, cacheText: string, prefetchText = ''): Outcome {
  return new Replay(trace, cacheText, prefetchText).run();
}

class Replay implements ReplySink {
  readonly #trace: TimedTrace;
  readonly #clock = new FakeClock();
  readonly #startMs = this.#clock.nowMs;
  readonly #handler: CacheHandler;
  readonly #control: CacheControl;
  readonly #controlMetrics: FakeMetrics;
  readonly #metrics: FakeMetrics;
  readonly #upstream = new ModelUpstream(() => this.#clock.nowMs, SEED);
  readonly #free: Query[] = [];
  readonly #waits: Float32Array;
  #answered = 0;
  #hits = 0;

  constructor(trace: TimedTrace, cacheText: string, prefetchText: string) {
    this.#trace = trace;
    this.#waits = new Float32Array(trace.ids.length);
    const config = parseDirective(cache, cacheText)[0] as CacheConfig;
    const parts = new Map<string, unknown>();
    if (prefetchText !== '') parts.set('prefetch', parseDirective(prefetch, prefetchText)[0]);
    const clock = this.#clock;
    const control = fakeServices({ clock, block: { parts } });
    this.#controlMetrics = control.metrics;
    this.#control = new CacheControl(sizesOf(config, parts), config.zones, control);
    const services = fakeServices({
      clock,
      block: { parts },
      tokens: [[TIMERS, new FakeTimers(clock)]],
    });
    this.#metrics = services.metrics;
    this.#handler = new CacheHandler(
      optionsOf(config, parts),
      this.#control.published,
      services,
      () => MIDNIGHT_MS + clock.nowMs - this.#startMs,
    );
    this.#handler.onLink((q) => this.#upstream.ask(q));
    this.#handler.onStart();
  }

  run(): Outcome {
    const { ids, seconds } = this.#trace;
    const upstream = this.#upstream;
    let mostAsked = 0;
    let second = 0;
    let askedBefore = 0;
    let nextSecondMs = this.#startMs + 1000;
    for (let i = 0; i < ids.length; ) {
      const queryMs = this.#startMs + (seconds[i] as number) * 1000;
      const atMs = Math.min(queryMs, upstream.nextMs, nextSecondMs);
      this.#clock.advance(Math.max(0, atMs - this.#clock.nowMs));
      upstream.answer();
      if (atMs === nextSecondMs) {
        nextSecondMs += 1000;
        mostAsked = Math.max(mostAsked, upstream.asked - askedBefore);
        askedBefore = upstream.asked;
        if (++second % TICK_SECONDS === 0) this.#control.tick();
      }
      if (atMs === queryMs) this.#ask(ids[i++] as number);
    }
    while (upstream.nextMs !== Number.POSITIVE_INFINITY) {
      this.#clock.advance(Math.max(0, upstream.nextMs - this.#clock.nowMs));
      upstream.answer();
    }
    this.#control.tick();
    return {
      queries: ids.length,
      hits: this.#hits,
      waits: this.#waits.sort(),
      asked: upstream.asked,
      mostAsked,
      metrics: this.#metrics,
      names: this.#controlMetrics.value('/prefetch_names'),
      nameBytes: this.#controlMetrics.value('/prefetch_bytes'),
    };
  }

  deliver(q: Query): void {
    this.#waits[this.#answered++] = this.#clock.nowMs - q.receivedMs;
    this.#free.push(q);
  }

  fault(_q: Query, error: unknown): void {
    throw error;
  }

  #ask(id: number): void {
    const q = this.#free.pop() ?? this.#newQuery();
    setName(q, id);
    q.receivedMs = this.#clock.nowMs;
    const answer = this.#handler.serve(q, (query) => this.#upstream.ask(query));
    if (!(answer instanceof Reply)) return;
    this.#hits++;
    this.#waits[this.#answered++] = 0;
    this.#free.push(q);
  }

  #newQuery(): Query {
    const q = makeQuery('example.net', 'A', {}, this as never);
    q.wire = new Uint8Array(HEADER_BYTES + 64 + SUFFIX.length + 4);
    q.wire.set([0, 1, 1, 0, 0, 1]);
    q.out = new Uint8Array(OUT_BYTES);
    return q;
  }
}

/** A name of 17 to 33 bytes, 25 in the mean: about what real ones have. */
function setName(q: Query, id: number): void {
  q.reset();
  const text = `n${id.toString(36)}`.padEnd(3 + (Math.imul(id + 1, 0x9e3779b1) >>> 28), 'x');
  const { wire, folded } = q;
  let at = HEADER_BYTES;
  wire[at++] = text.length;
  for (let i = 0; i < text.length; i++) wire[at++] = text.charCodeAt(i);
  wire.set(SUFFIX, at);
  q.qnameEnd = at + SUFFIX.length;
  q.labels = 3;
  q.qtype = RRType.A;
  q.qclass = RRClass.IN;
  wire.set([0, 1, 0, 1], q.qnameEnd);
  q.length = q.qnameEnd + 4;
  q.folded32.fill(0);
  folded.set(wire.subarray(HEADER_BYTES, q.qnameEnd));
}
