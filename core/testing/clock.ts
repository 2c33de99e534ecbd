// Time for tests: it moves when the test says so.
import type { Clock, Timers } from '../chain/services.js';

export class FakeClock implements Clock {
  nowMs = 1_000_000;
  readonly #listeners: ((nowMs: number) => void)[] = [];

  /** Moves time on and fires what is due. */
  advance(ms: number): void {
    this.nowMs += ms;
    for (const listener of this.#listeners) listener(this.nowMs);
  }

  onAdvance(listener: (nowMs: number) => void): void {
    this.#listeners.push(listener);
  }

  refresh(): void {}
}

/** Timers that fire while the clock they belong to is advanced. */
export class FakeTimers implements Timers {
  readonly #clock: FakeClock;
  readonly #due = new Map<number, { atMs: number; fire: (arg: number) => void; arg: number }>();
  #last = 0;

  constructor(clock: FakeClock) {
    this.#clock = clock;
    clock.onAdvance((nowMs) => this.#run(nowMs));
  }

  /** Timers that wait. */
  get size(): number {
    return this.#due.size;
  }

  start(delayMs: number, fire: (arg: number) => void, arg: number): number {
    this.#due.set(++this.#last, { atMs: this.#clock.nowMs + delayMs, fire, arg });
    return this.#last;
  }

  cancel(handle: number): void {
    this.#due.delete(handle);
  }

  #run(nowMs: number): void {
    for (const [handle, timer] of [...this.#due].sort((a, b) => a[1].atMs - b[1].atMs)) {
      if (timer.atMs > nowMs || !this.#due.delete(handle)) continue;
      timer.fire(timer.arg);
    }
  }
}
