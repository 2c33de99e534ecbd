// What the cache is on disk: every entry of its configuration with its times as ages, so that a later process, with another clock and another seed of
// its hash, can take it in. In pieces of 32-bit words, in the machine's own order:
//
//   first piece    format | byte-order mark | fingerprint | settings
//   other pieces   words of the record | half | a | b of the key | age and uses, pause since the last use | lifetime, ... (six words of meta) | body
import { setImmediate } from 'node:timers/promises';
import {
  CONTROL_OWNER,
  type SlabGeometry,
  type SlabKey,
  SlabReader,
  SlabWalker,
  SlabWriter,
  type SnapshotSection,
} from '../../core/plugin.js';
import { Kind } from './classify.js';
import { kindBits, META_COUNT, Meta, withoutOrigin } from './entry.js';
import { CacheKey, keyBytes } from './key.js';
import type { CacheMemory } from './options.js';
import { remainTicks } from './region.js';
import { ticksOfMs } from './ticks.js';

/** Raised when anything in an entry or its key changes its meaning. */
const FORMAT = 1;

const BYTE_ORDER = 0x01020304;

/** Words of a record before the body. */
const Field = { WORDS: 0, HALF: 1, A: 2, B: 3, AGE: 4, USES: 5, PAUSE: 6, META: 7 } as const;
const HEAD_WORDS = Field.META + META_COUNT;

/** A piece is written when it has so many words: some 300 entries, a third of a millisecond to make and to take. */
const PIECE_WORDS = 16 * 1024;

/** Entries looked at before other work is done, whether they are to be kept or not. */
export const ENTRIES_PER_PIECE = 1024;

const HALVES = ['success', 'denial'] as const;

/** Whose entries they are; anybody else's are not taken. */
export interface SnapshotOwner {
  /** Of the configuration that the answers come from. */
  readonly fingerprint: number;
  /** Stands for the settings by which they were kept. */
  readonly settings: number;
  /** How long past its time an entry may be used. */
  readonly staleTicks: number;
}

export class CacheSnapshot implements SnapshotSection {
  readonly name = 'cache';
  /** Of the last `write`, and of all that was read: entries, and those left out. */
  written = 0;
  taken = 0;
  skipped = 0;
  readonly #memory: CacheMemory;
  readonly #owner: SnapshotOwner;
  readonly #now: () => number;
  readonly #key: CacheKey;
  /** Of the name alone. */
  readonly #whole: CacheKey;
  readonly #halves: readonly Half[];
  readonly #meta = new Int32Array(META_COUNT);
  #hasBegun = false;

  /** `now` gives the tick of this moment. */
  constructor(memory: CacheMemory, owner: SnapshotOwner, now: () => number) {
    this.#memory = memory;
    this.#owner = owner;
    this.#now = now;
    this.#key = new CacheKey(memory.seed, owner.fingerprint);
    this.#whole = this.#key.another();
    this.#halves = HALVES.map((half) => new Half(memory, memory[half]));
  }

  async *write(): AsyncGenerator<Uint8Array, void> {
    const now = this.#now();
    this.written = 0;
    const { fingerprint, settings } = this.#owner;
    yield bytesOf(Int32Array.of(FORMAT, BYTE_ORDER, fingerprint, settings));
    const piece = new Piece();
    let looked = 0;
    for (const [half, { geometry }] of this.#halves.entries()) {
      const walker = new SlabWalker(this.#memory.memory, geometry);
      for (let shard = 0; shard < walker.shards; shard++) {
        walker.start(shard);
        while (walker.next()) {
          if (walker.c === (fingerprint | 0) && ((now - walker.deadline) | 0) < 0) {
            if (!piece.hasRoomFor(walker)) yield piece.take();
            piece.add(walker, half, now);
            this.written++;
          }
          if (++looked % ENTRIES_PER_PIECE !== 0) continue;
          if (piece.isEmpty) await setImmediate();
          else yield piece.take();
        }
      }
    }
    if (!piece.isEmpty) yield piece.take();
  }

  read(piece: Uint8Array, ageMs: number): void {
    const words = new Int32Array(piece.buffer, piece.byteOffset, piece.length >> 2);
    if (!this.#hasBegun) {
      this.#begin(words);
      return;
    }
    const now = this.#now();
    const elapsed = ticksOfMs(ageMs);
    for (let at = 0; at < words.length; ) {
      const count = words[at + Field.WORDS] as number;
      if (count < HEAD_WORDS || at + count > words.length) throw new Error('it has a bad record');
      if (this.#take(words.subarray(at, at + count), now, elapsed)) this.taken++;
      else this.skipped++;
      at += count;
    }
  }

  #begin(words: Int32Array): void {
    const [format, order, ...owner] = words;
    const { fingerprint, settings } = this.#owner;
    if (format !== FORMAT || order !== BYTE_ORDER) throw new Error('it has another format');
    if (owner[0] !== (fingerprint | 0) || owner[1] !== (settings | 0)) {
      throw new Error('it is of another configuration');
    }
    this.#hasBegun = true;
  }

  /** Stores an entry that was written `elapsed` ticks ago; false when it is not good any more. */
  #take(record: Int32Array, now: number, elapsed: number): boolean {
    const meta = this.#meta;
    for (let i = 0; i < META_COUNT; i++) meta[i] = record[Field.META + i] as number;
    meta[Meta.HEAD] = withoutOrigin(meta[Meta.HEAD] as number);
    const lifetime = meta[Meta.LIFETIME] as number;
    const kind = kindBits(meta[Meta.SHAPE] as number) + Kind.ANSWER;
    const age = (record[Field.AGE] as number) + elapsed;
    const left = lifetime + remainTicks(kind, lifetime, this.#owner.staleTicks) - age;
    if (left <= 0) return false;
    const body = record.subarray(HEAD_WORDS);
    const b = record[Field.B] as number;
    this.#key.restore(record[Field.A] as number, b, body, keyBytes(b));
    if (this.#isKnown()) return false;
    const half = this.#halves[record[Field.HALF] as number];
    if (half === undefined) return false;
    meta[Meta.STORED] = (now - age) | 0;
    const uses = record[Field.USES] as number;
    const seen = (now - elapsed - (record[Field.PAUSE] as number)) | 0;
    return half.store(this.#key, meta, body, (now + left) | 0, now, uses, seen);
  }

  /** Whether a worker that serves already knows of the key, or that there is no such name. */
  #isKnown(): boolean {
    const [key, whole] = [this.#key, this.#whole];
    whole.setWhole(key);
    return this.#halves.some(({ reader }) => reader.find(key) || reader.find(whole));
  }
}

/** One half of the memory. */
class Half {
  readonly geometry: SlabGeometry;
  readonly reader: SlabReader;
  readonly #writer: SlabWriter;

  constructor({ memory }: CacheMemory, geometry: SlabGeometry) {
    this.geometry = geometry;
    this.reader = new SlabReader(memory, geometry);
    this.#writer = new SlabWriter(memory, geometry, CONTROL_OWNER);
  }

  store(
    key: SlabKey,
    meta: Int32Array,
    body: Int32Array,
    deadline: number,
    now: number,
    uses: number,
    seen: number,
  ): boolean {
    return this.#writer.insert(key, meta, body, body.length, deadline, now, uses, seen) >= 0;
  }
}

/** Records of a piece as they are put together. */
class Piece {
  #words = new Int32Array(PIECE_WORDS);
  #length = 0;

  get isEmpty(): boolean {
    return this.#length === 0;
  }

  hasRoomFor({ bodyWords }: SlabWalker): boolean {
    return this.isEmpty || this.#length + HEAD_WORDS + bodyWords <= PIECE_WORDS;
  }

  /** There must be room. A record that is longer than any piece has one of its own. */
  add(walker: SlabWalker, half: number, now: number): void {
    const { meta, body, bodyWords } = walker;
    const count = HEAD_WORDS + bodyWords;
    if (count > this.#words.length) this.#words = new Int32Array(count);
    const words = this.#words;
    const at = this.#length;
    words[at + Field.WORDS] = count;
    words[at + Field.HALF] = half;
    words[at + Field.A] = walker.a;
    words[at + Field.B] = walker.b;
    words[at + Field.AGE] = (now - (meta[Meta.STORED] as number)) | 0;
    words[at + Field.USES] = walker.uses;
    words[at + Field.PAUSE] = (now - walker.seen) | 0;
    words.set(meta, at + Field.META);
    words.set(body.subarray(0, bodyWords), at + HEAD_WORDS);
    this.#length += count;
  }

  /** The piece, good until the next `add`. */
  take(): Uint8Array {
    const bytes = bytesOf(this.#words.subarray(0, this.#length));
    this.#length = 0;
    return bytes;
  }
}

function bytesOf(words: Int32Array): Uint8Array {
  return new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
}
