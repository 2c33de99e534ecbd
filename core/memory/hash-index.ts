// The index of a slab: from a hash to the entries that may have it. Open addressing with linear probing, one word per slot.
//
// A slot holds the number of an entry (from 1, 0 for empty) and above it ten bits of the hash, which spare most looks at entries that do not fit.
// Probes end at the first empty slot; what is taken out of a run leaves a tombstone, which the next entry of that run replaces. To close the gap instead, the
// homes of those behind it would have to be read from their entries, each another wait for memory. For a reader without lock a slot is a hint, whatever the
// order in which it sees them change: the entry has the key and a version.
import type { SlabGeometry } from './geometry.js';

const ENTRY_BITS = 22;
export const ENTRY_MASK = 2 ** ENTRY_BITS - 1;

/** What is left of an entry that was taken out: it fits no hash, an entry has no such number, and another one may take its place. */
const TOMBSTONE = ENTRY_MASK;

/** Slots looked at for one hash at most. At a load of one half and below a run of 64 does not happen to a seeded hash. */
export const MAX_PROBES = 64;

/** The bits of a slot above the entry. */
export function tagOf(high: number): number {
  return (high << ENTRY_BITS) | 0;
}

/** Writers' side of the index; they hold the shard's lock. */
export class HashIndex {
  readonly #words: Int32Array;
  readonly #at: number;
  readonly #mask: number;

  constructor(words: Int32Array, geometry: SlabGeometry) {
    this.#words = words;
    this.#at = geometry.indexAt;
    this.#mask = geometry.slots - 1;
  }

  /** The entry in the first slot for a hash, 0 when that is empty. */
  first(shard: number, low: number): number {
    return this.#words[shard + this.#at + (low & this.#mask)]! & ENTRY_MASK;
  }

  /** Adds an entry. False when there is no slot near enough. */
  add(shard: number, low: number, high: number, entry: number): boolean {
    let slot = low & this.#mask;
    for (let probe = 0; probe < MAX_PROBES; probe++) {
      const at = shard + this.#at + slot;
      const value = this.#words[at]!;
      if (value === 0 || value === TOMBSTONE) {
        this.#words[at] = tagOf(high) | entry;
        return true;
      }
      slot = (slot + 1) & this.#mask;
    }
    return false;
  }

  /** Puts `entry`, of the same hash, in the place of `old`, which must be there. */
  replace(shard: number, low: number, old: number, entry: number): void {
    const at = shard + this.#at + this.#slotOf(shard, low, old);
    this.#words[at] = (this.#words[at]! & ~ENTRY_MASK) | entry;
  }

  /** Takes an entry out: leaves a tombstone, or with nothing behind it nothing, neither of it nor of the tombstones in front. */
  remove(shard: number, low: number, entry: number): void {
    const words = this.#words;
    const base = shard + this.#at;
    let slot = this.#slotOf(shard, low, entry);
    if (slot < 0) return;
    if (words[base + ((slot + 1) & this.#mask)] !== 0) {
      words[base + slot] = TOMBSTONE;
      return;
    }
    do {
      words[base + slot] = 0;
      slot = (slot - 1) & this.#mask;
    } while (words[base + slot] === TOMBSTONE);
  }

  clear(shard: number): void {
    this.#words.fill(0, shard + this.#at, shard + this.#at + this.#mask + 1);
  }

  #slotOf(shard: number, low: number, entry: number): number {
    let slot = low & this.#mask;
    for (let probe = 0; probe < MAX_PROBES; probe++) {
      if ((this.#words[shard + this.#at + slot]! & ENTRY_MASK) === entry) return slot;
      slot = (slot + 1) & this.#mask;
    }
    return -1;
  }
}
