// Hot path. What an answer is kept under: the folded question name, type, class, the DO, CD and RD bits, and the configuration it came from.
import { Hasher, type Query, type SlabKey } from '../../core/plugin.js';

/**
 * Bits of the key beside the name's length: what the answer depends on besides name, type and class. RD is among them because an answer to a
 * query without it may be a referral, which nobody who wants recursion should get.
 */
export const DNSSEC_OK = 1;
export const CHECKING_DISABLED = 2;
export const RECURSION_DESIRED = 4;

/** The key is of a name, whatever the type. */
export const WHOLE_NAME = 0x80;

/** Words that the folded name of a query has room for. */
const NAME_WORDS = 64;

/** Bytes of the key that stand at the beginning of the body, by its second word. */
export function keyBytes(b: number): number {
  return b >>> 8;
}

/** The key of one query after another; one per worker and cache. */
export class CacheKey implements SlabKey {
  a = 0;
  b = 0;
  readonly c: number;
  words: Uint32Array = new Uint32Array(NAME_WORDS);
  bytes = 0;
  low = 0;
  high = 0;
  readonly #seed: readonly [number, number];
  readonly #hasher: Hasher;
  /** For keys that are no query's. */
  readonly #own = new Uint32Array(NAME_WORDS);

  /** `seed` is the same in all workers; `fingerprint` tells configurations apart. */
  constructor(seed: readonly [number, number], fingerprint: number) {
    this.#seed = seed;
    this.#hasher = new Hasher(seed[0] ^ fingerprint, seed[1]);
    this.c = fingerprint | 0;
  }

  /** Makes this the key of `q`, whose `folded32` it borrows. */
  set(q: Query): void {
    const bytes = q.qnameEnd - q.qnameOffset;
    const bits =
      (q.dnssecOk ? DNSSEC_OK : 0) |
      (q.checkingDisabled ? CHECKING_DISABLED : 0) |
      (q.recursionDesired ? RECURSION_DESIRED : 0);
    this.a = (q.qtype << 16) | q.qclass;
    this.b = (bytes << 8) | bits;
    this.words = q.folded32;
    this.bytes = bytes;
    this.#hash();
  }

  /** Makes this the key of a whole name, `bytes` long in `words`, which it borrows; otherwise as `of`. */
  setName(of: CacheKey, words: Uint32Array, bytes: number): void {
    this.a = of.a & 0xffff;
    this.b = (bytes << 8) | (of.b & 0xff) | WHOLE_NAME;
    this.words = words;
    this.bytes = bytes;
    this.#hash();
  }

  /** Makes this the key of another type, otherwise as `of`. */
  setType(of: CacheKey, type: number): void {
    this.a = (type << 16) | (of.a & 0xffff);
    this.b = of.b;
    this.words = of.words;
    this.bytes = of.bytes;
    this.#hash();
  }

  /** A key of its own for the same entries. */
  another(): CacheKey {
    return new CacheKey(this.#seed, this.c);
  }

  /** Makes this the key with the words `a` and `b`, and the first `bytes` bytes of `body`, as an entry has them. */
  restore(a: number, b: number, body: Int32Array, bytes: number): void {
    const words = this.#own;
    const count = (bytes + 3) >> 2;
    for (let i = 0; i < count; i++) words[i] = body[i] as number;
    // What follows in the body is none of the key's.
    if ((bytes & 3) !== 0)
      words[count - 1] = (words[count - 1] as number) & (2 ** ((bytes & 3) * 8) - 1);
    this.a = a;
    this.b = b;
    this.words = words;
    this.bytes = bytes;
    this.#hash();
  }

  #hash(): void {
    this.#hasher.hash(this.a, this.b, this.words, (this.bytes + 3) >> 2);
    this.low = this.#hasher.low;
    this.high = this.#hasher.high;
  }
}
