// The coarse clock of a thread: read once per batch, on one time base in every thread of the process.
import { performance } from 'node:perf_hooks';
import type { Clock } from './services.js';

/**
 * `process.hrtime` is CLOCK_MONOTONIC, the same in every thread, but allocates; `performance.now` does not, and counts from the thread's own
 * start. The difference is taken once.
 */
export class CoarseClock implements Clock {
  nowMs: number;
  readonly #offsetMs: number;
  /** It was read in this callback of the event loop. */
  #isFresh = false;

  constructor() {
    const [seconds, nanoseconds] = process.hrtime();
    this.#offsetMs = seconds * 1000 + nanoseconds / 1e6 - performance.now();
    this.nowMs = performance.now() + this.#offsetMs;
  }

  /** Reads the time; for the server, once per batch and timer tick. */
  refresh(): void {
    this.nowMs = performance.now() + this.#offsetMs;
    if (this.#isFresh) return;
    this.#isFresh = true;
    queueMicrotask(this.#endCallback);
  }

  freshen(): void {
    if (!this.#isFresh) this.refresh();
  }

  readonly #endCallback = (): void => {
    this.#isFresh = false;
  };
}
