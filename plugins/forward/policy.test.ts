// What every policy keeps to, and how each distributes.
import assert from 'node:assert/strict';
import test from 'node:test';
import { createPolicy, MAX_UPSTREAMS, POLICY_NAMES } from './policy.js';

for (const name of POLICY_NAMES) {
  test(`policy: ${name} picks one of the candidates`, () => {
    const policy = createPolicy(name);
    const all = 2 ** MAX_UPSTREAMS - 1;
    for (const candidates of [1, 2, 0b1010, 2 ** 30, all, all - 1]) {
      for (let i = 0; i < 200; i++) {
        const picked = policy.pick(candidates, i % 3 !== 0);
        assert.ok(picked >= 0 && picked < MAX_UPSTREAMS);
        assert.notEqual(candidates & (1 << picked), 0);
      }
    }
  });
}

test('policy: random spreads evenly', () => {
  const policy = createPolicy('random');
  const counts = new Map<number, number>();
  for (let i = 0; i < 6000; i++) {
    const picked = policy.pick(0b101_0001_1, true);
    counts.set(picked, (counts.get(picked) ?? 0) + 1);
  }
  assert.deepEqual([...counts.keys()].sort(), [0, 1, 5, 7]);
  for (const count of counts.values()) assert.ok(Math.abs(count - 1500) < 250, String(count));
});

test('policy: round_robin takes turns for new queries and leaves out who is not there', () => {
  const policy = createPolicy('round_robin');
  const picks = (candidates: number, count: number): number[] =>
    Array.from({ length: count }, () => policy.pick(candidates, true));
  assert.deepEqual(picks(0b111, 5), [0, 1, 2, 0, 1]);
  assert.deepEqual(picks(0b101, 3), [2, 0, 2]);
  assert.equal(policy.pick(0b110, false), 1);
  assert.deepEqual(picks(0b111, 2), [0, 1]);
});

test('policy: sequential takes the first', () => {
  const policy = createPolicy('sequential');
  assert.equal(policy.pick(0b110, true), 1);
  assert.equal(policy.pick(0b100, false), 2);
});
