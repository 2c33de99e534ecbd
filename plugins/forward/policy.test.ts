// What every policy keeps to, and how each distributes.
import assert from 'node:assert/strict';
import test from 'node:test';
import { FakeClock, makeQuery } from '../../core/testing.js';
import type { Candidate } from './candidate.js';
import { allocateHealth, HealthCells, hashOf } from './health-cells.js';
import { Latency } from './latency.js';
import { createPolicy, MAX_UPSTREAMS, POLICY_NAMES } from './policy.js';

const PENALTY_MS = 2000;
const QUERY = makeQuery('www.example.org', 'A');

interface Rig {
  readonly clock: FakeClock;
  readonly latencies: readonly Latency[];
  readonly upstreams: readonly Candidate[];
}

/** Upstreams of these weights. */
function rig(...weights: number[]): Rig {
  const clock = new FakeClock();
  const cells = allocateHealth(1);
  const latencies = weights.map((_, i) => {
    return new Latency(cells, HealthCells.of(cells, `192.0.2.${i}:53`, 0).latencyAt(false), clock);
  });
  const upstreams = weights.map((weight, i) => ({
    weight,
    seed: hashOf(`192.0.2.${i}:53`),
    latency: () => latencies[i] as Latency,
  }));
  return { clock, latencies, upstreams };
}

const alike = (count: number): Rig => rig(...new Array<number>(count).fill(1));

/** How often each of the upstreams is picked. */
function shares(
  name: (typeof POLICY_NAMES)[number],
  { upstreams }: Rig,
  candidates: number,
  count: number,
): readonly number[] {
  const policy = createPolicy(name, upstreams, PENALTY_MS);
  const picked = new Array<number>(upstreams.length).fill(0);
  for (let i = 0; i < count; i++) {
    const q = makeQuery(`n${i}.example.org`, 'A');
    const index = policy.pick(candidates, q, true, false);
    picked[index] = (picked[index] as number) + 1;
  }
  return picked;
}

/** A reply of `index` that took `ms`. */
function answer({ latencies }: Rig, index: number, ms: number): void {
  latencies[index]?.sent();
  latencies[index]?.answered(ms);
}

for (const name of POLICY_NAMES) {
  test(`policy: ${name} picks one of the candidates`, () => {
    const policy = createPolicy(name, alike(MAX_UPSTREAMS).upstreams, PENALTY_MS);
    const all = 2 ** MAX_UPSTREAMS - 1;
    for (const candidates of [1, 2, 0b1010, 2 ** 30, all, all - 1]) {
      for (let i = 0; i < 200; i++) {
        const picked = policy.pick(candidates, QUERY, i % 3 !== 0, false);
        assert.ok(picked >= 0 && picked < MAX_UPSTREAMS);
        assert.notEqual(candidates & (1 << picked), 0);
      }
    }
  });
}

test('policy: random spreads evenly', () => {
  const counts = shares('random', alike(8), 0b1010_0011, 6000);
  for (const [i, count] of counts.entries()) {
    const want = (0b1010_0011 & (1 << i)) === 0 ? 0 : 1500;
    assert.ok(Math.abs(count - want) < 250, `${i}: ${count}`);
  }
});

test('policy: random keeps to weights', () => {
  const counts = shares('random', rig(1, 3, 1, 1), 0b0111, 5000) as [
    number,
    number,
    number,
    number,
  ];
  assert.ok(Math.abs(counts[1] - 3000) < 250, String(counts));
  assert.ok(Math.abs(counts[0] - counts[2]) < 250, String(counts));
  assert.equal(counts[3], 0);
});

test('policy: round_robin takes turns for new queries and leaves out who is not there', () => {
  const policy = createPolicy('round_robin', alike(3).upstreams, PENALTY_MS);
  const picks = (candidates: number, count: number): number[] =>
    Array.from({ length: count }, () => policy.pick(candidates, QUERY, true, false));
  assert.deepEqual(picks(0b111, 5), [0, 1, 2, 0, 1]);
  assert.deepEqual(picks(0b101, 3), [2, 0, 2]);
  assert.equal(policy.pick(0b110, QUERY, false, false), 1);
  assert.deepEqual(picks(0b111, 2), [0, 1]);
});

test('policy: round_robin gives an upstream as many queries in a row as its weight says', () => {
  const policy = createPolicy('round_robin', rig(2, 1, 3).upstreams, PENALTY_MS);
  const picks = Array.from({ length: 8 }, () => policy.pick(0b111, QUERY, true, false));
  assert.deepEqual(picks, [0, 0, 1, 2, 2, 2, 0, 0]);
});

test('policy: sequential takes the first', () => {
  const policy = createPolicy('sequential', alike(3).upstreams, PENALTY_MS);
  assert.equal(policy.pick(0b110, QUERY, true, false), 1);
  assert.equal(policy.pick(0b100, QUERY, false, false), 2);
});

test('policy: hash asks the same upstream for the same name, in any case', () => {
  const policy = createPolicy('hash', alike(5).upstreams, PENALTY_MS);
  const first = policy.pick(0b11111, makeQuery('www.example.org', 'A'), true, false);
  const again = policy.pick(0b11111, makeQuery('WWW.example.ORG', 'MX'), true, false);
  assert.equal(again, first);
});

test('policy: hash moves only the names of the upstream that is gone', () => {
  const policy = createPolicy('hash', alike(4).upstreams, PENALTY_MS);
  let moved = 0;
  for (let i = 0; i < 400; i++) {
    const q = makeQuery(`n${i}.example.org`, 'A');
    const before = policy.pick(0b1111, q, true, false);
    const after = policy.pick(0b1011, q, true, false);
    if (before === 2) moved++;
    else assert.equal(after, before);
  }
  assert.ok(moved > 50 && moved < 150, String(moved));
});

test('policy: hash keeps to weights', () => {
  const counts = shares('hash', rig(1, 4), 0b11, 5000) as [number, number];
  assert.ok(Math.abs(counts[1] - 4000) < 300, String(counts));
});

test('policy: fastest finds the fastest of many and stays with it', () => {
  const r = alike(9);
  for (let i = 0; i < 9; i++) answer(r, i, i === 6 ? 1 : 20);
  const counts = shares('fastest', r, 2 ** 9 - 1, 500);
  assert.ok((counts[6] as number) > 450, String(counts));
});

test('policy: fastest passes over an upstream that is silent for longer than another one takes', () => {
  const r = alike(2);
  answer(r, 0, 1);
  answer(r, 1, 10);
  const policy = createPolicy('fastest', r.upstreams, PENALTY_MS);
  assert.equal(policy.pick(0b11, QUERY, true, false), 0);
  r.latencies[0]?.sent();
  r.clock.advance(9);
  assert.equal(policy.pick(0b11, QUERY, true, false), 0);
  r.clock.advance(2);
  assert.equal(policy.pick(0b11, QUERY, true, false), 1);
  r.latencies[0]?.answered(11);
  assert.equal(policy.pick(0b11, QUERY, true, false), 0);
});

test('policy: fastest counts what comes to nothing as a time-out', () => {
  const r = alike(2);
  for (let i = 0; i < 20; i++) {
    answer(r, 0, 1);
    answer(r, 1, 30);
  }
  r.latencies[0]?.sent();
  r.latencies[0]?.failed();
  const policy = createPolicy('fastest', r.upstreams, PENALTY_MS);
  assert.equal(policy.pick(0b11, QUERY, true, false), 1);
});

test('policy: fastest takes a heavier upstream although it is a little slower', () => {
  const r = rig(1, 3);
  answer(r, 0, 10);
  answer(r, 1, 25);
  const policy = createPolicy('fastest', r.upstreams, PENALTY_MS);
  assert.equal(policy.pick(0b11, QUERY, true, false), 1);
  for (let i = 0; i < 30; i++) answer(r, 1, 40);
  assert.equal(policy.pick(0b11, QUERY, true, false), 0);
});
