// Hot path. What an answer is kept under: the folded question name, type, class, the DO, CD and RD bits, and the configuration it came from; for an answer
// that is good for one network only (RFC 7871), that network.
import {
  EcsFamily,
  Hasher,
  maskAddress,
  type Query,
  type SlabKey,
  v4Text,
  v6Text,
} from '../../core/plugin.js';

/**
 * Bits of the key's word `b` beside the length of its bytes: what the answer depends on besides name, type and class. RD is among them because an answer
 * to a query without it may be a referral, which nobody who wants recursion should get.
 */
export const DNSSEC_OK = 1;
export const CHECKING_DISABLED = 2;
export const RECURSION_DESIRED = 4;

/** The answer is for one network: the key's bytes, and the entry's body, begin with the three words of `setNetwork`; the name comes behind them. */
const ONE_NETWORK = 8;

/** No answer at all, but the list of networks that there are answers for (networks.ts). */
const NETWORK_LIST = 16;

/** The key is of a name, whatever the type. */
export const WHOLE_NAME = 0x80;

/** Words that the folded name of a query has room for. */
const NAME_WORDS = 64;

/** What stands for a network: family and length in one word, the address in two. As many words as a message's header has, whose place they take. */
export const NETWORK_WORDS = 3;
const ADDRESS_WORDS = 2;
const NETWORK_BYTES = NETWORK_WORDS * 4;

/**
 * A network of a query, as a number: how many bits of the address count. With EXACT the answer is for queries with just that source prefix length, because
 * its scope is longer (RFC 7871 7.3.1).
 */
export const EXACT = 128;

/** Whether the key whose word is `b` is of an answer for one network. */
export function isForNetwork(b: number): boolean {
  return (b & ONE_NETWORK) !== 0;
}

/** Whether the key whose word is `b` is of a list of networks. Such an entry and those on the list are of use together only. */
export function isNetworkList(b: number): boolean {
  return (b & NETWORK_LIST) !== 0;
}

/** The network at the beginning of a body, as `192.0.2.0/24`. Allocates. */
export function networkText(body: Int32Array): string {
  const kind = body[0] as number;
  const octets = new Uint8Array(16);
  octets.set(new Uint8Array(body.buffer, body.byteOffset + 4, ADDRESS_WORDS * 4));
  const address = kind >> 8 === EcsFamily.IPV4 ? v4Text(octets, 0) : v6Text(octets, 0);
  return `${address}/${kind & 127}`;
}

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
  /** The hash of the words alone, which keys of the same name have in common. */
  #wordsLow = 0;
  #wordsHigh = 0;
  readonly #seed: readonly [number, number];
  /** For what no query has: a network with the name behind it, keys of entries. */
  readonly #own = new Uint32Array(NETWORK_WORDS + NAME_WORDS);
  readonly #address = new Uint8Array(this.#own.buffer, 4);
  readonly #hasher: Hasher;

  /** `seed` is the same in all workers; `fingerprint` tells configurations apart. */
  constructor(seed: readonly [number, number], fingerprint: number) {
    this.#seed = seed;
    this.#hasher = new Hasher(seed[0] ^ fingerprint, seed[1]);
    this.c = fingerprint | 0;
  }

  /** Makes this the key of `q`, whose `folded32` it borrows. Written out: shared with the others it made a hit up to 10 ns slower (bench/micro/cache-hit.ts). */
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

  /** Makes this the key of what is good for `network` of `q` only. */
  setNetwork(q: Query, network: number): void {
    const own = this.#own;
    const bytes = q.qnameEnd - q.qnameOffset;
    const words = (bytes + 3) >> 2;
    own[0] = (q.ecsFamily << 8) | network;
    maskAddress(q.ecsAddress, 0, network & ~EXACT, this.#address);
    for (let i = 0; i < words; i++) own[NETWORK_WORDS + i] = q.folded32[i] as number;
    this.#setOther(q, ONE_NETWORK, own, NETWORK_BYTES + bytes);
  }

  /** Makes this the key of the list of networks that there are answers to `q` for. */
  setList(q: Query): void {
    this.#setOther(q, NETWORK_LIST, q.folded32, q.qnameEnd - q.qnameOffset);
  }

  /** Makes this the key of a whole name, `bytes` long in `words`, which it borrows; otherwise as `of`. */
  setName(of: CacheKey, words: Uint32Array, bytes: number): void {
    this.a = of.a & 0xffff;
    this.b = (bytes << 8) | (of.b & 0xff) | WHOLE_NAME;
    this.words = words;
    this.bytes = bytes;
    this.#hash();
  }

  /** Makes this the key of the whole name of `of`, whose words it borrows. */
  setWhole(of: CacheKey): void {
    this.#setLike(of, of.a & 0xffff, of.b | WHOLE_NAME);
  }

  /** Makes this the key of another type, otherwise as `of`. */
  setType(of: CacheKey, type: number): void {
    this.#setLike(of, (type << 16) | (of.a & 0xffff), of.b);
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

  #setOther(q: Query, kind: number, words: Uint32Array, bytes: number): void {
    const bits =
      kind |
      (q.dnssecOk ? DNSSEC_OK : 0) |
      (q.checkingDisabled ? CHECKING_DISABLED : 0) |
      (q.recursionDesired ? RECURSION_DESIRED : 0);
    this.a = (q.qtype << 16) | q.qclass;
    this.b = (bytes << 8) | bits;
    this.words = words;
    this.bytes = bytes;
    this.#hash();
  }

  /** The words of `of`, hashed already, with others in front of them. */
  #setLike(of: CacheKey, a: number, b: number): void {
    this.a = a;
    this.b = b;
    this.words = of.words;
    this.bytes = of.bytes;
    this.#wordsLow = of.#wordsLow;
    this.#wordsHigh = of.#wordsHigh;
    this.#finish();
  }

  #hash(): void {
    const hasher = this.#hasher;
    hasher.hash(0, this.bytes, this.words, (this.bytes + 3) >> 2);
    this.#wordsLow = hasher.low;
    this.#wordsHigh = hasher.high;
    this.#finish();
  }

  /**
   * The hash of the key from that of its words. What `a` and `b` add is no secret, but that of the words is: keys of different names meet by chance alone, and of one name
   * no more than a few, because types that differ never give the same.
   */
  #finish(): void {
    const mixed = Math.imul(this.a ^ Math.imul(this.b, 0x85ebca6b), 0x9e3779b1);
    this.low = this.#wordsLow ^ mixed ^ (mixed >>> 15);
    this.high = this.#wordsHigh;
  }
}
