// The two ghost lists of a shard: hashes of what had to make room, and when. One table for both, without links: an age takes the place of an order.
//
// A ghost is one word: 15 bits of its hash, the list it was in, and 16 bits of the shard's number of evictions at that time. A bucket is half of a cache
// line, beside the slots of the index; a new ghost takes the place of the oldest in its bucket. Those that are too old are not found. One miss in 4000
// finds the ghost of another key; with ten million entries, where so many bits of a hash chose the bucket, one in 130.

import type { List } from './clocks.js';
import { ghostsAt, LINE_SLOTS, type SlabGeometry } from './geometry.js';
import { Shard } from './shard.js';

const STAMP_BITS = 16;
const STAMP_MASK = 2 ** STAMP_BITS - 1;
const FREQUENT_BIT = 1 << STAMP_BITS;
const HASH_SHIFT = STAMP_BITS + 1;

/** Evictions are counted in steps so large that a shard full of entries is this many at most: then a stamp comes round after 16 such times. */
const STAMPS_PER_SHARD = 4096;

/** Ghosts of one slab; the caller holds the shard's lock. */
export class Ghosts {
  /** The age of the ghost taken last, in evictions. */
  age = 0;
  readonly #words: Int32Array;
  readonly #at: number;
  readonly #slotMask: number;
  readonly #shift: number;

  constructor(words: Int32Array, geometry: SlabGeometry) {
    this.#words = words;
    this.#at = geometry.indexAt;
    this.#slotMask = geometry.slots - 1;
    this.#shift = Math.max(0, Math.ceil(Math.log2(geometry.entries / STAMPS_PER_SHARD)));
  }

  /** Remembers that the entry of a hash was evicted from `list`, and counts the eviction. Ghosts older than `maxAge` evictions are not missed. */
  add(shard: number, hash: number, list: List, maxAge: number): void {
    const words = this.#words;
    const evictions = words[shard + Shard.EVICTIONS]!;
    words[shard + Shard.EVICTIONS] = (evictions + 1) | 0;
    const bucket = this.#bucketOf(shard, hash);
    const now = evictions >>> this.#shift;
    const maxStamps = maxAge >>> this.#shift;
    let place = bucket;
    let oldest = -1;
    for (let at = bucket; at < bucket + LINE_SLOTS && oldest <= maxStamps; at++) {
      const ghost = words[at]!;
      const age = ghost === 0 ? STAMP_MASK : (now - ghost) & STAMP_MASK;
      if (age > oldest) {
        oldest = age;
        place = at;
      }
    }
    words[place] = (fingerprint(hash) << HASH_SHIFT) | (list * FREQUENT_BIT) | (now & STAMP_MASK);
  }

  /** Takes the ghost of a hash away and returns the list it was in, -1 when there is none of at most `maxAge`. */
  take(shard: number, hash: number, maxAge: number): List | -1 {
    const words = this.#words;
    const evictions = words[shard + Shard.EVICTIONS]!;
    // A shard that never was full has none.
    if (evictions === 0) return -1;
    const bucket = this.#bucketOf(shard, hash);
    const wanted = fingerprint(hash);
    for (let at = bucket; at < bucket + LINE_SLOTS; at++) {
      const ghost = words[at]!;
      if (ghost >>> HASH_SHIFT !== wanted || ghost === 0) continue;
      this.age = (((evictions >>> this.#shift) - ghost) & STAMP_MASK) << this.#shift;
      words[at] = 0;
      if (this.age > maxAge) return -1;
      return (ghost & FREQUENT_BIT) === 0 ? 0 : 1;
    }
    return -1;
  }

  #bucketOf(shard: number, hash: number): number {
    return shard + this.#at + ghostsAt(hash & this.#slotMask);
  }
}

/** Of all bits of the hash: the uppermost chose the shard and the lowest the bucket, so they tell nothing within it. */
function fingerprint(hash: number): number {
  return Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d) >>> HASH_SHIFT;
}
