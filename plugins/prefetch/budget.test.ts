import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allocateBudget, Budget, MAX_ORIGINS } from './budget.js';

const TICKS = 16;
const SECOND_MS = 5000;

/** Wants this many refreshes of each set in one second, in turn; gives how many may begin. */
function wantAll(budget: Budget, wants: Readonly<Record<number, number>>, nowMs: number): number[] {
  const origins = Object.keys(wants).map(Number);
  for (const origin of origins) {
    for (let i = 0; i < (wants[origin] as number); i++) budget.want(origin, nowMs);
  }
  return origins.map((origin) => {
    let begun = 0;
    for (let i = 0; i < (wants[origin] as number); i++) if (budget.begin(origin, nowMs)) begun++;
    return begun;
  });
}

function budgetOf(rate: number): Budget {
  return new Budget(allocateBudget(), rate, TICKS);
}

test('budget: one set of upstreams may use all of it, anew each second', () => {
  const budget = budgetOf(10);
  assert.deepEqual(wantAll(budget, { 1: 25 }, SECOND_MS), [10]);
  assert.deepEqual(wantAll(budget, { 1: 25 }, SECOND_MS + 999), [0]);
  assert.deepEqual(wantAll(budget, { 1: 25 }, SECOND_MS + 1000), [10]);
});

test('budget: the names of one set cannot use up what those of another need', () => {
  const budget = budgetOf(10);
  assert.deepEqual(wantAll(budget, { 1: 1000, 2: 1000 }, SECOND_MS), [5, 5]);
  assert.deepEqual(wantAll(budget, { 1: 1000, 2: 3 }, SECOND_MS + 1000), [5, 3]);
  // What the second needs is known from the second before.
  assert.deepEqual(wantAll(budget, { 1: 1000, 2: 3 }, SECOND_MS + 2000), [7, 3]);
  assert.deepEqual(wantAll(budget, { 1: 2, 2: 1000, 3: 1000 }, SECOND_MS + 4000), [2, 5, 3]);
  assert.deepEqual(wantAll(budget, { 1: 1000 }, SECOND_MS + 9000), [10]);
});

test('budget: a set that comes late in a second has its share if it had need of it the second before', () => {
  const budget = budgetOf(10);
  wantAll(budget, { 1: 100, 2: 4 }, SECOND_MS);
  assert.deepEqual(wantAll(budget, { 1: 100 }, SECOND_MS + 1000), [6]);
  assert.deepEqual(wantAll(budget, { 2: 4 }, SECOND_MS + 1900), [4]);
});

test('budget: what was not sent is given back', () => {
  const budget = budgetOf(1);
  assert.deepEqual(wantAll(budget, { 1: 1 }, SECOND_MS), [1]);
  budget.giveBack(1);
  assert.equal(budget.begin(1, SECOND_MS), true);
  assert.equal(budget.begin(1, SECOND_MS), false);
});

test('budget: without a limit all may begin', () => {
  assert.deepEqual(wantAll(budgetOf(Number.POSITIVE_INFINITY), { 1: 5000, 2: 1 }, 0), [5000, 1]);
});

test('budget: workers share it', () => {
  const cells = allocateBudget();
  const workers = [0, 1].map(() => new Budget(cells, 10, TICKS));
  const begun = workers.map((budget) => wantAll(budget, { 1: 8 }, SECOND_MS)[0]);
  assert.deepEqual(begun, [8, 2]);
});

test('budget: sets of upstreams have numbers, the same in all workers, and past those the first', () => {
  const cells = allocateBudget();
  const [one, other] = [0, 1].map(() => new Budget(cells, 1, TICKS)) as [Budget, Budget];
  assert.equal(one.originOf(0), 0);
  assert.equal(one.originOf(77), 1);
  assert.equal(other.originOf(-5), 2);
  assert.equal(other.originOf(77), 1);
  assert.equal(one.hashOf(2), -5);
  for (let i = 3; i < MAX_ORIGINS; i++) assert.equal(one.originOf(1000 + i), i);
  assert.equal(one.originOf(9999), 0);
});

test('budget: upstreams that fail five times in a row are spared, longer each time, until one answers', () => {
  const budget = budgetOf(10);
  const fail = (now: number): void => budget.note(1, false, true, now);
  for (let i = 0; i < 4; i++) fail(1000);
  assert.equal(budget.isSpared(1, 1000), false);
  fail(1000);
  assert.equal(budget.isSpared(1, 1000), true);
  assert.equal(budget.isSpared(2, 1000), false);
  let now = 1000;
  for (const seconds of [1, 2, 4, 8, 16, 32, 60, 60]) {
    now += seconds * TICKS - 1;
    assert.equal(budget.isSpared(1, now), true, `${seconds}`);
    assert.equal(budget.isSpared(1, ++now), false, `${seconds}`);
    // One tries, the others do not.
    assert.equal(budget.mayTry(1, now), true);
    assert.equal(budget.isSpared(1, now), true);
    fail(now);
  }
  budget.note(1, true, false, now);
  assert.equal(budget.isSpared(1, now), false);
  assert.equal(budget.mayTry(1, now), true);
  assert.equal(budget.mayTry(1, now), true);
});

test('budget: clients that fail together make no longer pause than one', () => {
  const budget = budgetOf(10);
  for (let i = 0; i < 100; i++) budget.note(1, false, false, 1000);
  assert.equal(budget.isSpared(1, 1000 + TICKS), false);
});

test('budget: failures with replies in between count for nothing', () => {
  const budget = budgetOf(10);
  for (let i = 0; i < 100; i++) budget.note(1, i % 4 === 3, true, 1000);
  assert.equal(budget.isSpared(1, 1000), false);
});
