import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Hasher } from './hash.js';

function hashOf(seed: number, a: number, b: number, words: readonly number[]): string {
  const hasher = new Hasher(seed, ~seed);
  hasher.hash(a, b, Uint32Array.from([...words, 0xdead]), words.length);
  return `${hasher.low},${hasher.high}`;
}

test('hash: the same key has the same hash, another seed or any other bit another one', () => {
  const seen = new Set<string>();
  seen.add(hashOf(1, 2, 3, [4, 5]));
  assert.equal(hashOf(1, 2, 3, [4, 5]), [...seen][0]);
  for (let bit = 0; bit < 32; bit++) {
    seen.add(hashOf(1 ^ (1 << bit), 2, 3, [4, 5]));
    seen.add(hashOf(1, 2 ^ (1 << bit), 3, [4, 5]));
    seen.add(hashOf(1, 2, 3 ^ (1 << bit), [4, 5]));
    seen.add(hashOf(1, 2, 3, [4 ^ (1 << bit), 5]));
    seen.add(hashOf(1, 2, 3, [4, 5 ^ (1 << bit)]));
  }
  seen.add(hashOf(1, 2, 3, [4, 5, 0]));
  seen.add(hashOf(1, 2, 3, [4]));
  assert.equal(seen.size, 1 + 5 * 32 + 2);
});

test('hash: consecutive keys spread evenly over the low and the high bits', () => {
  const hasher = new Hasher(0x1234, 0x5678);
  const low = new Uint32Array(256);
  const high = new Uint32Array(64);
  const word = new Uint32Array(1);
  for (let i = 0; i < 25_600; i++) {
    word[0] = i;
    hasher.hash(1, 2, word, 1);
    const slot = hasher.low & 255;
    low[slot] = (low[slot] as number) + 1;
    const shard = hasher.low >>> 26;
    high[shard] = (high[shard] as number) + 1;
  }
  assert.ok(Math.max(...low) < 150 && Math.min(...low) > 55);
  assert.ok(Math.max(...high) < 490 && Math.min(...high) > 310);
});
