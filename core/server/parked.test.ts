import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Query } from '../chain/query.js';
import { FakeClock, FakeMetrics, FakeTimers, makeQuery } from '../testing.js';
import { MAX_PARKED, PARKED_LIMIT_MS, Parked } from './parked.js';

const metrics = new FakeMetrics();
const waiting = metrics.gauge('waiting', '');

test('parked: a query stays until it is removed, and only once', () => {
  const timers = new FakeTimers(new FakeClock());
  const parked = new Parked(timers, () => assert.fail('its limit was not reached'), waiting);
  const q = makeQuery('example.org', 'A');
  assert.equal(parked.add(q), true);
  assert.equal(parked.size, 1);
  assert.equal(metrics.value('waiting'), 1);
  assert.equal(parked.remove(q), true);
  assert.equal(parked.remove(q), false);
  assert.equal(parked.size, 0);
  assert.equal(metrics.value('waiting'), 0);
  assert.equal(timers.size, 0);
});

test('parked: a query that is not answered is handed back at its limit', () => {
  const clock = new FakeClock();
  const late: Query[] = [];
  const parked = new Parked(new FakeTimers(clock), (q) => late.push(q), waiting);
  const q = makeQuery('example.org', 'A');
  parked.add(q);
  clock.advance(PARKED_LIMIT_MS - 1);
  assert.equal(late.length, 0);
  clock.advance(1);
  assert.deepEqual(late, [q]);
  assert.equal(parked.remove(q), false);
});

test('parked: past the limit nothing more is taken until there is room', () => {
  const parked = new Parked({ start: () => 0, cancel: () => {} }, () => {}, waiting);
  const q = makeQuery('example.org', 'A');
  for (let i = 0; i < MAX_PARKED; i++) assert.equal(parked.add(Object.create(q)), true);
  assert.equal(parked.add(q), false);
  assert.equal(parked.size, MAX_PARKED);
  assert.equal(metrics.value('waiting'), MAX_PARKED);
});
