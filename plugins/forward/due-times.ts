// Hot path. When each race wants to be looked at next, with one timer for all of them.
//
// Nearly every race is over long before that, so setting a time and clearing it is a store each. The timer is set for the earliest time there was when it was; once it
// fires all times are looked through, a few thousand numbers in a row at most, and what is due is told.
import type { Clock, Timers } from '../../core/plugin.js';

/** Room at first; twice as much whenever that is too little. */
const FIRST_ROOM = 64;

const NEVER = Number.POSITIVE_INFINITY;

export class DueTimes {
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #onDue: (index: number) => void;
  #dueMs = new Float64Array(FIRST_ROOM).fill(NEVER);
  /** When the timer fires; lower than any time while it does, so that nobody starts another one. */
  #firesMs = NEVER;
  #timer = 0;

  /** `onDue` is called at the first tick of the timers at or after a time that was set; the time is cleared then. */
  constructor(clock: Clock, timers: Timers, onDue: (index: number) => void) {
    this.#clock = clock;
    this.#timers = timers;
    this.#onDue = onDue;
  }

  /** Sets the time of a race in place of the one it had. False when no timer was to be had, then it has none. */
  set(index: number, dueMs: number): boolean {
    if (index >= this.#dueMs.length) this.#grow(index);
    this.#dueMs[index] = dueMs;
    if (dueMs >= this.#firesMs || this.#startTimer(dueMs)) return true;
    this.#dueMs[index] = NEVER;
    return false;
  }

  clear(index: number): void {
    if (index < this.#dueMs.length) this.#dueMs[index] = NEVER;
  }

  /** Takes the timer back. No time is set any more, or will be. */
  close(): void {
    this.#timers.cancel(this.#timer);
  }

  /** In place of one for later. */
  #startTimer(dueMs: number): boolean {
    const timer = this.#timers.start(Math.max(0, dueMs - this.#clock.nowMs), this.#onTimer, 0);
    if (timer === 0) return false;
    this.#timers.cancel(this.#timer);
    this.#timer = timer;
    this.#firesMs = dueMs;
    return true;
  }

  readonly #onTimer = (): void => {
    this.#firesMs = Number.NEGATIVE_INFINITY;
    try {
      this.#tellDue(this.#clock.nowMs);
    } finally {
      this.#firesMs = NEVER;
      const earliestMs = this.#earliest();
      // Without a timer the next time that is set starts one.
      if (earliestMs !== NEVER) this.#startTimer(earliestMs);
    }
  };

  #tellDue(nowMs: number): void {
    for (let i = 0; i < this.#dueMs.length; i++) {
      if ((this.#dueMs[i] as number) > nowMs) continue;
      this.#dueMs[i] = NEVER;
      this.#onDue(i);
    }
  }

  #earliest(): number {
    let earliestMs = NEVER;
    for (let i = 0; i < this.#dueMs.length; i++) {
      const dueMs = this.#dueMs[i] as number;
      if (dueMs < earliestMs) earliestMs = dueMs;
    }
    return earliestMs;
  }

  #grow(index: number): void {
    let room = this.#dueMs.length;
    while (room <= index) room *= 2;
    const dueMs = new Float64Array(room).fill(NEVER);
    dueMs.set(this.#dueMs);
    this.#dueMs = dueMs;
  }
}
