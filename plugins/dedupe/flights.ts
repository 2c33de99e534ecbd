// Hot path. The questions in flight: found by key, without an allocation once the pools are warm.
import type { DnsError, Next, Query } from '../../core/plugin.js';
import { Transport } from '../../core/plugin.js';

/** Questions in flight at once in a worker. The server itself keeps no more queries waiting than this, so it is a bound on memory (5 MB), not on use. */
export const MAX_FLIGHTS = 16_384;

/** Slots of the table at first; it doubles when half full. A power of two. */
const FIRST_SLOTS = 1024;

/** A name in whole words: 255 bytes (RFC 1035 2.3.4). */
const NAME_WORDS = 64;

/** A question in flight: the query that went on for it (the leader) and those that wait, oldest first. Pooled. */
export class Flight {
  hash = 0;
  words = 0;
  readonly name = new Uint32Array(NAME_WORDS);
  question = 0;
  flags = 0;
  /** Null while a leader that ended without a reply is yet to be replaced. */
  leader: Query | null = null;
  next: Next = NOWHERE;
  startedMs = 0;
  /** First and last waiting query as nodes of `Waiters`, -1 for none. */
  head = -1;
  tail = -1;
  count = 0;
  /** The last one that a failed leader has let down already, -1 for none: it and those before it do not try a third time. */
  lastTried = -1;
  /** Why the last leader ended without a reply. */
  error: DnsError | undefined;
}

/**
 * Open addressing with linear probing; an entry that goes is filled up from behind, so there are no tombstones. Hashes are seeded, because
 * names come from strangers; the whole key is compared, so equal hashes join nothing.
 */
export class Flights {
  readonly #seed: number;
  readonly #pool: Flight[] = [];
  #slots: (Flight | null)[] = new Array(FIRST_SLOTS).fill(null);
  #mask = FIRST_SLOTS - 1;
  #size = 0;

  constructor(seed: number) {
    this.#seed = seed;
  }

  get size(): number {
    return this.#size;
  }

  get isFull(): boolean {
    return this.#size >= MAX_FLIGHTS;
  }

  /** The flight with this query's question; `hash` is `hashOf(q)`. */
  find(q: Query, hash: number): Flight | undefined {
    let i = hash & this.#mask;
    for (let flight = this.#slots[i]; flight; flight = this.#slots[i]) {
      if (flight.hash === hash && isSame(flight, q)) return flight;
      i = (i + 1) & this.#mask;
    }
    return undefined;
  }

  /** Opens a flight with `q` as leader. The caller has looked whether there is room. */
  add(q: Query, hash: number, next: Next, nowMs: number): Flight {
    if (this.#size * 2 >= this.#slots.length) this.#grow();
    const flight = this.#pool.pop() ?? new Flight();
    flight.hash = hash;
    flight.words = wordsOf(q);
    for (let i = 0; i < flight.words; i++) flight.name[i] = q.folded32[i] as number;
    flight.question = questionOf(q);
    flight.flags = flagsOf(q);
    flight.leader = q;
    flight.next = next;
    flight.startedMs = nowMs;
    this.#put(flight);
    this.#size++;
    return flight;
  }

  /** Takes a flight out and back into the pool; nobody waits in it any more. */
  remove(flight: Flight): void {
    let gap = flight.hash & this.#mask;
    while (this.#slots[gap] !== flight) gap = (gap + 1) & this.#mask;
    let i = gap;
    for (;;) {
      i = (i + 1) & this.#mask;
      const other = this.#slots[i];
      if (!other) break;
      // It may move into the gap unless its own place lies behind the gap, on the way to it.
      if (((i - other.hash) & this.#mask) < ((i - gap) & this.#mask)) continue;
      this.#slots[gap] = other;
      gap = i;
    }
    this.#slots[gap] = null;
    this.#size--;
    flight.leader = null;
    flight.next = NOWHERE;
    flight.head = -1;
    flight.tail = -1;
    flight.count = 0;
    flight.lastTried = -1;
    flight.error = undefined;
    this.#pool.push(flight);
  }

  hashOf(q: Query): number {
    const name = q.folded32;
    const words = wordsOf(q);
    let h = this.#seed ^ questionOf(q);
    h = Math.imul(h ^ (h >>> 16), 0x85ebca6b) ^ flagsOf(q);
    for (let i = 0; i < words; i++) {
      h = Math.imul(h ^ (name[i] as number), 0x9e3779b1);
      h ^= h >>> 15;
    }
    h = Math.imul(h, 0xc2b2ae35);
    return (h ^ (h >>> 16)) >>> 0;
  }

  #put(flight: Flight): void {
    let i = flight.hash & this.#mask;
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

function isSame(flight: Flight, q: Query): boolean {
  const words = wordsOf(q);
  if (flight.words !== words || flight.question !== questionOf(q)) return false;
  if (flight.flags !== flagsOf(q)) return false;
  for (let i = 0; i < words; i++) if (flight.name[i] !== q.folded32[i]) return false;
  return true;
}

function wordsOf(q: Query): number {
  return (q.qnameEnd - q.qnameOffset + 3) >> 2;
}

function questionOf(q: Query): number {
  return ((q.qclass << 16) | q.qtype) >>> 0;
}

/** What else an answer depends on. A stream has no size limit, so its answer may be one that would be truncated for UDP, and the other way round. */
function flagsOf(q: Query): number {
  return (
    (q.zone << 4) |
    (q.dnssecOk ? 8 : 0) |
    (q.checkingDisabled ? 4 : 0) |
    (q.recursionDesired ? 2 : 0) |
    (q.transport === Transport.UDP ? 0 : 1)
  );
}

function NOWHERE(): never {
  throw new Error('the flight is over');
}
