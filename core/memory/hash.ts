// Hot path. A seeded hash of keys that strangers choose: without the seed nobody can make keys that meet in one place of a table.
import { type HashKernel, hashKernel, MAX_KEY_WORDS, MIN_KEY_WORDS } from '../simd/kernels.js';

/**
 * HalfSipHash (Aumasson and Bernstein) with one round per word and three at the end. 23 ns for a name of 20 bytes; a multiplying mix takes 17 ns,
 * but for such mixes keys that collide under every seed can be computed (bench/micro/slab.ts).
 */
export class Hasher {
  /** The two halves of the last hash. */
  low = 0;
  high = 0;
  readonly #seedLow: number;
  readonly #seedHigh: number;
  readonly #kernel: HashKernel | undefined = hashKernel();

  constructor(seedLow: number, seedHigh: number) {
    this.#seedLow = seedLow | 0;
    this.#seedHigh = seedHigh | 0;
  }

  /** Hashes `a`, `b` and the first `count` of `words` into `low` and `high`. `a` and `b` go into the secret state that the words start from. */
  hash(a: number, b: number, words: Uint32Array, count: number): void {
    const kernel = this.#kernel;
    if (kernel === undefined || count < MIN_KEY_WORDS || count > MAX_KEY_WORDS) {
      this.hashHere(a, b, words, count);
      return;
    }
    kernel.hash(this.#seedLow, this.#seedHigh, a, b, words, count);
    this.low = kernel.low;
    this.high = kernel.high;
  }

  /** The same without WebAssembly: its twin, for short keys and where there is none. */
  hashHere(a: number, b: number, words: Uint32Array, count: number): void {
    let v0 = this.#seedLow;
    let v1 = this.#seedHigh;
    let v2 = this.#seedLow ^ 0x6c796765 ^ a;
    let v3 = this.#seedHigh ^ 0x74656462 ^ b;
    for (let i = 0; i < count; i++) {
      const word = words[i]! | 0;
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
    v2 ^= 0xff;
    // The round again: one loop for both was 4 ns slower.
    for (let i = 0; i < 3; i++) {
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
    }
    this.low = v1 ^ v3;
    this.high = v0 ^ v2;
  }
}
