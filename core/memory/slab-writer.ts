// Writing to a slab: one writer per shard at a time. Every way out of the table leads through #drop, which is told the cause, or #release, and every way
// in through #add: whoever must learn of inserts, expiry or flushes belongs there.
import { Blocks, blocksFor } from './blocks.js';
import { List } from './clocks.js';
import {
  BLOCK_WORDS,
  ENTRY_WORDS,
  HEADER_WORDS,
  INLINE_WORDS,
  type SlabGeometry,
  WORD_BYTES,
} from './geometry.js';
import { HashIndex } from './hash-index.js';
import { takeOver, tryLock, unlock } from './lock.js';
import { Replacement } from './replacement.js';
import { beginWrite, endWrite } from './seqlock.js';
import { BODY_MASK, Cause, Entry, META_WORDS, Shard, shardOffset, USES_SHIFT } from './shard.js';
import { type SlabKey, SlabReader } from './slab-reader.js';
import type { SlabWalker } from './slab-walker.js';
import { copyWords } from './words.js';

/** What `insert` gives when it did not: the lock was taken for too long, or there is no room for such a body. */
export const BUSY = -1;
export const TOO_LARGE = -2;

/** Owner of locks taken by the main thread; workers' numbers start at 1. */
export const CONTROL_OWNER = -1;

/** Entries that a sweep looks at before it gives the lock back: some 10 us. */
const SWEEP_SLICE = 256;

/** One thread's way to change a slab. */
export class SlabWriter {
  readonly #words: Int32Array;
  readonly #geometry: SlabGeometry;
  readonly #owner: number;
  readonly #reader: SlabReader;
  readonly #blocks: Blocks;
  readonly #index: HashIndex;
  readonly #replacement: Replacement;
  readonly #entriesAt: number;
  readonly #entries: number;

  /** `owner` is unique to the thread and not 0. */
  constructor(memory: SharedArrayBuffer, geometry: SlabGeometry, owner: number) {
    this.#words = new Int32Array(memory);
    this.#geometry = geometry;
    this.#owner = owner;
    this.#reader = new SlabReader(memory, geometry);
    this.#blocks = new Blocks(this.#words, geometry);
    this.#index = new HashIndex(this.#words, geometry);
    this.#replacement = new Replacement(this.#words, geometry);
    this.#entriesAt = geometry.entriesAt - ENTRY_WORDS;
    this.#entries = geometry.entries;
  }

  /**
   * Stores a body under a key, in the place of what was there. `meta` is copied; the first `bodyWords` words of `body` are, too. Returns how many
   * entries that were still worth something at tick `now` had to go for it, or BUSY or TOO_LARGE. `uses` and `seen` are how often it was used and
   * when last, for an entry that comes from elsewhere; what is known here already counts for more. A key stored again is in the frequency clock.
   */
  insert(
    key: SlabKey,
    meta: Int32Array,
    body: Int32Array,
    bodyWords: number,
    deadline: number,
    now: number,
    uses = 0,
    seen = 0,
  ): number {
    if (blocksFor(bodyWords) > this.#geometry.blocks) return TOO_LARGE;
    const shard = shardOffset(this.#geometry, key.low);
    if (!tryLock(this.#words, shard + Shard.LOCK, this.#owner)) return BUSY;
    // How popular a key is stays known when its body is replaced.
    const old = this.#entryOf(key);
    const oldHeader = shard + this.#entriesAt + old * ENTRY_WORDS;
    const usage = old === 0 ? uses << USES_SHIFT : this.#words[oldHeader + Entry.USAGE]!;
    const lastSeen = old === 0 ? seen : this.#words[oldHeader + Entry.SEEN]!;
    const admitted = old === 0 ? this.#replacement.admit(shard, key.low) : List.FREQUENCY;
    let evicted = this.#makeRoom(shard, old, blocksFor(bodyWords), now);
    const entry = this.#takeEntry(shard);
    const header = shard + this.#entriesAt + entry * ENTRY_WORDS;
    this.#write(shard, header, key, meta, body, bodyWords);
    this.#words[header + Entry.DEADLINE] = deadline;
    this.#words[header + Entry.USAGE] = usage;
    this.#words[header + Entry.SEEN] = lastSeen;
    endWrite(this.#words, header);
    evicted += this.#add(shard, key, entry, old !== 0);
    this.#replacement.add(shard, entry, uses > 0 ? List.FREQUENCY : admitted);
    unlock(this.#words, shard + Shard.LOCK);
    return evicted;
  }

  /** Drops the entry of a key. False when there is none, or its shard's lock was taken for too long. */
  remove(key: SlabKey): boolean {
    const shard = shardOffset(this.#geometry, key.low);
    // Most keys are not there, and that needs no lock.
    if (!this.#reader.find(key)) return false;
    if (!tryLock(this.#words, shard + Shard.LOCK, this.#owner)) return false;
    const entry = this.#entryOf(key);
    if (entry !== 0) this.#drop(shard, entry, Cause.SUPERSEDED);
    unlock(this.#words, shard + Shard.LOCK);
    return entry !== 0;
  }

  /** Drops the entry that `walker` met last, if it is the same still. Returns 1 when it did, 0 when the entry has changed or gone, or BUSY. */
  removeAt(walker: SlabWalker): number {
    const words = this.#words;
    const shard = this.#shardAt(walker.shard);
    if (!tryLock(words, shard + Shard.LOCK, this.#owner)) return BUSY;
    const header = shard + this.#entriesAt + walker.entry * ENTRY_WORDS;
    const isSame = words[header + Entry.VERSION] === walker.version;
    if (isSame) this.#drop(shard, walker.entry, Cause.FLUSHED);
    unlock(words, shard + Shard.LOCK);
    return isSame ? 1 : 0;
  }

  /** Drops what is past its deadline at tick `now` in shard number `i`. Returns how many. */
  sweep(i: number, now: number): number {
    const words = this.#words;
    const shard = this.#shardAt(i);
    let dropped = 0;
    for (let entry = 1; entry <= words[shard + Shard.ENTRIES_TOUCHED]!; ) {
      if (!tryLock(words, shard + Shard.LOCK, this.#owner)) return dropped;
      const end = Math.min(entry + SWEEP_SLICE, words[shard + Shard.ENTRIES_TOUCHED]! + 1);
      for (; entry < end; entry++) {
        const header = shard + this.#entriesAt + entry * ENTRY_WORDS;
        if (words[header + Entry.BODY] === 0) continue;
        if (((now - words[header + Entry.DEADLINE]!) | 0) < 0) continue;
        this.#drop(shard, entry, Cause.EXPIRED);
        dropped++;
      }
      unlock(words, shard + Shard.LOCK);
    }
    return dropped;
  }

  /** Empties the shards whose lock is still held by `from`, a thread that ended: it may have left them half written. Returns how many. */
  seize(from: number): number {
    let seized = 0;
    for (let i = 0; i < this.shards; i++) {
      const shard = this.#shardAt(i);
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

  /** Entries in the clock of recency; the others are in that of frequency. */
  get recent(): number {
    return this.#sum(Shard.LISTED);
  }

  /** Entries that the clock of recency is to hold. */
  get target(): number {
    let sum = 0;
    for (let i = 0; i < this.shards; i++) sum += this.#replacement.target(this.#shardAt(i));
    return sum;
  }

  /** Entries removed for this cause, since the beginning; wraps at 32 bits, like the two below. */
  removed(cause: Cause): number {
    return this.#sum(Shard.REMOVED + cause);
  }

  /** Keys stored that had been evicted from a clock not long ago. */
  ghostHits(list: List): number {
    return this.#sum(Shard.GHOST_HITS + list);
  }

  /** Those of both that were evicted so lately that twice the entries would have kept them, in the order of evictions. */
  get nearGhostHits(): number {
    return this.#sum(Shard.NEAR_GHOST_HITS);
  }

  get shards(): number {
    return this.#geometry.shards;
  }

  #shardAt(i: number): number {
    return this.#geometry.start + i * this.#geometry.shardWords;
  }

  #entryOf(key: SlabKey): number {
    return this.#reader.find(key) ? this.#reader.entry : 0;
  }

  /** Drops entries until one is free and `blocks` blocks are: `old` first, then what replacement picks. Returns how many living ones it picked. */
  #makeRoom(shard: number, old: number, blocks: number, now: number): number {
    if (this.#hasRoom(shard, blocks)) return 0;
    if (old !== 0) this.#forget(shard, old);
    let evicted = 0;
    while (!this.#hasRoom(shard, blocks)) {
      const isFull = this.#words[shard + Shard.ENTRIES_USED] === this.#entries;
      const entry = this.#replacement.pick(shard, now, !isFull);
      const header = shard + this.#entriesAt + entry * ENTRY_WORDS;
      if (((now - this.#words[header + Entry.DEADLINE]!) | 0) >= 0) {
        this.#drop(shard, entry, Cause.EXPIRED);
        continue;
      }
      this.#replacement.remember(shard, entry);
      this.#drop(shard, entry, isFull ? Cause.ENTRIES : Cause.BYTES);
      evicted++;
    }
    return evicted;
  }

  #hasRoom(shard: number, blocks: number): boolean {
    const used = this.#words[shard + Shard.ENTRIES_USED]!;
    return used < this.#entries && this.#blocks.free(shard) >= blocks;
  }

  /** Writes key, meta and body of an entry that no reader knows; it is not whole until its version is ended. */
  #write(
    shard: number,
    header: number,
    key: SlabKey,
    meta: Int32Array,
    body: Int32Array,
    bodyWords: number,
  ): void {
    const words = this.#words;
    beginWrite(words, header);
    words[header + Entry.HASH] = key.low;
    words[header + Entry.KEY_A] = key.a;
    words[header + Entry.KEY_B] = key.b;
    words[header + Entry.KEY_C] = key.c;
    const inline = Math.min(bodyWords, INLINE_WORDS);
    copyWords(body, 0, words, header + HEADER_WORDS, inline);
    words[header + Entry.FIRST] = this.#blocks.write(shard, body, bodyWords);
    words[header + Entry.BODY] = bodyWords;
    for (let i = 0; i < META_WORDS; i++) words[header + Entry.META + i] = meta[i]!;
    words[header + Entry.RETRY] = 0;
  }

  /**
   * Makes a whole entry known; `isReplacing` says that the key had one before room was made. Returns how many others had to go because too many met in
   * one place of the index.
   */
  #add(shard: number, key: SlabKey, entry: number, isReplacing: boolean): number {
    const old = isReplacing ? this.#entryOf(key) : 0;
    if (old !== 0) {
      // The old entry stayed readable until now.
      this.#index.replace(shard, key.low, old, entry);
      this.#release(shard, old);
      return 0;
    }
    let evicted = 0;
    while (!this.#index.add(shard, key.low, key.high, entry)) {
      this.#drop(shard, this.#index.first(shard, key.low), Cause.INDEX);
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

  #drop(shard: number, entry: number, cause: Cause): void {
    const at = shard + Shard.REMOVED + cause;
    this.#words[at] = (this.#words[at]! + 1) | 0;
    this.#forget(shard, entry);
  }

  /** Drops an entry whose key is about to be stored again. */
  #forget(shard: number, entry: number): void {
    const header = shard + this.#entriesAt + entry * ENTRY_WORDS;
    this.#index.remove(shard, this.#words[header + Entry.HASH]!, entry);
    this.#release(shard, entry);
  }

  #release(shard: number, entry: number): void {
    const words = this.#words;
    const header = shard + this.#entriesAt + entry * ENTRY_WORDS;
    this.#replacement.remove(shard, entry);
    beginWrite(words, header);
    const bodyWords = words[header + Entry.BODY]! & BODY_MASK;
    this.#blocks.release(shard, words[header + Entry.FIRST]!, bodyWords);
    words[header + Entry.BODY] = 0;
    words[header + Entry.FIRST] = words[shard + Shard.FREE_ENTRY]!;
    words[shard + Shard.FREE_ENTRY] = entry;
    words[shard + Shard.ENTRIES_USED] = words[shard + Shard.ENTRIES_USED]! - 1;
  }

  /** Makes a shard as it was at first, but for the versions, which never go back, and what is only counted. */
  #clear(shard: number): void {
    const words = this.#words;
    for (let entry = 1; entry <= this.#entries; entry++) {
      const header = shard + this.#entriesAt + entry * ENTRY_WORDS;
      if (words[header + Entry.VERSION] === 0) continue;
      beginWrite(words, header);
      words[header + Entry.BODY] = 0;
    }
    this.#index.clear(shard);
    words.fill(0, shard + Shard.LOCK + 1, shard + Shard.EVICTIONS);
  }

  #sum(counter: number): number {
    let sum = 0;
    for (let i = 0; i < this.shards; i++) {
      sum += Atomics.load(this.#words, this.#shardAt(i) + counter);
    }
    return sum;
  }
}
