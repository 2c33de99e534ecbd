import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Next, Query } from '../../core/plugin.js';
import { makeQuery } from '../../core/testing.js';
import { type Flight, Flights } from './flights.js';

const next: Next = (q) => q.defer();

/** A small generator, so that a failure can be had again. */
function randoms(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state;
  };
}

test('flights: equal hashes join nothing', () => {
  const flights = new Flights(1);
  const a = makeQuery('a.example', 'A');
  const b = makeQuery('b.example', 'A');
  const flight = flights.add(a, 7, next, 0);
  assert.equal(flights.find(a, 7), flight);
  assert.equal(flights.find(b, 7), undefined);
});

test('flights: names that begin alike are told apart', () => {
  const flights = new Flights(1);
  const names = ['.', 'a', 'ab', 'abc', 'abcd', 'abc.d', 'a.bcd', 'abcd.example', 'abcd.exampl'];
  const queries = names.map((name) => makeQuery(name, 'A'));
  const added = queries.map((q) => flights.add(q, 7, next, 0));
  queries.forEach((q, i) => {
    assert.equal(flights.find(q, 7), added[i]);
  });
});

test('flights: a name is found in any case, and has one hash', () => {
  const flights = new Flights(99);
  const lower = makeQuery('www.example.org', 'A');
  const mixed = makeQuery('wWw.eXample.ORG', 'A');
  const hash = flights.hashOf(lower);
  assert.equal(flights.hashOf(mixed), hash);
  assert.equal(flights.find(mixed, hash), undefined);
  const flight = flights.add(lower, hash, next, 0);
  assert.equal(flights.find(mixed, hash), flight);
});

test('flights: seeds make different hashes', () => {
  const q = makeQuery('www.example.org', 'A');
  const hashes = new Set([1, 2, 3, 4, 5].map((seed) => new Flights(seed).hashOf(q)));
  assert.equal(hashes.size, 5);
});

test('flights: hashes of many names spread over the table', () => {
  const flights = new Flights(5);
  const buckets = new Uint16Array(256);
  for (let i = 0; i < 4096; i++) {
    const at = flights.hashOf(makeQuery(`n${i}.example.org`, 'A')) & 255;
    buckets[at] = (buckets[at] as number) + 1;
  }
  // 16 are expected in each; a bucket of 48 would be eight standard deviations away.
  assert.ok(Math.max(...buckets) < 48, `fullest bucket has ${Math.max(...buckets)}`);
});

for (const [name, hashOf] of [
  ['one hash for all', () => 1023],
  ['hashes at the end of the table', (_q: Query, i: number) => 1020 + (i % 4)],
  ['a hash for each', (q: Query, _i: number, flights: Flights) => flights.hashOf(q)],
] as const) {
  test(`flights: adding and removing in any order keeps every flight, with ${name}`, () => {
    const flights = new Flights(3);
    const queries = Array.from({ length: 700 }, (_, i) => makeQuery(`n${i}.example`, 'A'));
    const open = new Map<number, Flight>();
    const random = randoms(20260801);
    for (let step = 0; step < 4000; step++) {
      const i = random() % queries.length;
      const q = queries[i] as Query;
      const hash = hashOf(q, i, flights);
      const known = open.get(i);
      assert.equal(flights.find(q, hash), known, `step ${step}`);
      if (known === undefined) open.set(i, flights.add(q, hash, next, 0));
      else {
        flights.remove(known);
        open.delete(i);
      }
    }
    assert.equal(flights.size, open.size);
    for (const [i, flight] of open) {
      const q = queries[i] as Query;
      assert.equal(flights.find(q, hashOf(q, i, flights)), flight);
    }
  });
}

test('flights: an object is used again with nothing left of its last use', () => {
  const flights = new Flights(1);
  const long = makeQuery('a-name-of-several-words.example.org', 'AAAA', { do: true });
  const first = flights.add(long, 7, next, 5);
  first.head = 3;
  first.tail = 4;
  first.count = 2;
  first.lastTried = 4;
  flights.remove(first);
  const short = makeQuery('b', 'A');
  const second = flights.add(short, 8, next, 6);
  assert.equal(second, first);
  assert.deepEqual(
    [second.leader, second.startedMs, second.head, second.tail, second.count, second.lastTried],
    [short, 6, -1, -1, 0, -1],
  );
  assert.equal(flights.find(long, 8), undefined);
  assert.equal(flights.find(short, 8), second);
});
