// The two ghost lists of a shard: hashes of what had to make room, and when. One table for both, without links: an age takes the place of an order.
//
// A ghost is one word: 15 bits of its hash, the list it was in, and 16 bits of the shard's number of evictions at that time. A bucket is half a cache line;
// a new ghost takes the place of the oldest in its bucket. Those that are too old are not found. One miss in 4000 finds the ghost of another key.

import type { List } from './clocks.js';
import { GHOST_WAYS, type SlabGeometry } from './geometry.js';
import { Shard } from './shard.js';

const STAMP_BITS = 16;
const STAMP_MASK = 2 ** STAMP_BITS - 1;
const FREQUENT_BIT = 1 << STAMP_BITS;
const HASH_SHIFT = STAMP_BITS + 1;
const FINGERPRINT_MASK = 2 ** (32 - HASH_SHIFT) - 1;

/** Evictions are counted in steps so large that a shard full of entries is this many at most: then a stamp comes round after 16 such times. */
const STAMPS_PER_SHARD = 4096;

/** Ghosts of one slab; the caller holds the shard's lock. */
export class Ghosts {
  /** The age of the ghost taken last, in evictions. */
  age = 0;
  readonly #words: Int32Array;
  readonly #at: number;
  readonly #buckets: number;
  readonly #shift: number;

  constructor(words: Int32Array, geometry: SlabGeometry) {
    this.#words = words;
    this.#at = geometry.ghostsAt;
    this.#buckets = geometry.ghostBuckets;
    this.#shift = Math.max(0, Math.ceil(Math.log2(geometry.entries / STAMPS_PER_SHARD)));
  }

  /** Remembers that the entry of a hash was evicted from `list`, and counts the eviction. Ghosts older than `maxAge` evictions are not missed. */
  add(shard: number, hash: number, list: List, maxAge: number): void {
    const words = this.#words;
    const evictions = words[shard + Shard.EVICTIONS]!;
    words[shard + Shard.EVICTIONS] = (evictions + 1) | 0;
    const mixed = scramble(hash);
    const bucket = this.#bucketOf(shard, mixed);
    const now = evictions >>> this.#shift;
    const maxStamps = maxAge >>> this.#shift;
    let place = bucket;
    let oldest = -1;
    for (let at = bucket; at < bucket + GHOST_WAYS && oldest <= maxStamps; at++) {
      const ghost = words[at]!;
      const age = ghost === 0 ? STAMP_MASK : (now - ghost) & STAMP_MASK;
      if (age > oldest) {
        oldest = age;
        place = at;
      }
    }
    words[place] = (fingerprint(mixed) << HASH_SHIFT) | (list * FREQUENT_BIT) | (now & STAMP_MASK);
  }

  /** Takes the ghost of a hash away and returns the list it was in, -1 when there is none of at most `maxAge`. */
  take(shard: number, hash: number, maxAge: number): List | -1 {
    const words = this.#words;
    const evictions = words[shard + Shard.EVICTIONS]!;
    // A shard that never was full has none.
    if (evictions === 0) return -1;
    const mixed = scramble(hash);
    const bucket = this.#bucketOf(shard, mixed);
    const wanted = fingerprint(mixed);
    for (let at = bucket; at < bucket + GHOST_WAYS; at++) {
      const ghost = words[at]!;
      if (ghost >>> HASH_SHIFT !== wanted || ghost === 0) continue;
      this.age = (((evictions >>> this.#shift) - ghost) & STAMP_MASK) << this.#shift;
      words[at] = 0;
      if (this.age > maxAge) return -1;
      return (ghost & FREQUENT_BIT) === 0 ? 0 : 1;
    }
    return -1;
  }

  /** By the upper bits of the mixed hash, multiplied instead of divided. */
  #bucketOf(shard: number, mixed: number): number {
    return shard + this.#at + Math.floor((mixed >>> 0) * this.#buckets * 2 ** -32) * GHOST_WAYS;
  }
}

/** By the lower bits. */
function fingerprint(mixed: number): number {
  return mixed & FINGERPRINT_MASK;
}

/** All bits of a hash in each: the same ones chose the shard, so they tell nothing within it. */
function scramble(hash: number): number {
  const h = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  return h ^ (h >>> 12);
}
