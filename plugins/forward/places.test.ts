// Places of upstreams in shared memory: kept as long as they can be, taken back when they are needed, never while a worker asks.
import assert from 'node:assert/strict';
import test from 'node:test';
import { allocateHealth, Cause, HealthCells, keepOldestSet, PLACES } from './health-cells.js';
import { Places } from './places.js';
import { MAX_UPSTREAMS } from './policy.js';

function texts(from: number, count: number): ReadonlySet<string> {
  return new Set(Array.from({ length: count }, (_, i) => `192.0.2.${from + i}:53`));
}

test('places: an upstream that is gone and comes back finds what was learned of it', () => {
  const cells = allocateHealth(1);
  const places = new Places(cells);
  assert.deepEqual(places.take(texts(1, 2), 1), ['192.0.2.1:53', '192.0.2.2:53']);
  HealthCells.of(cells, '192.0.2.1:53', 0).suspect(5, Cause.TIMEOUT);
  assert.deepEqual(places.take(texts(2, 1), 2), []);
  assert.equal(places.isAsked('192.0.2.1:53'), false);
  assert.deepEqual(places.take(texts(1, 1), 3), []);
  assert.equal(places.isAsked('192.0.2.1:53'), true);
  assert.equal(HealthCells.of(cells, '192.0.2.1:53', 0).suspectSince, 5);
});

test('places: there is always one for another upstream, whatever many there were', () => {
  const cells = allocateHealth(2);
  const places = new Places(cells);
  for (let set = 1; set <= 10 * PLACES; set++) {
    assert.notEqual(places.take(texts(set, 2), set), undefined, `set ${set}`);
    for (const worker of [0, 1]) keepOldestSet(cells, worker, set);
  }
  const held = HealthCells.all(cells).map(({ text }) => text);
  assert.equal(held.length, PLACES);
  assert.equal(new Set(held).size, PLACES);
});

test('places: those that left first are taken back first, and nothing is known of who comes in', () => {
  const cells = allocateHealth(1);
  const places = new Places(cells);
  places.take(texts(0, MAX_UPSTREAMS), 1);
  for (const { text } of HealthCells.all(cells)) {
    HealthCells.of(cells, text, 0).suspect(5, Cause.TIMEOUT);
  }
  places.take(texts(100, MAX_UPSTREAMS), 2);
  keepOldestSet(cells, 0, 3);
  places.take(new Set(['192.0.2.100:53', '198.51.100.1:53']), 3);
  const held = new Set(HealthCells.all(cells).map(({ text }) => text));
  assert.equal(held.has('192.0.2.0:53'), false);
  assert.equal(held.has('192.0.2.1:53'), true);
  assert.equal(HealthCells.of(cells, '198.51.100.1:53', 0).suspectSince, 0);
});

test('places: one that a worker may still ask is not taken back', () => {
  const cells = allocateHealth(2);
  const places = new Places(cells);
  for (const worker of [0, 1]) keepOldestSet(cells, worker, 1);
  places.take(texts(0, MAX_UPSTREAMS), 1);
  places.take(texts(50, MAX_UPSTREAMS), 2);
  keepOldestSet(cells, 0, 2);
  // Worker 1 has queries at those of the first set.
  assert.equal(places.take(texts(100, 1), 3), undefined);
  assert.equal(places.isAsked('192.0.2.50:53'), true);
  keepOldestSet(cells, 1, 2);
  assert.deepEqual(places.take(texts(100, 1), 3), ['192.0.2.100:53']);
  const held = new Set(HealthCells.all(cells).map(({ text }) => text));
  assert.equal(held.has('192.0.2.0:53'), false);
});

test('places: past all of them one says so', () => {
  const cells = allocateHealth(1);
  for (const text of texts(0, PLACES)) HealthCells.of(cells, text, 0);
  assert.throws(() => HealthCells.of(cells, '198.51.100.1:53', 0), /no place is left/);
  HealthCells.release(cells, '192.0.2.7:53');
  assert.equal(HealthCells.of(cells, '198.51.100.1:53', 0).text, '198.51.100.1:53');
});
