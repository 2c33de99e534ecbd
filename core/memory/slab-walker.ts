// Going through all entries of a slab, for snapshots, listings and flushes. Takes no lock: writers go on, and each entry is copied whole or not at all.
import { Blocks, blocksFor } from './blocks.js';
import {
  BLOCK_WORDS,
  ENTRY_WORDS,
  HEADER_WORDS,
  INLINE_WORDS,
  type SlabGeometry,
  WORD_BYTES,
} from './geometry.js';
import { readVersion, validate } from './seqlock.js';
import { BODY_MASK, Entry, FREQUENT, META_WORDS, Shard, USES_MASK, USES_SHIFT } from './shard.js';
import { copyWords } from './words.js';

/** Times an entry is copied again because it was changed meanwhile; then it is passed over. A change takes well under a microsecond. */
const ATTEMPTS = 8;

/** Words of body there is room for at first; a longer one makes the buffer grow. */
const FIRST_BODY_WORDS = 1024;

/**
 * A walk over the entries of one shard after another: `start(shard)`, then `next()` until it is false. Between two calls any time may pass. What is in
 * the shard from beginning to end of its walk is met, but for an entry that is replaced meanwhile: that one may be met twice, with its old and its new
 * body, or not at all. The fields are of the entry met last, copies that belong together, and stay as they are until the next call.
 */
export class SlabWalker {
  readonly shards: number;
  /** The shard that is walked, and the number of the entry in it. */
  shard = 0;
  entry = 0;
  version = 0;
  /** The lower half of the key's hash and the key's three words; its bytes are the first of the body. */
  low = 0;
  a = 0;
  b = 0;
  c = 0;
  deadline = 0;
  readonly meta = new Int32Array(META_WORDS);
  /** The first `bodyWords` are the entry's. Another array after an entry that is longer than all before. */
  body = new Int32Array(FIRST_BODY_WORDS);
  bodyWords = 0;
  /** How often it was used, 1 when that was not counted, and when last, as far as anyone asked: what `insert` takes to store it anew. */
  uses = 0;
  seen = 0;
  /** Whether it is in the clock of frequency, not in that of recency. */
  isFrequent = false;
  readonly #words: Int32Array;
  readonly #geometry: SlabGeometry;
  readonly #blocks: Blocks;

  constructor(memory: SharedArrayBuffer, geometry: SlabGeometry) {
    this.#words = new Int32Array(memory);
    this.#geometry = geometry;
    this.#blocks = new Blocks(this.#words, geometry);
    this.shards = geometry.shards;
  }

  /** Bytes that the entry takes. */
  get usedBytes(): number {
    return (ENTRY_WORDS + blocksFor(this.bodyWords) * BLOCK_WORDS) * WORD_BYTES;
  }

  /** Goes to the beginning of shard number `shard`, below `shards`. */
  start(shard: number): void {
    this.shard = shard;
    this.entry = 0;
  }

  /** Goes to the next live entry of the shard; false when there is none left. */
  next(): boolean {
    const base = this.#geometry.start + this.shard * this.#geometry.shardWords;
    const touched = Math.min(this.#geometry.entries, this.#words[base + Shard.ENTRIES_TOUCHED]!);
    while (this.entry < touched) {
      const at = base + this.#geometry.entriesAt + this.entry++ * ENTRY_WORDS;
      for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
        const version = readVersion(this.#words, at);
        if ((version & 1) !== 0 || version === 0) break;
        if (this.#copy(base, at, version)) return true;
      }
    }
    return false;
  }

  #copy(base: number, at: number, version: number): boolean {
    const words = this.#words;
    this.version = version;
    this.low = words[at + Entry.HASH]!;
    this.a = words[at + Entry.KEY_A]!;
    this.b = words[at + Entry.KEY_B]!;
    this.c = words[at + Entry.KEY_C]!;
    this.deadline = words[at + Entry.DEADLINE]!;
    this.seen = words[at + Entry.SEEN]!;
    copyWords(words, at + Entry.META, this.meta, 0, META_WORDS);
    const usage = words[at + Entry.USAGE]!;
    const body = words[at + Entry.BODY]!;
    this.isFrequent = (body & FREQUENT) !== 0;
    const isUsed = (usage & USES_MASK) !== 0 || this.isFrequent;
    this.uses = Math.max(usage >>> USES_SHIFT, isUsed ? 1 : 0);
    const count = body & BODY_MASK;
    const first = words[at + Entry.FIRST]!;
    // Only a length that is the entry's may make the buffer grow.
    if (!validate(words, at, version)) return false;
    this.bodyWords = count;
    if (count > this.body.length) this.body = new Int32Array(count);
    copyWords(words, at + HEADER_WORDS, this.body, 0, Math.min(count, INLINE_WORDS));
    const rest = count - INLINE_WORDS;
    if (rest > 0 && !this.#blocks.copy(base, first, rest, this.body, INLINE_WORDS)) return false;
    return validate(words, at, version);
  }
}
