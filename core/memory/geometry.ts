// Where the parts of a slab lie in its shared memory, and how large they are: plain numbers, the same for every thread that opens it.
//
//   shard 0 | shard 1 | ...      each:  counters | index and ghosts | links | entries | blocks
//
// All but the blocks of a shard is as large as its entry limit needs; blocks take the rest of the bytes. Nothing is written before it is
// used, so memory that was never needed is never made by the kernel.

/** Bytes of a word; every offset here is in words. */
export const WORD_BYTES = 4;

/** Words of a cache line. */
const LINE_WORDS = 16;

/** Words of an entry: its header and the first words of its body, so that a look-up waits for memory once after the index, not once per part. */
export const HEADER_WORDS = 17;
export const ENTRY_WORDS = 3 * LINE_WORDS;
export const INLINE_WORDS = ENTRY_WORDS - HEADER_WORDS;

/**
 * Words of a block, which holds more of a body; the last one links to the next block. A body of 400 bytes takes 124 ns to copy out of blocks of two
 * lines, 136 ns out of blocks of one, 95 ns in one piece (bench/micro/slab.ts).
 */
export const BLOCK_WORDS = 2 * LINE_WORDS;
export const PAYLOAD_WORDS = BLOCK_WORDS - 1;

/** Words of a shard's counters. */
export const SHARD_WORDS = 2 * LINE_WORDS;

/**
 * Half of a cache line are slots of the index, the other half is a bucket for ghosts of hashes that are at home in one of them. Who stores what was not
 * there, or drops what was, needs the slots in any case: a table of their own would make the ghosts another wait for memory, each time.
 */
export const LINE_SLOTS = LINE_WORDS / 2;

/** Entries that make another shard worth while: below, an uneven hash would waste more than less waiting for a lock saves. */
const ENTRIES_PER_SHARD = 1024;

/** More shards than any machine has threads that write at once. */
const MAX_SHARDS = 64;

/** Blocks of a shard at least: the largest body, 65535 bytes and the offsets of its records, must find room. */
const MIN_BLOCKS = 768;

export interface SlabGeometry {
  /** First word in the shared memory. */
  readonly start: number;
  readonly shards: number;
  readonly shardWords: number;
  readonly entries: number;
  /** A power of two, at least twice `entries`: probes stay short. */
  readonly slots: number;
  readonly blocks: number;
  /** Offsets within a shard. */
  readonly indexAt: number;
  readonly linksAt: number;
  readonly entriesAt: number;
  readonly blocksAt: number;
}

/**
 * A slab for `capacity` entries, at most 100 million, in about `sizeBytes`, from word `start` on. Entries are rounded down to a multiple of the shards,
 * whose number, a power of two, is chosen by the capacity.
 */
export function slabGeometry(
  capacity: number,
  sizeBytes: number,
  start = 0,
  shards = shardsFor(capacity),
): SlabGeometry {
  const entries = Math.floor(capacity / shards);
  const slots = 2 ** Math.ceil(Math.log2(entries * 2));
  const indexAt = SHARD_WORDS;
  const linksAt = indexAt + inLines(slotAt(slots));
  const entriesAt = linksAt + inLines(2 * entries);
  const blocksAt = entriesAt + entries * ENTRY_WORDS;
  const room = Math.floor(sizeBytes / WORD_BYTES / shards) - blocksAt;
  const blocks = Math.max(MIN_BLOCKS, Math.floor(room / BLOCK_WORDS));
  const shardWords = blocksAt + blocks * BLOCK_WORDS;
  const sizes = { start, shards, shardWords, entries, slots, blocks };
  return { ...sizes, indexAt, linksAt, entriesAt, blocksAt };
}

/** Where a slot is in the index. */
export function slotAt(slot: number): number {
  return slot + (slot & -LINE_SLOTS);
}

/** Where the ghosts are of hashes whose home is this slot. */
export function ghostsAt(slot: number): number {
  return 2 * (slot & -LINE_SLOTS) + LINE_SLOTS;
}

/** Bytes of shared memory a slab takes. */
export function slabBytes(g: SlabGeometry): number {
  return g.shards * g.shardWords * WORD_BYTES;
}

/** The least that a slab for `capacity` entries can be given. */
export function minSlabBytes(capacity: number): number {
  return slabBytes(slabGeometry(capacity, 0));
}

/** So many words, up to the end of a cache line. */
function inLines(words: number): number {
  return Math.ceil(words / LINE_WORDS) * LINE_WORDS;
}

function shardsFor(capacity: number): number {
  const wanted = 2 ** Math.floor(Math.log2(Math.max(1, capacity / ENTRIES_PER_SHARD)));
  return Math.min(MAX_SHARDS, wanted);
}
