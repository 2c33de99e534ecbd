// What was learnt of names, kept in a file over a restart. In pieces of 32-bit words, in the machine's own order:
//
//   first piece    format | byte-order mark | hashes of the sets of upstreams, by their numbers
//   other pieces   words of the record | type, class | length of the name, DO, CD, RD | popularity, four words | name, ...
//
// Which names are popular does not depend on what answers come from, so every configuration takes them.
import type { SlabKey, SnapshotSection } from '../../core/plugin.js';
import { nameWords } from './bucket.js';
import { type Budget, MAX_ORIGINS } from './budget.js';
import type { NameTable } from './name-table.js';
import { POPULARITY_WORDS } from './popularity.js';

/** Raised when anything in a record changes its meaning. */
const FORMAT = 1;

const BYTE_ORDER = 0x01020304;

/** Words of the first piece, and of a record before the name. */
const OWNER_WORDS = 2;
const Field = { WORDS: 0, A: 1, B: 2, POPULARITY: 3, NAME: 3 + POPULARITY_WORDS } as const;

/** Some 700 names: a tenth of a millisecond. */
const PIECE_WORDS = 10 * 1024;

/** The longest record: a bucket has no longer one. */
const MAX_RECORD_WORDS = Field.NAME + 64;

/** The longest label (RFC 1035 2.3.4). */
const MAX_LABEL = 63;

/** A key that is made again from what is kept of it. */
export interface KeptKey extends SlabKey {
  restore(a: number, b: number, name: Int32Array, bytes: number): void;
}

export class LearnedNames implements SnapshotSection {
  readonly name = 'names';
  /** Of all that was read: names, and those left out. */
  taken = 0;
  skipped = 0;
  readonly #names: NameTable;
  readonly #budget: Budget;
  readonly #key: KeptKey;
  readonly #now: () => number;
  readonly #period: () => number;
  readonly #piece = new Int32Array(PIECE_WORDS);
  /** By the numbers that sets of upstreams had when it was written, those that they have. */
  #origins: Uint8Array | undefined;
  #length = 0;

  /** `now` gives the tick of this moment, `period` the period of the day. */
  constructor(
    names: NameTable,
    budget: Budget,
    key: KeptKey,
    now: () => number,
    period: () => number,
  ) {
    this.#names = names;
    this.#budget = budget;
    this.#key = key;
    this.#now = now;
    this.#period = period;
  }

  *write(): Generator<Uint8Array, void> {
    const owner = new Int32Array(OWNER_WORDS + MAX_ORIGINS);
    owner[0] = FORMAT;
    owner[1] = BYTE_ORDER;
    for (let i = 0; i < MAX_ORIGINS; i++) owner[OWNER_WORDS + i] = this.#budget.hashOf(i);
    yield bytesOf(owner);
    const names = this.#names;
    const { bucket } = names;
    this.#length = 0;
    for (let i = 0; i < bucket.count; i++) {
      names.visit(i, this.#period(), this.#add);
      // A bucket has fewer words than are left then.
      if (this.#length < PIECE_WORDS / 2) continue;
      yield bytesOf(this.#piece.slice(0, this.#length));
      this.#length = 0;
    }
    if (this.#length > 0) yield bytesOf(this.#piece.slice(0, this.#length));
  }

  read(piece: Uint8Array): void {
    const words = new Int32Array(piece.buffer, piece.byteOffset, piece.length >> 2);
    if (this.#origins === undefined) {
      this.#begin(words);
      return;
    }
    for (let at = 0; at < words.length; ) {
      const count = words[at + Field.WORDS] as number;
      if (count < Field.NAME || count > MAX_RECORD_WORDS || at + count > words.length) {
        throw new Error('it has a bad record');
      }
      if (this.#take(words.subarray(at, at + count), this.#origins)) this.taken++;
      else this.skipped++;
      at += count;
    }
  }

  #begin(words: Int32Array): void {
    if (words[0] !== FORMAT || words[1] !== BYTE_ORDER) throw new Error('it has another format');
    const origins = new Uint8Array(MAX_ORIGINS);
    for (let i = 0; i < MAX_ORIGINS; i++) {
      origins[i] = this.#budget.originOf(words[OWNER_WORDS + i] ?? 0);
    }
    this.#origins = origins;
  }

  readonly #add = (): boolean => {
    const { a, b, popularity } = this.#names;
    const piece = this.#piece;
    const at = this.#length;
    const count = Field.NAME + nameWords(b);
    this.#names.copyName();
    piece[at + Field.WORDS] = count;
    piece[at + Field.A] = a;
    piece[at + Field.B] = b;
    popularity.store(piece, at + Field.POPULARITY);
    for (let i = Field.NAME; i < count; i++) {
      piece[at + i] = this.#names.name[i - Field.NAME] as number;
    }
    this.#length += count;
    return false;
  };

  #take(record: Int32Array, origins: Uint8Array): boolean {
    const b = record[Field.B] as number;
    const name = record.slice(Field.NAME);
    const bytes = (b >>> 8) & 0xff;
    if (name.length !== nameWords(b) || !isName(name, bytes)) throw new Error('it has a bad name');
    const key = this.#key;
    key.restore(record[Field.A] as number, b, name, bytes);
    const { popularity } = this.#names;
    popularity.load(record, Field.POPULARITY);
    popularity.turnTo(this.#period());
    popularity.origin = origins[popularity.origin] as number;
    const isKnown = popularity.peak > 0 || popularity.used > 0;
    return isKnown && this.#names.restore(key, this.#now());
  }
}

/** Whether these words hold a name of so many bytes in wire form. */
function isName(words: Int32Array, bytes: number): boolean {
  const octets = new Uint8Array(words.buffer, 0, bytes);
  let at = 0;
  while (at < bytes && octets[at] !== 0) {
    if ((octets[at] as number) > MAX_LABEL) return false;
    at += (octets[at] as number) + 1;
  }
  return at === bytes - 1;
}

function bytesOf(words: Int32Array): Uint8Array {
  return new Uint8Array(words.buffer, 0, words.byteLength);
}
