import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Query } from '../../core/plugin.js';
import { makeQuery } from '../../core/testing.js';
import { Flight } from './flights.js';
import { Waiters } from './waiters.js';

function queries(count: number): Query[] {
  return Array.from({ length: count }, (_, i) => makeQuery('example.org', 'A', { id: i }));
}

/** Ids of the queries from this node on; their nodes are freed. */
function idsFrom(waiters: Waiters, first: number): number[] {
  const ids: number[] = [];
  for (let node = first; node !== -1; ) {
    const following = waiters.after(node);
    ids.push(waiters.release(node).id);
    node = following;
  }
  return ids;
}

test('waiters: a list keeps the order in which queries came', () => {
  const waiters = new Waiters(8);
  const flight = new Flight(0);
  for (const q of queries(4)) assert.ok(waiters.append(flight, q));
  assert.equal(waiters.shift(flight).id, 0);
  assert.equal(flight.waiting, 3);
  assert.deepEqual(idsFrom(waiters, waiters.detach(flight, flight.tail)), [1, 2, 3]);
  assert.deepEqual([flight.head, flight.tail, flight.waiting], [-1, -1, 0]);
});

test('waiters: a front part can be taken out', () => {
  const waiters = new Waiters(8);
  const flight = new Flight(0);
  const [a, b, c] = queries(3) as [Query, Query, Query];
  waiters.append(flight, a);
  waiters.append(flight, b);
  flight.lastTried = flight.tail;
  waiters.append(flight, c);
  assert.deepEqual(idsFrom(waiters, waiters.detach(flight, flight.lastTried)), [0, 1]);
  assert.deepEqual([flight.waiting, flight.lastTried], [1, -1]);
  assert.equal(waiters.shift(flight), c);
});

test('waiters: one flight gets half of the room', () => {
  const waiters = new Waiters(5);
  const one = new Flight(0);
  const other = new Flight(0);
  const [q] = queries(1) as [Query];
  assert.deepEqual(
    [1, 2, 3, 4].map(() => waiters.append(one, q)),
    [true, true, true, false],
  );
  assert.deepEqual(
    [1, 2, 3].map(() => waiters.append(other, q)),
    [true, true, false],
  );
  waiters.shift(one);
  assert.ok(waiters.append(other, q));
});

test('waiters: room for one is enough for one', () => {
  const waiters = new Waiters(1);
  const flight = new Flight(0);
  for (const q of queries(3)) {
    assert.ok(waiters.append(flight, q));
    assert.ok(!waiters.append(flight, q));
    assert.equal(waiters.shift(flight), q);
  }
});
