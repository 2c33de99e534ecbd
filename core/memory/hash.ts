// Hot path. A seeded hash of keys that strangers choose: without the seed nobody can make keys that meet in one place of a table.

/**
 * HalfSipHash (Aumasson and Bernstein) with one round per word and three at the end. 27 ns for a name of 20 bytes; a multiplying mix takes 17 ns,
 * but for such mixes keys that collide under every seed can be computed (bench/micro/slab.ts).
 */
export class Hasher {
  /** The two halves of the last hash. */
  low = 0;
  high = 0;
  readonly #seedLow: number;
  readonly #seedHigh: number;

  constructor(seedLow: number, seedHigh: number) {
    this.#seedLow = seedLow | 0;
    this.#seedHigh = seedHigh | 0;
  }

  /** Hashes `a`, `b` and the first `count` of `words` into `low` and `high`. */
  hash(a: number, b: number, words: Uint32Array, count: number): void {
    let v0 = this.#seedLow;
    let v1 = this.#seedHigh;
    let v2 = this.#seedLow ^ 0x6c796765;
    let v3 = this.#seedHigh ^ 0x74656462;
    const last = count + 3;
    // One loop for the words and the three closing rounds: the round is in the code once.
    for (let i = -2; i < last; i++) {
      let word = 0;
      if (i < 0) word = i === -2 ? a : b;
      else if (i < count) word = words[i]! | 0;
      else if (i === count) v2 ^= 0xff;
      v3 ^= word;
      v0 = (v0 + v1) | 0;
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
      v0 = (v0 << 16) | (v0 >>> 16);
      v2 = (v2 + v3) | 0;
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
      v0 = (v0 + v3) | 0;
      v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
      v2 = (v2 + v1) | 0;
      v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
      v2 = (v2 << 16) | (v2 >>> 16);
      v0 ^= word;
    }
    this.low = v1 ^ v3;
    this.high = v0 ^ v2;
  }
}
