import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Query } from '../chain/query.js';
import { FakeClock, FakeMetrics, FakeTimers, makeQuery } from '../testing.js';
import { MAX_PARKED, PARKED_LIMIT_MS, Parked, SWEEP_MS } from './parked.js';

const metrics = new FakeMetrics();
const waiting = metrics.gauge('waiting', '');

/** Lets time go by as it does. */
function pass(clock: FakeClock, ms: number): void {
  for (let left = ms; left > 0; left--) clock.advance(1);
}

test('parked: a query stays until it is removed, and only once', () => {
  const clock = new FakeClock();
  const timers = new FakeTimers(clock);
  const parked = new Parked(timers, () => assert.fail('its limit was not reached'), waiting);
  const q = makeQuery('example.org', 'A');
  assert.equal(parked.add(q), true);
  assert.equal(parked.size, 1);
  assert.equal(metrics.value('waiting'), 1);
  assert.equal(parked.remove(q), true);
  assert.equal(parked.remove(q), false);
  assert.equal(parked.size, 0);
  assert.equal(metrics.value('waiting'), 0);
  pass(clock, 2 * PARKED_LIMIT_MS);
  assert.equal(timers.size, 0, 'with nobody waiting nothing is looked through');
});

test('parked: a query that is not answered is handed back at its limit', () => {
  const clock = new FakeClock();
  const late: Query[] = [];
  const parked = new Parked(new FakeTimers(clock), (q) => late.push(q), waiting);
  const [first, second] = [makeQuery('example.org', 'A'), makeQuery('example.org', 'AAAA')];
  parked.add(first);
  clock.advance(SWEEP_MS / 2);
  parked.add(second);
  pass(clock, PARKED_LIMIT_MS - 1);
  assert.equal(late.length, 0);
  clock.advance(SWEEP_MS);
  assert.deepEqual(late, [first, second]);
  assert.equal(parked.remove(first), false);
  assert.equal(parked.size, 0);
});

test('parked: the time of a query begins when it is parked, whoever had its place before', () => {
  const clock = new FakeClock();
  const late: Query[] = [];
  const parked = new Parked(new FakeTimers(clock), (q) => late.push(q), waiting);
  const [first, second] = [makeQuery('example.org', 'A'), makeQuery('example.org', 'AAAA')];
  parked.add(first);
  pass(clock, PARKED_LIMIT_MS - SWEEP_MS);
  parked.remove(first);
  parked.add(second);
  pass(clock, PARKED_LIMIT_MS - 1);
  assert.deepEqual(late, []);
  pass(clock, SWEEP_MS + 1);
  assert.deepEqual(late, [second]);
});

test('parked: past the limit nothing more is taken until there is room', () => {
  const parked = new Parked({ start: () => 0, cancel: () => {} }, () => {}, waiting);
  const q = makeQuery('example.org', 'A');
  for (let i = 0; i < MAX_PARKED; i++) assert.equal(parked.add(Object.create(q)), true);
  assert.equal(parked.add(q), false);
  assert.equal(parked.size, MAX_PARKED);
  assert.equal(metrics.value('waiting'), MAX_PARKED);
});
