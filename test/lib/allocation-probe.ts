// A plugin for tests: between two queries for a name that begins with the label `mark` it counts what the worker's thread allocates and what of that
// stays. Needs --expose-gc; the counts are logged as JSON.
import { GCProfiler } from 'node:v8';
import { definePlugin, directive, type Handler, type Logger, Rcode } from 'heimdall';

/** What the thread did between two marks. */
export interface AllocationCount {
  /** Bytes allocated on the heap, whether they were collected again or not. */
  readonly allocated: number;
  /** Bytes that were still reachable at the end and were not at the start; less than 0 when the heap shrank. */
  readonly kept: number;
  readonly collections: number;
  /** Turns of the event loop. */
  readonly turns: number;
}

interface UvTiming {
  readonly uvMetricsInfo: { readonly loopCount: number };
}

/** The label `mark` on the wire. */
const MARK = [4, ...Buffer.from('mark')];

class Meter {
  #profiler = new GCProfiler();
  #base = heapUsed();
  #turns = turns();

  constructor() {
    this.#profiler.start();
  }

  count(): AllocationCount {
    const { statistics } = this.#profiler.stop();
    let allocated = heapUsed() - this.#base;
    for (const { beforeGC, afterGC } of statistics) {
      allocated += beforeGC.heapStatistics.usedHeapSize - afterGC.heapStatistics.usedHeapSize;
    }
    const base = this.#base;
    const turned = turns() - this.#turns;
    this.#restart();
    return { allocated, kept: this.#base - base, collections: statistics.length, turns: turned };
  }

  #restart(): void {
    // Twice: what only a finalizer held goes with the second.
    global.gc?.();
    global.gc?.();
    this.#profiler = new GCProfiler();
    this.#base = heapUsed();
    this.#turns = turns();
    this.#profiler.start();
  }
}

function turns(): number {
  // Since Node 20.18; the types are of an earlier one.
  const { uvMetricsInfo } = performance.nodeTiming as unknown as UvTiming;
  return uvMetricsInfo.loopCount;
}

function heapUsed(): number {
  return process.memoryUsage().heapUsed;
}

function createProbe(log: Logger): Handler {
  let meter: Meter | undefined;
  return {
    serve(q, next) {
      for (let i = 0; i < MARK.length; i++) {
        if (q.wire[q.qnameOffset + i] !== MARK[i]) return next(q);
      }
      meter ??= new Meter();
      log.info(JSON.stringify(meter.count()));
      return q.replyRcode(Rcode.NXDOMAIN);
    },
  };
}

export default definePlugin({
  name: 'probe',
  before: 'cache',
  syntax: directive({}),
  setup: (_config, { log }) => createProbe(log),
});
