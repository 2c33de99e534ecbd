// Keys and records for tests of the slab: what a record holds follows from its number, so that a torn one shows.
import type { SlabGeometry } from '../../core/memory/geometry.js';
import { type SlabKey, SlabReader } from '../../core/memory/slab-reader.js';
import { SlabWriter } from '../../core/memory/slab-writer.js';

export const TEST_META = new Int32Array(6);

/** A key with the bytes `NUMBER` repeated, `bytes` long, and a hash of the test's choice. */
export class TestKey implements SlabKey {
  a = 0;
  b = 0;
  c = 1;
  readonly words = new Uint32Array(64);
  bytes = 4;
  low = 0;
  high = 0;

  /** Makes this the key number `n`; without `low` the hash is a good one. */
  set(n: number, bytes = 4, low = mix(n), high = mix(n + 0x5bd1e995)): this {
    this.a = n;
    this.b = bytes;
    this.bytes = bytes;
    this.words.fill(0);
    for (let i = 0; i * 4 < bytes; i++) this.words[i] = mix(n + i);
    // Bytes behind the key are not part of it.
    const spare = bytes & 3;
    if (spare !== 0) this.words[bytes >> 2] = (this.words[bytes >> 2] as number) & mask(spare);
    this.low = low;
    this.high = high;
    return this;
  }
}

/** A body for a key: its bytes, then words that follow from number and `seed`. */
export function testBody(key: TestKey, words: number, seed: number): Int32Array {
  const body = new Int32Array(words);
  const keyWords = (key.bytes + 3) >> 2;
  for (let i = 0; i < words; i++) {
    body[i] = i < keyWords ? (key.words[i] as number) : mix(key.a * 31 + seed * 7 + i);
  }
  return body;
}

export function mix(n: number): number {
  let h = Math.imul(n ^ 0x9e3779b9, 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

function mask(bytes: number): number {
  return (new Int32Array(
    Uint8Array.from({ length: 4 }, (_, i) => (i < bytes ? 255 : 0)).buffer,
  )[0] ?? 0) as number;
}

/** A thread's reader and writer of a slab as one. */
export class TestSlab extends SlabReader {
  readonly writer: SlabWriter;

  constructor(memory: SharedArrayBuffer, geometry: SlabGeometry, owner: number) {
    super(memory, geometry);
    this.writer = new SlabWriter(memory, geometry, owner);
  }

  /** Stores a body for the key as it is now. */
  put(key: SlabKey, body: Int32Array, deadline: number, now: number, meta = TEST_META): number {
    return this.writer.insert(key, meta, body, body.length, deadline, now);
  }

  get count(): number {
    return this.writer.count;
  }
}
