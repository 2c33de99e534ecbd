import assert from 'node:assert/strict';
import test from 'node:test';
import { random16, random32, randomBelow } from './random.js';

test('random: ids spread over all 16 bits', () => {
  const buckets = new Uint32Array(64);
  for (let i = 0; i < 64_000; i++) {
    const bucket = random16() >> 10;
    buckets[bucket] = (buckets[bucket] as number) + 1;
  }
  for (const count of buckets) assert.ok(count > 700 && count < 1300, String(count));
});

test('random: every one of 32 bits is set half of the time', () => {
  const counts = new Uint32Array(32);
  for (let i = 0; i < 4000; i++) {
    const bits = random32();
    for (let bit = 0; bit < 32; bit++) {
      counts[bit] = (counts[bit] as number) + ((bits >>> bit) & 1);
    }
  }
  for (const count of counts) assert.ok(count > 1750 && count < 2250, String(count));
});

test('random: numbers below a limit are equally likely', () => {
  for (const limit of [1, 2, 3, 7, 31, 65_536]) {
    const counts = new Map<number, number>();
    for (let i = 0; i < 7000; i++) {
      const n = randomBelow(limit);
      assert.ok(n >= 0 && n < limit);
      counts.set(n, (counts.get(n) ?? 0) + 1);
    }
    if (limit > 10) continue;
    for (const count of counts.values()) {
      assert.ok(Math.abs(count - 7000 / limit) < 500, `${limit}: ${count}`);
    }
  }
});
