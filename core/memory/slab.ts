// Hot path. A table of small byte records in memory that all workers share: look-ups without a lock, one writer per shard at a time.
//
// A look-up goes hash -> index slot -> entry header -> blocks, none of which a writer waits for. The header's version tells afterwards whether what
// was read belongs together (seqlock.ts); until then every number read is only trusted as far as a bounds check. Every way out of the table leads
// through #drop, every way in through #add: whoever must learn of inserts, expiry or flushes belongs there.
import { Blocks, blocksFor } from './blocks.js';
import { ClockHand } from './clock-hand.js';
import { ENTRY_WORDS, type SlabGeometry, BLOCK_WORDS, WORD_BYTES } from './geometry.js';
import { ENTRY_MASK, Index, MAX_PROBES, tagOf } from './index.js';
import { takeOver, tryLock, unlock } from './lock.js';
import { beginWrite, endWrite, readVersion, validate } from './seqlock.js';
import { Entry, META_WORDS, Shard } from './shard.js';

/** A key: three words and some bytes, with its hash. The bytes must be the first ones of the body stored under it. */
export interface SlabKey {
  readonly a: number;
  readonly b: number;
  readonly c: number;
  /** The bytes, in words; what is behind them in the last word does not matter. */
  readonly words: Uint32Array;
  readonly bytes: number;
  /** The two halves of the hash. */
  readonly low: number;
  readonly high: number;
}

/** What `insert` gives when it did not: the shard's lock was taken for too long, or there is no room for such a body. */
export const BUSY = -1;
export const TOO_LARGE = -2;

/** Owner of locks taken by the main thread; workers are 1 and up. */
export const CONTROL_OWNER = -1;

/** Largest body in words: a message of 65535 bytes with the offsets of all its records. */
const MAX_BODY_WORDS = 20_000;
