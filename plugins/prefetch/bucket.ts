// Hot path for misses. Where learnt names are: buckets of 1 KiB in memory that all workers share, in which records of the length that their names need lie one
// behind the other. A name has its bucket by its hash. Where there is no room the least popular of the bucket goes, and what is behind it moves up.
//
//   bucket  | lock | words in use | when the next one is due | record | record | ...
//   record  | tag: half of the hash | type, class | length of the name, DO, CD, RD | end of its time | popularity, four words | name |
//
// A bucket is locked for half a microsecond at a time. Who finds it locked for long does without: a use is not learnt, a name is looked at a second later.
import { allocateCells, type SlabKey, takeOver, tryLock, unlock } from '../../core/plugin.js';
import { POPULARITY_WORDS, Popularity } from './popularity.js';

const BUCKET_WORDS = 256;
const LOCK = 0;
const USED = 1;
const DUE = 2;
const FIRST = 3;

/** Words of a record. */
export const Field = {
  TAG: 0,
  A: 1,
  B: 2,
  END: 3,
  POPULARITY: 4,
  NAME: 4 + POPULARITY_WORDS,
} as const;

/** Words that a name takes, about: 20 to 26 bytes are the mean of what people ask for. What is left over makes up for buckets that fill unevenly. */
const WORDS_PER_NAME = 18;

const WORD_BYTES = Int32Array.BYTES_PER_ELEMENT;

/** Memory for so many names, about. */
export function allocateBuckets(names: number): Int32Array {
  return allocateCells(Math.ceil((names * WORDS_PER_NAME) / (BUCKET_WORDS - FIRST)) * BUCKET_WORDS);
}

/** Words of a name whose key has this second word. */
export function nameWords(b: number): number {
  return (((b >>> 8) & 0xff) + 3) >> 2;
}

/** One bucket after another; between `open` and `close` it is the thread's own. */
export class Bucket {
  readonly count: number;
  readonly words: Int32Array;
  /** The number of the one that is open, or was last. */
  opened = 0;
  /** Records that had to go when `add` was called last. */
  evicted = 0;
  readonly #owner: number;
  readonly #popularity = new Popularity();
  #base = 0;

  /** `owner` is unique to the thread and not 0. */
  constructor(words: Int32Array, owner: number) {
    this.words = words;
    this.count = words.length / BUCKET_WORDS;
    this.#owner = owner;
  }

  /** The number of the bucket of a key. */
  of(key: SlabKey): number {
    return Math.floor(((key.low >>> 0) * this.count) / 2 ** 32);
  }

  /** Locks a bucket; false when somebody else kept it. */
  open(index: number): boolean {
    const base = index * BUCKET_WORDS;
    if (!tryLock(this.words, base + LOCK, this.#owner)) return false;
    this.#base = base;
    this.opened = index;
    if (this.words[base + USED] === 0) this.words[base + USED] = FIRST;
    return true;
  }

  close(): void {
    unlock(this.words, this.#base + LOCK);
  }

  /** Whether a record of a bucket may be due at tick `now`. Needs no lock. */
  isDue(index: number, now: number): boolean {
    const due = this.words[index * BUCKET_WORDS + DUE] as number;
    return due !== 0 && ((now - due) | 0) >= 0;
  }

  /** Says that no record is due, before that is said of each that is. */
  rest(): void {
    this.words[this.#base + DUE] = 0;
  }

  /** Says that a record is due at this tick. */
  hasten(tick: number): void {
    const due = this.words[this.#base + DUE] as number;
    if (due === 0 || ((tick - due) | 0) < 0) this.words[this.#base + DUE] = tick === 0 ? 1 : tick;
  }

  /** Where the first record is, or the one behind that at `at`; 0 for none. */
  first(): number {
    return this.#base + FIRST < this.#end ? this.#base + FIRST : 0;
  }

  after(at: number): number {
    const next = at + recordWords(this.words[at + Field.B] as number);
    return next < this.#end ? next : 0;
  }

  /** Where the record of a key is; 0 for nowhere. */
  find(key: SlabKey): number {
    const { words } = this;
    const end = this.#end;
    const tag = key.high;
    for (let at = this.#base + FIRST; at < end; at += recordWords(words[at + Field.B] as number)) {
      if (words[at + Field.TAG] === tag && this.#isOf(at, key)) return at;
    }
    return 0;
  }

  /** Where the first record with this tag is; 0 for nowhere. */
  findTag(tag: number): number {
    const { words } = this;
    const end = this.#end;
    for (let at = this.#base + FIRST; at < end; at += recordWords(words[at + Field.B] as number)) {
      if (words[at + Field.TAG] === tag) return at;
    }
    return 0;
  }

  /** Makes a record for a key that has none, with its key alone in it. Popularity is judged as it is in `period`. Returns where it is. */
  add(key: SlabKey, period: number): number {
    const { words } = this;
    const base = this.#base;
    const length = recordWords(key.b);
    this.evicted = 0;
    while ((words[base + USED] as number) + length > BUCKET_WORDS) {
      this.#remove(this.#leastPopular(period));
      this.evicted++;
    }
    const at = this.#end;
    words[base + USED] = (words[base + USED] as number) + length;
    words[at + Field.TAG] = key.high;
    words[at + Field.A] = key.a;
    words[at + Field.B] = key.b;
    const count = nameWords(key.b);
    for (let i = 0; i < count; i++) words[at + Field.NAME + i] = key.words[i] as number;
    return at;
  }

  /** Records of a bucket, as far as can be told without opening it. */
  countOf(index: number): number {
    const { words } = this;
    const base = index * BUCKET_WORDS;
    const end = base + Math.min(words[base + USED] as number, BUCKET_WORDS);
    let count = 0;
    for (let at = base + FIRST; at < end; at += recordWords(words[at + Field.B] as number)) count++;
    return count;
  }

  /** Bytes of all records. */
  get usedBytes(): number {
    let used = 0;
    for (let base = 0; base < this.words.length; base += BUCKET_WORDS) {
      used += Math.max(0, (this.words[base + USED] as number) - FIRST);
    }
    return used * WORD_BYTES;
  }

  /** Empties the buckets that are locked by `from`, a thread that ended: it may have left them half written. Returns how many. */
  seize(from: number): number {
    const { words } = this;
    let seized = 0;
    for (let base = 0; base < words.length; base += BUCKET_WORDS) {
      if (!takeOver(words, base + LOCK, from, this.#owner)) continue;
      words[base + USED] = FIRST;
      unlock(words, base + LOCK);
      seized++;
    }
    return seized;
  }

  get #end(): number {
    return this.#base + (this.words[this.#base + USED] as number);
  }

  #isOf(at: number, key: SlabKey): boolean {
    const { words } = this;
    if (words[at + Field.A] !== key.a || words[at + Field.B] !== key.b) return false;
    const count = nameWords(key.b);
    for (let i = 0; i < count; i++) {
      if (words[at + Field.NAME + i] !== ((key.words[i] as number) | 0)) return false;
    }
    return true;
  }

  /** Of names that are popular at no time of day the one that was longest without a use. */
  #leastPopular(period: number): number {
    const popularity = this.#popularity;
    let least = 0;
    let leastRank = Number.POSITIVE_INFINITY;
    for (let at = this.first(); at !== 0; at = this.after(at)) {
      popularity.load(this.words, at + Field.POPULARITY);
      popularity.turnTo(period);
      const rank = popularity.peak * 0x1000 + popularity.used;
      // The first one was learnt first.
      if (rank >= leastRank) continue;
      least = at;
      leastRank = rank;
    }
    return least;
  }

  #remove(at: number): void {
    const length = recordWords(this.words[at + Field.B] as number);
    this.words.copyWithin(at, at + length, this.#end);
    this.words[this.#base + USED] = (this.words[this.#base + USED] as number) - length;
  }
}

/** Words of the record whose key has this second word. */
function recordWords(b: number): number {
  return Field.NAME + nameWords(b);
}
