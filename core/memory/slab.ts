// Hot path. A table of small byte records in memory that all workers share: look-ups without a lock, one writer per shard at a time.
//
// A look-up goes hash -> index slot -> entry header -> blocks, none of which a writer waits for. The header's version tells afterwards whether what
// was read belongs together (seqlock.ts); until then every number read is only trusted as far as a bounds check. Every way out of the table leads
// through #drop and every way in through #add: whoever must learn of inserts, expiry or flushes belongs there.
import { Blocks, blocksFor } from './blocks.js';
import { ClockHand } from './clock-hand.js';
import {
  BLOCK_WORDS,
  ENTRY_WORDS,
  HEADER_WORDS,
  INLINE_WORDS,
  type SlabGeometry,
  WORD_BYTES,
} from './geometry.js';
import { ENTRY_MASK, HashIndex, MAX_PROBES, tagOf } from './hash-index.js';
import { takeOver, tryLock, unlock } from './lock.js';
import { beginWrite, endWrite, readVersion, validate } from './seqlock.js';
import { Entry, META_WORDS, Shard } from './shard.js';

/** By how many bytes of it count: the mask of a last word, in the byte order of the machine. */
const LAST_WORD = new Int32Array(
  Uint8Array.of(255, 255, 255, 255, 255, 0, 0, 0, 255, 255, 0, 0, 255, 255, 255, 0).buffer,
);

/** A key: three words and some bytes, 255 at most, with its hash. The bytes must be the first ones of the body stored under it. */
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

/** What `insert` gives when it did not: the lock was taken for too long, or there is no room for such a body. */
export const BUSY = -1;
export const TOO_LARGE = -2;

/** Owner of locks taken by the main thread; workers' numbers start at 1. */
export const CONTROL_OWNER = -1;

/** Words of the longest key. */
const MAX_KEY_WORDS = 64;

/** One thread's view of a slab, with the entry that `find` found last; `insert` and `remove` forget that. */
export class Slab {
  readonly #words: Int32Array;
  readonly #geometry: SlabGeometry;
  readonly #owner: number;
  readonly #blocks: Blocks;
  readonly #index: HashIndex;
  readonly #hand: ClockHand;
  readonly #start: number;
  readonly #shardWords: number;
  readonly #shardMask: number;
  readonly #slotMask: number;
  readonly #indexAt: number;
  readonly #entriesAt: number;
  readonly #entries: number;
  readonly #rest = new Int32Array(MAX_KEY_WORDS);
  #shard = 0;
  #header = 0;
  #version = 0;
  #bodyWords = 0;

  /** `owner` is unique to the thread and not 0. */
  constructor(memory: SharedArrayBuffer, geometry: SlabGeometry, owner: number) {
    this.#words = new Int32Array(memory);
    this.#geometry = geometry;
    this.#owner = owner;
    this.#blocks = new Blocks(this.#words, geometry);
    this.#index = new HashIndex(this.#words, geometry);
    this.#hand = new ClockHand(this.#words, geometry);
    this.#start = geometry.start;
    this.#shardWords = geometry.shardWords;
    this.#shardMask = geometry.shards - 1;
    this.#slotMask = geometry.slots - 1;
    this.#indexAt = geometry.indexAt;
    this.#entriesAt = geometry.entriesAt - ENTRY_WORDS;
    this.#entries = geometry.entries;
  }

  /** Looks a key up. Everything about the entry is hearsay until `isWhole` said so. */
  find(key: SlabKey): boolean {
    const words = this.#words;
    const shard = this.#shardOf(key);
    const tag = tagOf(key.high);
    const index = shard + this.#indexAt;
    let slot = key.low & this.#slotMask;
    for (let probe = 0; probe < MAX_PROBES; probe++) {
      const value = words[index + slot]!;
      if (value === 0) return false;
      const entry = value & ENTRY_MASK;
      if ((value ^ tag) === entry && entry <= this.#entries) {
        const header = shard + this.#entriesAt + entry * ENTRY_WORDS;
        const version = readVersion(words, header);
        if ((version & 1) === 0 && this.#isFor(shard, header, key)) {
          this.#shard = shard;
          this.#header = header;
          this.#version = version;
          this.#bodyWords = words[header + Entry.BODY]!;
          return true;
        }
      }
      slot = (slot + 1) & this.#slotMask;
    }
    return false;
  }

  /** Word `i` of the found entry's user data. */
  meta(i: number): number {
    return this.#words[this.#header + Entry.META + i]!;
  }

  /** Words of the found entry's body. */
  get bodyWords(): number {
    return this.#bodyWords;
  }

  /** Copies the found entry's body to `into` from `at`; there must be room for `bodyWords`. False when it is being changed. */
  copyBody(into: Int32Array, at: number): boolean {
    const words = this.#words;
    const count = this.#bodyWords;
    const from = this.#header + HEADER_WORDS;
    const inline = count < INLINE_WORDS ? count : INLINE_WORDS;
    for (let i = 0; i < inline; i++) into[at + i] = words[from + i]!;
    if (count <= INLINE_WORDS) return true;
    const first = words[this.#header + Entry.FIRST]!;
    return this.#blocks.copy(this.#shard, first, count - INLINE_WORDS, into, at + INLINE_WORDS);
  }

  /** Whether everything read of the found entry since `find` belongs together. */
  get isWhole(): boolean {
    return validate(this.#words, this.#header, this.#version);
  }

  /** Tells replacement that the found entry was of use. Writes only when nobody else did since it last looked. */
  touch(): void {
    const at = this.#header + Entry.USAGE;
    const usage = this.#words[at]!;
    if ((usage & 1) === 0) this.#words[at] = usage | 1;
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
    const before = ((now - seen) | 0) > maxPause ? 0 : usage >>> 1;
    if (seen !== now) words[seenAt] = now;
    const count = before < limit ? before + 1 : before;
    const next = (count << 1) | 1;
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

  /** Says that the found entry is not to be refreshed before tick `until`. */
  postpone(until: number): void {
    Atomics.store(this.#words, this.#header + Entry.RETRY, until === 0 ? 1 : until);
  }

  /**
   * Stores a body under a key, in the place of what was there. `meta` is copied; the first `bodyWords` words of `body` are, too. Returns how many
   * entries that were still worth something at tick `now` had to go for it, or BUSY or TOO_LARGE.
   */
  insert(
    key: SlabKey,
    meta: Int32Array,
    body: Int32Array,
    bodyWords: number,
    deadline: number,
    now: number,
  ): number {
    if (blocksFor(bodyWords) > this.#geometry.blocks) return TOO_LARGE;
    const shard = this.#shardOf(key);
    if (!tryLock(this.#words, shard + Shard.LOCK, this.#owner)) return BUSY;
    let evicted = this.#makeRoom(shard, key, blocksFor(bodyWords), now);
    evicted += this.#add(shard, key, meta, body, bodyWords, deadline);
    unlock(this.#words, shard + Shard.LOCK);
    return evicted;
  }

  /** Drops the entry of a key. False when there is none, or its shard's lock was taken for too long. */
  remove(key: SlabKey): boolean {
    const shard = this.#shardOf(key);
    if (!this.find(key) || !tryLock(this.#words, shard + Shard.LOCK, this.#owner)) return false;
    const entry = this.#entryOf(shard, key);
    if (entry !== 0) this.#drop(shard, entry);
    unlock(this.#words, shard + Shard.LOCK);
    return entry !== 0;
  }

  /** Drops what is past its deadline at tick `now` in shard number `shard`. Returns how many; 0 when its lock is taken. */
  sweep(shard: number, now: number): number {
    const words = this.#words;
    const at = this.#start + (shard & this.#shardMask) * this.#shardWords;
    if (!tryLock(words, at + Shard.LOCK, this.#owner)) return 0;
    const touched = words[at + Shard.ENTRIES_TOUCHED]!;
    let dropped = 0;
    for (let entry = 1; entry <= touched; entry++) {
      const header = at + this.#entriesAt + entry * ENTRY_WORDS;
      if (words[header + Entry.BODY] === 0) continue;
      if (((now - words[header + Entry.DEADLINE]!) | 0) < 0) continue;
      this.#drop(at, entry);
      dropped++;
    }
    unlock(words, at + Shard.LOCK);
    return dropped;
  }

  /** Empties the shards whose lock is still held by `from`, a thread that ended: it may have left them half written. Returns how many. */
  seize(from: number): number {
    let seized = 0;
    for (let i = 0; i <= this.#shardMask; i++) {
      const shard = this.#start + i * this.#shardWords;
      if (!takeOver(this.#words, shard + Shard.LOCK, from, this.#owner)) continue;
      this.#clear(shard);
      unlock(this.#words, shard + Shard.LOCK);
      seized++;
    }
    return seized;
  }

  /** Entries in use. */
  get count(): number {
    return this.#sum(Shard.ENTRIES_USED);
  }

  /** Bytes of headers and blocks in use. */
  get usedBytes(): number {
    const words = this.count * ENTRY_WORDS + this.#sum(Shard.BLOCKS_USED) * BLOCK_WORDS;
    return words * WORD_BYTES;
  }

  get shards(): number {
    return this.#shardMask + 1;
  }

  #shardOf(key: SlabKey): number {
    // The upper bits of the lower half; the index uses the lower ones.
    return this.#start + ((key.low >>> 26) & this.#shardMask) * this.#shardWords;
  }

  #isFor(shard: number, header: number, key: SlabKey): boolean {
    const words = this.#words;
    if (words[header + Entry.HASH] !== key.low) return false;
    if (words[header + Entry.KEY_A] !== key.a || words[header + Entry.KEY_B] !== key.b) return false;
    if (words[header + Entry.KEY_C] !== key.c) return false;
    const count = (key.bytes + 3) >> 2;
    if (count > INLINE_WORDS) return this.#isForLong(shard, header, key, count);
    return areEqual(words, header + HEADER_WORDS, key.words, count, key.bytes);
  }

  /** The same for a key that reaches into the entry's blocks. */
  #isForLong(shard: number, header: number, key: SlabKey, count: number): boolean {
    const words = this.#words;
    const rest = this.#rest;
    for (let i = 0; i < INLINE_WORDS; i++) rest[i] = words[header + HEADER_WORDS + i]!;
    const first = words[header + Entry.FIRST]!;
    if (!this.#blocks.copy(shard, first, count - INLINE_WORDS, rest, INLINE_WORDS)) return false;
    return areEqual(rest, 0, key.words, count, key.bytes);
  }

  #entryOf(shard: number, key: SlabKey): number {
    if (!this.find(key)) return 0;
    return (this.#header - shard - this.#entriesAt) / ENTRY_WORDS;
  }

  /** Drops entries until one is free and `blocks` blocks are: first what the key has, then what replacement picks. Returns how many it picked. */
  #makeRoom(shard: number, key: SlabKey, blocks: number, now: number): number {
    if (this.#hasRoom(shard, blocks)) return 0;
    const old = this.#entryOf(shard, key);
    if (old !== 0) this.#drop(shard, old);
    let evicted = 0;
    while (!this.#hasRoom(shard, blocks)) {
      const entry = this.#hand.pick(shard, now);
      const header = shard + this.#entriesAt + entry * ENTRY_WORDS;
      if (((now - this.#words[header + Entry.DEADLINE]!) | 0) < 0) evicted++;
      this.#drop(shard, entry);
    }
    return evicted;
  }

  #hasRoom(shard: number, blocks: number): boolean {
    const used = this.#words[shard + Shard.ENTRIES_USED]!;
    return used < this.#entries && this.#blocks.free(shard) >= blocks;
  }

  /** Returns how many entries had to go because too many met in one place of the index. */
  #add(
    shard: number,
    key: SlabKey,
    meta: Int32Array,
    body: Int32Array,
    bodyWords: number,
    deadline: number,
  ): number {
    const words = this.#words;
    const entry = this.#takeEntry(shard);
    const header = shard + this.#entriesAt + entry * ENTRY_WORDS;
    beginWrite(words, header);
    words[header + Entry.HASH] = key.low;
    words[header + Entry.KEY_A] = key.a;
    words[header + Entry.KEY_B] = key.b;
    words[header + Entry.KEY_C] = key.c;
    words[header + Entry.DEADLINE] = deadline;
    const inline = Math.min(bodyWords, INLINE_WORDS);
    for (let i = 0; i < inline; i++) words[header + HEADER_WORDS + i] = body[i]!;
    words[header + Entry.FIRST] = this.#blocks.write(shard, body, bodyWords);
    words[header + Entry.BODY] = bodyWords;
    for (let i = 0; i < META_WORDS; i++) words[header + Entry.META + i] = meta[i]!;
    words[header + Entry.USAGE] = 0;
    words[header + Entry.SEEN] = 0;
    words[header + Entry.RETRY] = 0;
    // The old entry stays readable until the new one is whole and in its place.
    const old = this.#entryOf(shard, key);
    endWrite(words, header);
    if (old !== 0) {
      this.#index.replace(shard, key.low, old, entry);
      this.#release(shard, old);
      return 0;
    }
    let evicted = 0;
    while (!this.#index.add(shard, key.low, key.high, entry)) {
      this.#drop(shard, this.#index.first(shard, key.low));
      evicted++;
    }
    return evicted;
  }

  #takeEntry(shard: number): number {
    const words = this.#words;
    words[shard + Shard.ENTRIES_USED] = words[shard + Shard.ENTRIES_USED]! + 1;
    const entry = words[shard + Shard.FREE_ENTRY]!;
    if (entry === 0) {
      const fresh = words[shard + Shard.ENTRIES_TOUCHED]! + 1;
      words[shard + Shard.ENTRIES_TOUCHED] = fresh;
      return fresh;
    }
    const header = shard + this.#entriesAt + entry * ENTRY_WORDS;
    words[shard + Shard.FREE_ENTRY] = words[header + Entry.FIRST]!;
    return entry;
  }

  #drop(shard: number, entry: number): void {
    const header = shard + this.#entriesAt + entry * ENTRY_WORDS;
    this.#index.remove(shard, this.#words[header + Entry.HASH]!, entry);
    this.#release(shard, entry);
  }

  #release(shard: number, entry: number): void {
    const words = this.#words;
    const header = shard + this.#entriesAt + entry * ENTRY_WORDS;
    beginWrite(words, header);
    this.#blocks.release(shard, words[header + Entry.FIRST]!, words[header + Entry.BODY]!);
    words[header + Entry.BODY] = 0;
    words[header + Entry.FIRST] = words[shard + Shard.FREE_ENTRY]!;
    words[shard + Shard.FREE_ENTRY] = entry;
    words[shard + Shard.ENTRIES_USED] = words[shard + Shard.ENTRIES_USED]! - 1;
  }

  /** Makes a shard as it was at first, but for the versions, which never go back. */
  #clear(shard: number): void {
    const words = this.#words;
    for (let entry = 1; entry <= this.#entries; entry++) {
      const header = shard + this.#entriesAt + entry * ENTRY_WORDS;
      if (words[header + Entry.VERSION] === 0) continue;
      beginWrite(words, header);
      words[header + Entry.BODY] = 0;
    }
    this.#index.clear(shard);
    words.fill(0, shard + Shard.LOCK + 1, shard + this.#indexAt);
  }

  #sum(counter: number): number {
    let sum = 0;
    for (let i = 0; i <= this.#shardMask; i++) {
      sum += Atomics.load(this.#words, this.#start + i * this.#shardWords + counter);
    }
    return sum;
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
