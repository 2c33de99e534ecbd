// The words of a shard's counters and of an entry's header, by name, and where a shard is.
import type { SlabGeometry } from './geometry.js';

/** Counters of a shard, all 0 at first. Only the holder of the lock writes them. */
export const Shard = {
  /** 0 or who holds the lock. */
  LOCK: 0,
  ENTRIES_USED: 1,
  /** Entries ever used: those above were never written. */
  ENTRIES_TOUCHED: 2,
  /** First of the free entries among the touched ones, 0 for none. */
  FREE_ENTRY: 3,
  BLOCKS_USED: 4,
  BLOCKS_TOUCHED: 5,
  FREE_BLOCK: 6,
  /** Where replacement looks next. */
  HAND: 7,
} as const;

/** Words of user data in an entry's header. */
export const META_WORDS = 6;

/** Header of an entry. Up to META it belongs to the version; the last three words are written without lock by whoever reads the entry. */
export const Entry = {
  VERSION: 0,
  /** The lower half of the key's hash. */
  HASH: 1,
  /** The three words of the key that are not in the body. */
  KEY_A: 2,
  KEY_B: 3,
  KEY_C: 4,
  /** Past this tick the entry is worth nothing. */
  DEADLINE: 5,
  /** First block of the body; of a free entry the next free one. */
  FIRST: 6,
  /** Words of the body, 0 for a free entry. */
  BODY: 7,
  META: 8,
  /** Bit 0: read since replacement last looked. Above: times read, as far as anyone asked. */
  USAGE: 14,
  /** When it was last read, as far as anyone asked. */
  SEEN: 15,
  /** Not to be refreshed before this tick; 0 for no limit. */
  RETRY: 16,
} as const;

/** First word of the shard of a key, by the upper bits of the lower half of its hash; the index uses the lower ones. */
export function shardOffset(geometry: SlabGeometry, low: number): number {
  return geometry.start + ((low >>> 26) & (geometry.shards - 1)) * geometry.shardWords;
}
