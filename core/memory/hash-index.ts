// The index of a slab: from a hash to the entries that may have it. Open addressing with linear probing, one word per slot:
//
//   | 4 bits of the hash | 6 bits: how far it is from its home | 22 bits: the entry, from 1; a word of 0 is an empty slot
//
// An entry fits a hash only where it is as far from its home as the probe has come, so that others of the same run are told apart without a look at
// them. For the same reason a gap is closed at once, by these words alone: the entries behind it, each another wait for memory, are left alone, and
// probes end at the first empty slot however often entries came and went. For a reader without lock a slot is a hint, whatever the order in
// which it sees them change: the entry has the key and a version. One that is just being moved may be missed.
//
// Eight slots share a cache line with as many ghosts (geometry.ts).
import { type SlabGeometry, slotAt } from './geometry.js';

const ENTRY_BITS = 22;
export const ENTRY_MASK = 2 ** ENTRY_BITS - 1;

/** What one step away from home adds to a slot. */
export const STEP = 1 << ENTRY_BITS;

const DISTANCE_BITS = 6;

/** Slots looked at for one hash at most. At a load of one half and below a run of 64 does not happen to a seeded hash. */
export const MAX_PROBES = 2 ** DISTANCE_BITS;

/** The bits of a slot above the entry for one that is at home. */
export function tagOf(high: number): number {
  return (high << (ENTRY_BITS + DISTANCE_BITS)) | 0;
}

/** Writers' side of the index; they hold the shard's lock. */
export class HashIndex {
  readonly #words: Int32Array;
  readonly #at: number;
  readonly #end: number;
  readonly #mask: number;

  constructor(words: Int32Array, geometry: SlabGeometry) {
    this.#words = words;
    this.#at = geometry.indexAt;
    this.#end = geometry.linksAt;
    this.#mask = geometry.slots - 1;
  }

  /** The entry in the first slot for a hash, 0 when that is empty. */
  first(shard: number, low: number): number {
    return this.#words[shard + this.#at + slotAt(low & this.#mask)]! & ENTRY_MASK;
  }

  /** Adds an entry. False when there is no slot near enough. */
  add(shard: number, low: number, high: number, entry: number): boolean {
    let slot = low & this.#mask;
    for (let probe = 0; probe < MAX_PROBES; probe++) {
      const at = shard + this.#at + slotAt(slot);
      if (this.#words[at] === 0) {
        this.#words[at] = tagOf(high) | (probe * STEP) | entry;
        return true;
      }
      slot = (slot + 1) & this.#mask;
    }
    return false;
  }

  /** Puts `entry`, of the same hash, in the place of `old`, which must be there. */
  replace(shard: number, low: number, old: number, entry: number): void {
    const at = shard + this.#at + slotAt(this.#slotOf(shard, low, old));
    this.#words[at] = (this.#words[at]! & ~ENTRY_MASK) | entry;
  }

  /** Takes an entry out and moves those behind it that were not in their place because of it. */
  remove(shard: number, low: number, entry: number): void {
    const words = this.#words;
    const base = shard + this.#at;
    let gap = this.#slotOf(shard, low, entry);
    if (gap < 0) return;
    for (let slot = gap, steps = 1; ; steps++) {
      slot = (slot + 1) & this.#mask;
      const value = words[base + slotAt(slot)]!;
      if (value === 0) break;
      // Into the gap may move what is no nearer to its home than to the gap.
      if (distanceOf(value) < steps) continue;
      words[base + slotAt(gap)] = value - steps * STEP;
      gap = slot;
      steps = 0;
    }
    words[base + slotAt(gap)] = 0;
  }

  /** Empties it, and takes away the ghosts that lie between. */
  clear(shard: number): void {
    this.#words.fill(0, shard + this.#at, shard + this.#end);
  }

  #slotOf(shard: number, low: number, entry: number): number {
    let slot = low & this.#mask;
    for (let probe = 0; probe < MAX_PROBES; probe++) {
      if ((this.#words[shard + this.#at + slotAt(slot)]! & ENTRY_MASK) === entry) return slot;
      slot = (slot + 1) & this.#mask;
    }
    return -1;
  }
}

function distanceOf(value: number): number {
  return (value >>> ENTRY_BITS) & (MAX_PROBES - 1);
}
