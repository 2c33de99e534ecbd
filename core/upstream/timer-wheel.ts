// Hot path. Coarse timers for many short time-outs: a hashed wheel in typed arrays, driven by one timer of Node while any is pending.
//
// A timer is the number of a row of words and stands in the doubly linked list of the bucket `dueTick mod BUCKETS`. Starting and cancelling are
// a few writes to a row or two, each within a cache line. When the wheel turns, each bucket passed gives its due timers to a list of their own,
// which is then fired from its front: so a callback may start and cancel whatever it likes, and a timer that is not due in this turn costs one
// comparison.
//
// Precision: a timer fires in the first tick (10 ms) at or after its time, never before; that counts from when the clock was read last in the callback that
// started it, some milliseconds ago in a long batch. Between fires nothing wakes the thread up.
import type { Clock, Counter, Gauge, Timers } from '../chain/services.js';

/** Length of a tick: the precision promised. */
const TICK_MS = 10;

/** Buckets of the wheel, a power of two: one turn is 10.24 s, longer than any time-out of a query, so that most turns find only due timers. */
const BUCKETS = 1024;

/** Timers there is room for at first. */
const INITIAL_TIMERS = 1024;

/** Words of a timer: its neighbours in its bucket, or of a free one the next free; its bucket; the tick it is due at, modulo 2^32; what it calls back with. */
const NEXT = 0;
const PREVIOUS = 1;
const BUCKET = 2;
const DUE = 3;
const ARG = 4;
const GENERATION = 5;
const ROW_SHIFT = 3;

/** Bits of a handle that say which timer; the others tell its uses apart. */
const INDEX_BITS = 20;

/** Most timers at once: what a handle can name. Fifteen times what a worker lets in flight; `start` gives 0 beyond it. */
export const TIMER_LIMIT = 1 << INDEX_BITS;

/** Uses of one place in the arrays that a handle tells apart; handles stay 31-bit integers, which are never boxed. */
const GENERATIONS = 1 << (31 - INDEX_BITS);

/** Longest delay, as Node's own timers have it. */
const MAX_DELAY_MS = 0x7fffffff;

/** Pseudo-bucket of the timers that are due in this turn, and the mark of a place that is free. */
const FIRING = BUCKETS;
const FREE = -1;

type Fire = (arg: number) => void;

/** What a wheel shows of its limit: the timers it has room for, and those not started for want of room. */
export interface TimerLimits {
  readonly slots: Gauge;
  readonly refused: Counter;
}

const noFire: Fire = () => undefined;

export class TimerWheel implements Timers {
  readonly #clock: Clock;
  readonly #isDriven: boolean;
  readonly #limits: TimerLimits | undefined;
  readonly #heads = new Int32Array(BUCKETS + 1).fill(FREE);
  readonly #tails = new Int32Array(BUCKETS + 1).fill(FREE);
  #rows = new Int32Array(INITIAL_TIMERS << ROW_SHIFT);
  readonly #fires: Fire[] = [];
  /** Free places, oldest first, so that a place is not used again soon: a stale handle then names nothing for long. */
  #freeHead = FREE;
  #freeTail = FREE;
  #capacity = INITIAL_TIMERS;
  #pending = 0;
  /** The last tick whose bucket was emptied. */
  #tick: number;
  #wake: NodeJS.Timeout | undefined;
  #wakeTick = 0;
  #isTurning = false;

  /** With `isDriven` false nothing fires but from `advance`: for tests. */
  constructor(clock: Clock, isDriven = true, limits?: TimerLimits) {
    this.#clock = clock;
    this.#isDriven = isDriven;
    this.#limits = limits;
    limits?.slots.set(INITIAL_TIMERS);
    this.#tick = Math.floor(clock.nowMs / TICK_MS);
    this.#freeFrom(0);
  }

  /** Timers started and neither fired nor cancelled. */
  get pending(): number {
    return this.#pending;
  }

  /** Starts a timer; see `Timers`. Gives 0, and starts nothing, when TIMER_LIMIT timers are pending. */
  start(delayMs: number, fire: Fire, arg: number): number {
    if (this.#freeHead === FREE && !this.#grow()) return 0;
    const timer = this.#freeHead;
    const row = timer << ROW_SHIFT;
    this.#freeHead = this.#rows[row + NEXT] as number;
    if (this.#freeHead === FREE) this.#freeTail = FREE;
    // Whoever comes from an event that is no batch (a connection, a promise) may find the time as old as the last batch.
    this.#clock.freshen?.();
    if (this.#pending++ === 0) this.#catchUp();

    const dueMs = this.#clock.nowMs + Math.min(Math.max(delayMs, 0), MAX_DELAY_MS);
    const due = Math.max(Math.ceil(dueMs / TICK_MS), this.#tick + 1);
    this.#rows[row + DUE] = due;
    this.#rows[row + ARG] = arg;
    this.#fires[timer] = fire;
    this.#link(timer, due & (BUCKETS - 1));
    if (this.#isDriven && !this.#isTurning) this.#wakeBy(due);
    return ((this.#rows[row + GENERATION] as number) << INDEX_BITS) | timer;
  }

  cancel(handle: number): void {
    const timer = handle & (TIMER_LIMIT - 1);
    if (handle <= 0 || timer >= this.#capacity) return;
    const row = timer << ROW_SHIFT;
    if (this.#rows[row + GENERATION] !== handle >>> INDEX_BITS) return;
    if (this.#rows[row + BUCKET] === FREE) return;
    this.#unlink(timer);
    this.#release(timer);
  }

  /** Fires what is due at `nowMs`. Called by the wheel itself when it drives, by tests when it does not. */
  advance(nowMs: number): void {
    const target = Math.floor(nowMs / TICK_MS);
    if (this.#isTurning || target <= this.#tick) return;
    this.#isTurning = true;
    // After a pause longer than a turn every bucket is looked at once.
    const first = Math.max(this.#tick + 1, target - BUCKETS + 1);
    this.#tick = target;
    for (let tick = first; tick <= target; tick++) this.#collect(tick & (BUCKETS - 1), target);
    try {
      this.#fireCollected();
    } finally {
      this.#isTurning = false;
    }
  }

  /** Drops every timer without firing it and lets the event loop end. */
  close(): void {
    clearTimeout(this.#wake);
    this.#wake = undefined;
    for (let timer = 0; timer < this.#capacity; timer++) {
      if (this.#rows[(timer << ROW_SHIFT) + BUCKET] === FREE) continue;
      this.#unlink(timer);
      this.#release(timer);
    }
  }

  /** Moves the due timers of a bucket to the firing list, in the order they were started. */
  #collect(bucket: number, target: number): void {
    let timer = this.#heads[bucket] as number;
    while (timer !== FREE) {
      const row = timer << ROW_SHIFT;
      const next = this.#rows[row + NEXT] as number;
      if ((((this.#rows[row + DUE] as number) - target) | 0) <= 0) {
        this.#unlink(timer);
        this.#link(timer, FIRING);
      }
      timer = next;
    }
  }

  #fireCollected(): void {
    for (;;) {
      const timer = this.#heads[FIRING] as number;
      if (timer === FREE) return;
      const fire = this.#fires[timer] as Fire;
      const arg = this.#rows[(timer << ROW_SHIFT) + ARG] as number;
      this.#unlink(timer);
      this.#release(timer);
      fire(arg);
    }
  }

  /** With nothing pending the wheel stood still: there is nothing to look at in the buckets it passes now. */
  #catchUp(): void {
    if (this.#isTurning) return;
    this.#tick = Math.max(this.#tick, Math.floor(this.#clock.nowMs / TICK_MS));
  }

  #wakeBy(due: number): void {
    if (this.#wake !== undefined) {
      if (this.#wakeTick <= due) return;
      clearTimeout(this.#wake);
    }
    this.#wakeTick = due;
    const delayMs = Math.max(1, Math.ceil(due * TICK_MS - this.#clock.nowMs));
    this.#wake = setTimeout(this.#turn, Math.min(delayMs, MAX_DELAY_MS));
  }

  readonly #turn = (): void => {
    this.#wake = undefined;
    this.#clock.refresh?.();
    try {
      this.advance(this.#clock.nowMs);
    } finally {
      if (this.#pending !== 0) this.#wakeBy(this.#nextDue());
    }
  };

  /** The next tick whose bucket is not empty: a timer of a later turn there costs one idle wake-up per turn. */
  #nextDue(): number {
    if (this.#heads[FIRING] !== FREE) return this.#tick + 1;
    for (let ahead = 1; ahead < BUCKETS; ahead++) {
      if (this.#heads[(this.#tick + ahead) & (BUCKETS - 1)] !== FREE) return this.#tick + ahead;
    }
    return this.#tick + BUCKETS;
  }

  #link(timer: number, bucket: number): void {
    const rows = this.#rows;
    const row = timer << ROW_SHIFT;
    const tail = this.#tails[bucket] as number;
    rows[row + BUCKET] = bucket;
    rows[row + PREVIOUS] = tail;
    rows[row + NEXT] = FREE;
    if (tail === FREE) this.#heads[bucket] = timer;
    else rows[(tail << ROW_SHIFT) + NEXT] = timer;
    this.#tails[bucket] = timer;
  }

  #unlink(timer: number): void {
    const rows = this.#rows;
    const row = timer << ROW_SHIFT;
    const bucket = rows[row + BUCKET] as number;
    const previous = rows[row + PREVIOUS] as number;
    const next = rows[row + NEXT] as number;
    if (previous === FREE) this.#heads[bucket] = next;
    else rows[(previous << ROW_SHIFT) + NEXT] = next;
    if (next === FREE) this.#tails[bucket] = previous;
    else rows[(next << ROW_SHIFT) + PREVIOUS] = previous;
  }

  /** Gives an unlinked timer's place back; its handle names nothing from here on. */
  #release(timer: number): void {
    const rows = this.#rows;
    const row = timer << ROW_SHIFT;
    const generation = (rows[row + GENERATION] as number) + 1;
    // Generation 0 is left out, so that no handle is 0.
    rows[row + GENERATION] = generation === GENERATIONS ? 1 : generation;
    rows[row + BUCKET] = FREE;
    rows[row + NEXT] = FREE;
    this.#fires[timer] = noFire;
    if (this.#freeTail === FREE) this.#freeHead = timer;
    else rows[(this.#freeTail << ROW_SHIFT) + NEXT] = timer;
    this.#freeTail = timer;
    this.#pending--;
  }

  #grow(): boolean {
    const from = this.#capacity;
    if (from === TIMER_LIMIT) {
      this.#limits?.refused.inc();
      return false;
    }
    this.#capacity = from * 2;
    this.#limits?.slots.set(this.#capacity);
    const rows = new Int32Array(this.#capacity << ROW_SHIFT);
    rows.set(this.#rows);
    this.#rows = rows;
    this.#freeFrom(from);
    return true;
  }

  #freeFrom(first: number): void {
    for (let timer = first; timer < this.#capacity; timer++) {
      this.#fires.push(noFire);
      const row = timer << ROW_SHIFT;
      this.#rows[row + NEXT] = timer + 1 === this.#capacity ? FREE : timer + 1;
      this.#rows[row + BUCKET] = FREE;
      this.#rows[row + GENERATION] = 1;
    }
    this.#freeHead = first;
    this.#freeTail = this.#capacity - 1;
  }
}
