// The index of a slab: from a hash to the entries that may have it. Open addressing with linear probing, one word per slot.
//
// A slot holds the number of an entry (from 1, 0 for empty) and above it ten bits of the hash, which spare most looks at entries that do not fit.
// Removal closes the gap at once, so probes end at the first empty slot. A reader without lock may miss an entry that is just being moved; that
// costs it a look-up elsewhere and nothing more. For it a slot is a hint, whatever the order in which it sees them change: the entry has the key and a version.
import { ENTRY_WORDS, type SlabGeometry } from './geometry.js';
import { Entry } from './shard.js';

const ENTRY_BITS = 22;
export const ENTRY_MASK = 2 ** ENTRY_BITS - 1;

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
  readonly #entriesAt: number;
  readonly #mask: number;

  constructor(words: Int32Array, geometry: SlabGeometry) {
    this.#words = words;
    this.#at = geometry.indexAt;
    this.#entriesAt = geometry.entriesAt - ENTRY_WORDS;
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
      if (this.#words[at] === 0) {
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

  /** Takes an entry out and moves those behind it that were not in their place because of it. */
  remove(shard: number, low: number, entry: number): void {
    const words = this.#words;
    const base = shard + this.#at;
    let gap = this.#slotOf(shard, low, entry);
    if (gap < 0) return;
    let slot = gap;
    for (;;) {
      slot = (slot + 1) & this.#mask;
      const value = words[base + slot]!;
      if (value === 0) break;
      const header = shard + this.#entriesAt + (value & ENTRY_MASK) * ENTRY_WORDS;
      const home = words[header + Entry.HASH]! & this.#mask;
      // It may move into the gap if the gap is not before its home.
      if (((slot - home) & this.#mask) >= ((slot - gap) & this.#mask)) {
        words[base + gap] = value;
        gap = slot;
      }
    }
    words[base + gap] = 0;
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
