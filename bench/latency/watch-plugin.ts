// A plugin for benchmarks: watches the event loops of the worker and of the main thread from a timer of a millisecond, and says every five seconds by how much that was
// late at most: in all, and without the time for which the kernel kept the thread waiting for a processor. Passes every query on.
import { closeSync, openSync, readSync } from 'node:fs';
import { GCProfiler } from 'node:v8';
import { definePlugin, directive, type Handler, type Logger } from 'heimdall';

const PERIOD_MS = 5000;
const TICK_MS = 1;
/** Time spent running, time spent ready to run, both in nanoseconds, and the number of turns. */
const SCHEDULE = '/proc/thread-self/schedstat';

class Watch {
  readonly #log: Logger;
  readonly #thread: string;
  readonly #schedule = openSync(SCHEDULE, 'r');
  readonly #text = Buffer.alloc(128);
  readonly #timers: NodeJS.Timeout[];
  #collector = new GCProfiler();
  #lastMs = performance.now();
  #lastWaitedMs = this.#waitedMs();
  #startWaitedMs = this.#lastWaitedMs;
  #mostMs = 0;
  #mostOwnMs = 0;

  constructor(log: Logger, thread: string) {
    this.#log = log;
    this.#thread = thread;
    this.#collector.start();
    this.#timers = [
      setInterval(() => this.#tick(), TICK_MS),
      setInterval(() => this.#report(), PERIOD_MS),
    ];
  }

  close(): void {
    for (const timer of this.#timers) clearInterval(timer);
    this.#collector.stop();
    closeSync(this.#schedule);
  }

  #tick(): void {
    const nowMs = performance.now();
    const waitedMs = this.#waitedMs();
    const lateMs = nowMs - this.#lastMs - TICK_MS;
    this.#mostMs = Math.max(this.#mostMs, lateMs);
    this.#mostOwnMs = Math.max(this.#mostOwnMs, lateMs - (waitedMs - this.#lastWaitedMs));
    this.#lastMs = nowMs;
    this.#lastWaitedMs = waitedMs;
  }

  #report(): void {
    const costs = this.#collector.stop().statistics.map((s) => s.cost / 1000);
    const waited = (this.#lastWaitedMs - this.#startWaitedMs) / PERIOD_MS;
    this.#log.info(
      `${this.#thread} late by ${this.#mostMs.toFixed(1)} ms at most, ${this.#mostOwnMs.toFixed(1)} ms of its own; ` +
        `${costs.length} collections, longest ${Math.max(0, ...costs).toFixed(1)} ms; ` +
        `waited for a processor ${(waited * 100).toFixed(1)} % of the time`,
    );
    this.#mostMs = 0;
    this.#mostOwnMs = 0;
    this.#startWaitedMs = this.#lastWaitedMs;
    this.#collector = new GCProfiler();
    this.#collector.start();
  }

  #waitedMs(): number {
    const length = readSync(this.#schedule, this.#text, 0, this.#text.length, 0);
    return Number(this.#text.toString('latin1', 0, length).split(' ')[1]) / 1e6;
  }
}

/** The part of either thread: watches from start to stop. */
function watching(log: Logger, thread: string): { onStart(): void; onStop(): void } {
  let watch: Watch | undefined;
  return {
    onStart() {
      watch = new Watch(log, thread);
    },
    onStop: () => watch?.close(),
  };
}

export default definePlugin({
  name: 'watch',
  before: 'cache',
  syntax: directive({}),
  setup: (_config, { log, worker }): Handler => ({
    ...watching(log, `worker ${worker}`),
    serve: (q, next) => next(q),
  }),
  control: (_config, { log }) => watching(log, 'main thread'),
});
