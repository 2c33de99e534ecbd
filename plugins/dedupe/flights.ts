// Hot path. The questions in flight: found by key, without an allocation once the pools are warm.
import type { DnsError, Gauge, Next, Query } from '../../core/plugin.js';
import { MAX_WORDS, type Question } from './question.js';

/** Questions in flight at once in a worker. The server itself keeps no more queries waiting than this, so it is a bound on memory (6 MB), not on use. */
export const MAX_FLIGHTS = 16_384;

/** Slots of the table at first; it doubles when half full. A power of two. */
const FIRST_SLOTS = 1024;

/** A question in flight: the query that went on for it (the leader), here or in another worker, and those that wait, oldest first. Pooled. */
export class Flight {
  readonly id: number;
  low = 0;
  high = 0;
  kind = 0;
  flags = 0;
  count = 0;
  readonly words = new Uint32Array(MAX_WORDS);
  /** Null while another worker leads, or a leader that ended without a reply is yet to be replaced. */
  leader: Query | null = null;
  isRemote = false;
  /** Place of the claim that tells other workers that this one leads, negative for none. */
  claim = NO_CLAIM;
  next: Next = NOWHERE;
  startedMs = 0;
  /** Runs while somebody waits, 0 for none. */
  timer = 0;
  /** First and last waiting query as nodes of `Waiters`, -1 for none. */
  head = -1;
  tail = -1;
  waiting = 0;
  /** The last one that a failed leader has let down already, -1 for none: it and those before it do not try a third time. */
  lastTried = -1;
  /** Why the last leader ended without a reply. */
  error: DnsError | undefined;

  constructor(id: number) {
    this.id = id;
  }
}

export const NO_CLAIM = -2;

/**
 * Open addressing with linear probing; an entry that goes is filled up from behind, so there are no tombstones. The whole question is compared,
 * so equal hashes join nothing.
 */
export class Flights {
  readonly #all: Flight[] = [];
  readonly #pool: Flight[] = [];
  #slots: (Flight | null)[] = new Array(FIRST_SLOTS).fill(null);
  #mask = FIRST_SLOTS - 1;
  #size = 0;
  readonly #made: Gauge | undefined;

  /** `made` shows how many there are, in use or not. */
  constructor(made?: Gauge) {
    this.#made = made;
  }

  get size(): number {
    return this.#size;
  }

  get isFull(): boolean {
    return this.#size >= MAX_FLIGHTS;
  }

  /** The flight with this question. */
  find(question: Question): Flight | undefined {
    let i = question.high & this.#mask;
    for (let flight = this.#slots[i]; flight; flight = this.#slots[i]) {
      if (flight.high === question.high && isSame(flight, question)) return flight;
      i = (i + 1) & this.#mask;
    }
    return undefined;
  }

  /** Opens a flight, without leader. The caller has looked whether there is room. */
  add(question: Question, next: Next, nowMs: number): Flight {
    if (this.#size * 2 >= this.#slots.length) this.#grow();
    const flight = this.#pool.pop() ?? this.#make();
    flight.low = question.low;
    flight.high = question.high;
    flight.kind = question.kind;
    flight.flags = question.flags;
    flight.count = question.count;
    for (let i = 0; i < flight.count; i++) flight.words[i] = question.words[i] as number;
    flight.next = next;
    flight.startedMs = nowMs;
    this.#put(flight);
    this.#size++;
    return flight;
  }

  /** Takes a flight out and back into the pool; nobody waits in it any more. */
  remove(flight: Flight): void {
    let gap = flight.high & this.#mask;
    while (this.#slots[gap] !== flight) gap = (gap + 1) & this.#mask;
    let i = gap;
    for (;;) {
      i = (i + 1) & this.#mask;
      const other = this.#slots[i];
      if (!other) break;
      // It may move into the gap unless its own place lies behind the gap, on the way to it.
      if (((i - other.high) & this.#mask) < ((i - gap) & this.#mask)) continue;
      this.#slots[gap] = other;
      gap = i;
    }
    this.#slots[gap] = null;
    this.#size--;
    flight.leader = null;
    flight.isRemote = false;
    flight.claim = NO_CLAIM;
    flight.next = NOWHERE;
    flight.timer = 0;
    flight.head = -1;
    flight.tail = -1;
    flight.waiting = 0;
    flight.lastTried = -1;
    flight.error = undefined;
    this.#pool.push(flight);
  }

  /** Those that another worker leads, of one hash or all. Allocates. */
  remote(high?: number): Flight[] {
    const found: Flight[] = [];
    if (high === undefined) {
      for (const flight of this.#slots) if (flight?.isRemote) found.push(flight);
      return found;
    }
    let i = high & this.#mask;
    for (let flight = this.#slots[i]; flight; flight = this.#slots[i]) {
      if (flight.isRemote && flight.high === high) found.push(flight);
      i = (i + 1) & this.#mask;
    }
    return found;
  }

  /** Every flight there ever was, by id; those that are over have no timer. */
  get all(): readonly Flight[] {
    return this.#all;
  }

  #make(): Flight {
    const flight = new Flight(this.#all.length);
    this.#all.push(flight);
    this.#made?.inc();
    return flight;
  }

  #put(flight: Flight): void {
    let i = flight.high & this.#mask;
    while (this.#slots[i]) i = (i + 1) & this.#mask;
    this.#slots[i] = flight;
  }

  #grow(): void {
    const old = this.#slots;
    this.#slots = new Array(old.length * 2).fill(null);
    this.#mask = this.#slots.length - 1;
    for (const flight of old) if (flight) this.#put(flight);
  }
}

/** Whether a flight is for this question. */
function isSame(flight: Flight, question: Question): boolean {
  const { count, words } = question;
  if (flight.count !== count || flight.kind !== question.kind) return false;
  if (flight.flags !== question.flags) return false;
  for (let i = 0; i < count; i++) if (flight.words[i] !== words[i]) return false;
  return true;
}

function NOWHERE(): never {
  throw new Error('the flight is over');
}
