// The words of a shard's counters and of an entry's header, by name, and where a shard is.
import type { SlabGeometry } from './geometry.js';

/** Words of a shard, all 0 at first. Only the holder of the lock writes them. */
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
  /** Of the recency clock, then of the frequency clock: the entry whose turn it is, the one added last, how many there are. */
  OLDEST: 7,
  NEWEST: 9,
  LISTED: 11,
  /** Entries that the recency clock is to hold, less the least it may. */
  TARGET: 13,
  /** Of late evicted from either clock: what matters is the ratio. */
  EVICTED: 14,
  /** All evictions that left a ghost: the time in which ghosts age. */
  EVICTIONS: 16,
  /** From here on what is only counted, and stays when the shard is emptied; all wrap. Ghosts that were met again, by list. */
  GHOST_HITS: 17,
  /** Those of them that are no older than one shard full of evictions. */
  NEAR_GHOST_HITS: 19,
  /** Entries removed, by cause. */
  REMOVED: 20,
} as const;

/** Why an entry was removed. */
export const Cause = {
  /** Another one needed its place, or its blocks. */
  ENTRIES: 0,
  BYTES: 1,
  /** Too many keys met in one place of the index. */
  INDEX: 2,
  EXPIRED: 3,
  /** Something else was stored under a key that belongs with it. */
  SUPERSEDED: 4,
  FLUSHED: 5,
} as const;
export type Cause = (typeof Cause)[keyof typeof Cause];

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
  /** Words of the body, 0 for a free entry, and FREQUENT. That bit alone may change while the entry is whole. */
  BODY: 7,
  META: 8,
  /** USES_MASK: times read since replacement last looked. Above: times read at all, as far as anyone asked. */
  USAGE: 14,
  /** When it was last read, as far as anyone asked. */
  SEEN: 15,
  /** Not to be refreshed before this tick; 0 for no limit. */
  RETRY: 16,
} as const;

/** The sign of BODY: the entry is in the frequency clock. */
export const FREQUENT = 1 << 31;
export const BODY_MASK = ~FREQUENT;

/** The part of USAGE that replacement looks at, which stops at its highest number, and the place of the rest. */
export const USES_MASK = 3;
export const USES_SHIFT = 2;

/** First word of the shard of a key, by the upper bits of the lower half of its hash; the index uses the lower ones. */
export function shardOffset(geometry: SlabGeometry, low: number): number {
  return geometry.start + ((low >>> 26) & (geometry.shards - 1)) * geometry.shardWords;
}
