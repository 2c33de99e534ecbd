// Hot path. Look-ups in a slab: a table of small byte records in memory that all workers share. No lock, and nothing written but marks of use.
//
// A look-up goes hash -> index slot -> entry -> blocks of a long body, none of which a writer waits for. The entry's version tells afterwards whether
// what was read belongs together (seqlock.ts); until then every number read is only trusted as far as a bounds check.
import { Blocks } from './blocks.js';
import { ENTRY_WORDS, HEADER_WORDS, INLINE_WORDS, type SlabGeometry, slotAt } from './geometry.js';
import { ENTRY_MASK, MAX_PROBES, STEP, tagOf } from './hash-index.js';
import { readVersion, validate } from './seqlock.js';
import { BODY_MASK, Entry, shardOffset, USES_MASK, USES_SHIFT } from './shard.js';
import { copyWords } from './words.js';

/** By how many bytes of it count: the mask of a last word, in the byte order of the machine. */
const LAST_WORD = new Int32Array(
  Uint8Array.of(255, 255, 255, 255, 255, 0, 0, 0, 255, 255, 0, 0, 255, 255, 255, 0).buffer,
);

/** A key: three words and some bytes, 272 at most, with its hash. The bytes must be the first ones of the body stored under it. */
export interface SlabKey {
  readonly a: number;
  readonly b: number;
  readonly c: number;
  /** The bytes in words; what is behind them in the last word does not matter. */
  readonly words: Uint32Array;
  readonly bytes: number;
  /** The two halves of the hash. */
  readonly low: number;
  readonly high: number;
}

/** Words of the longest key: a name, and a little in front of it. */
const MAX_KEY_WORDS = 68;

/** One thread's view of a slab, with the entry that `find` found last. */
export class SlabReader {
  readonly #words: Int32Array;
  readonly #geometry: SlabGeometry;
  readonly #blocks: Blocks;
  readonly #slotMask: number;
  readonly #indexAt: number;
  readonly #entriesAt: number;
  readonly #entries: number;
  readonly #rest = new Int32Array(MAX_KEY_WORDS);
  #shard = 0;
  #header = 0;
  #version = 0;
  #body = 0;

  constructor(memory: SharedArrayBuffer, geometry: SlabGeometry) {
    this.#words = new Int32Array(memory);
    this.#geometry = geometry;
    this.#blocks = new Blocks(this.#words, geometry);
    this.#slotMask = geometry.slots - 1;
    this.#indexAt = geometry.indexAt;
    this.#entriesAt = geometry.entriesAt - ENTRY_WORDS;
    this.#entries = geometry.entries;
  }

  /** Looks a key up. Everything about the entry is hearsay until `isWhole` said so. */
  find(key: SlabKey): boolean {
    const words = this.#words;
    const shard = shardOffset(this.#geometry, key.low);
    let wanted = tagOf(key.high);
    const index = shard + this.#indexAt;
    let slot = key.low & this.#slotMask;
    for (let probe = 0; probe < MAX_PROBES; probe++) {
      const value = words[index + slotAt(slot)]!;
      if (value === 0) return false;
      const entry = value & ENTRY_MASK;
      if ((value ^ wanted) === entry && entry <= this.#entries) {
        const header = shard + this.#entriesAt + entry * ENTRY_WORDS;
        const version = readVersion(words, header);
        if ((version & 1) === 0 && this.#isFor(shard, header, key)) {
          this.#shard = shard;
          this.#header = header;
          this.#version = version;
          this.#body = words[header + Entry.BODY]!;
          return true;
        }
      }
      slot = (slot + 1) & this.#slotMask;
      wanted += STEP;
    }
    return false;
  }

  /** The number of the found entry in its shard. */
  get entry(): number {
    return (this.#header - this.#shard - this.#entriesAt) / ENTRY_WORDS;
  }

  /** Word `i` of the found entry's user data. */
  meta(i: number): number {
    return this.#words[this.#header + Entry.META + i]!;
  }

  /** Words of the found entry's body. */
  get bodyWords(): number {
    return this.#body & BODY_MASK;
  }

  /** Whether the found entry was in the frequency clock, not in that of recency. */
  get isFrequent(): boolean {
    return this.#body < 0;
  }

  /** The tick at which the found entry was last read, as far as `countUse` was told; 0 for never. */
  get seen(): number {
    return this.#words[this.#header + Entry.SEEN]!;
  }

  /** Copies the found entry's body to `into` from `at`; there must be room for `bodyWords`. False when it is being changed. */
  copyBody(into: Int32Array, at: number): boolean {
    const words = this.#words;
    const count = this.#body & BODY_MASK;
    const from = this.#header + HEADER_WORDS;
    const inline = Math.min(count, INLINE_WORDS);
    copyWords(words, from, into, at, inline);
    if (count <= INLINE_WORDS) return true;
    const first = words[this.#header + Entry.FIRST]!;
    return this.#blocks.copy(this.#shard, first, count - INLINE_WORDS, into, at + INLINE_WORDS);
  }

  /** Whether everything read of the found entry since `find` belongs together. */
  get isWhole(): boolean {
    return validate(this.#words, this.#header, this.#version);
  }

  /** Tells replacement that the found entry was of use. Writes nothing more once that is known well enough. */
  touch(): void {
    const at = this.#header + Entry.USAGE;
    const usage = this.#words[at]!;
    if ((usage & USES_MASK) !== USES_MASK) this.#words[at] = usage + 1;
  }

  /**
   * Counts that the found entry was read at tick `now` and returns how often it was without a pause longer than `maxPause` ticks, up to `limit`.
   * Workers count without a lock, so that one now and then is lost.
   */
  countUse(now: number, maxPause: number, limit: number): number {
    const words = this.#words;
    const at = this.#header + Entry.USAGE;
    const seenAt = this.#header + Entry.SEEN;
    const seen = words[seenAt]!;
    const usage = words[at]!;
    const before = ((now - seen) | 0) > maxPause ? 0 : usage >>> USES_SHIFT;
    if (seen !== now) words[seenAt] = now;
    const count = before < limit ? before + 1 : before;
    const uses = usage & USES_MASK;
    const next = (count << USES_SHIFT) | (uses === USES_MASK ? uses : uses + 1);
    if (usage !== next) words[at] = next;
    return count;
  }

  /**
   * Takes on the refreshing of the found entry until tick `until`. False when somebody has it, or it is not to be tried again yet. Should the entry
   * have been replaced in the meantime, another one is refreshed later than it could be, no more.
   */
  claim(now: number, until: number): boolean {
    const at = this.#header + Entry.RETRY;
    const retry = Atomics.load(this.#words, at);
    if (retry !== 0 && ((retry - now) | 0) > 0) return false;
    return Atomics.compareExchange(this.#words, at, retry, until === 0 ? 1 : until) === retry;
  }

  /** Whether somebody refreshes the found entry, or it is not to be tried again yet. */
  isPostponed(now: number): boolean {
    const retry = Atomics.load(this.#words, this.#header + Entry.RETRY);
    return retry !== 0 && ((retry - now) | 0) > 0;
  }

  /** Says that the found entry is not to be refreshed before tick `until`. */
  postpone(until: number): void {
    Atomics.store(this.#words, this.#header + Entry.RETRY, until === 0 ? 1 : until);
  }

  #isFor(shard: number, header: number, key: SlabKey): boolean {
    const words = this.#words;
    if (words[header + Entry.HASH] !== key.low) return false;
    if (words[header + Entry.KEY_A] !== key.a || words[header + Entry.KEY_B] !== key.b)
      return false;
    if (words[header + Entry.KEY_C] !== key.c) return false;
    const count = (key.bytes + 3) >> 2;
    if (count > INLINE_WORDS) return this.#isForLong(shard, header, key, count);
    return areEqual(words, header + HEADER_WORDS, key.words, count, key.bytes);
  }

  /** The same for a key that reaches into the entry's blocks. */
  #isForLong(shard: number, header: number, key: SlabKey, count: number): boolean {
    const words = this.#words;
    const rest = this.#rest;
    copyWords(words, header + HEADER_WORDS, rest, 0, INLINE_WORDS);
    const first = words[header + Entry.FIRST]!;
    if (!this.#blocks.copy(shard, first, count - INLINE_WORDS, rest, INLINE_WORDS)) return false;
    return areEqual(rest, 0, key.words, count, key.bytes);
  }
}

/** Whether the first `bytes` bytes, which are in `count` words, are the same. */
function areEqual(
  words: Int32Array,
  at: number,
  key: Uint32Array,
  count: number,
  bytes: number,
): boolean {
  const last = count - 1;
  for (let i = 0; i < last; i++) if (words[at + i] !== (key[i]! | 0)) return false;
  return ((words[at + last]! ^ key[last]!) & LAST_WORD[bytes & 3]!) === 0;
}
