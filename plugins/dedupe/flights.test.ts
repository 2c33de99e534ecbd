import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Next } from '../../core/plugin.js';
import { makeQuery } from '../../core/testing.js';
import { type Flight, Flights } from './flights.js';
import { Question } from './question.js';

const next: Next = (q) => q.defer();

/** A small generator, so that a failure can be had again. */
function randoms(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state;
  };
}

/** A question with this hash, or its own. */
function question(name: string, high?: number, type = 'A'): Question {
  const made = new Question([1, 2]);
  made.set(makeQuery(name, type));
  if (high !== undefined) made.high = high;
  return made;
}

test('flights: equal hashes join nothing', () => {
  const flights = new Flights();
  const flight = flights.add(question('a.example', 7), next, 0);
  assert.equal(flights.find(question('a.example', 7)), flight);
  assert.equal(flights.find(question('b.example', 7)), undefined);
});

test('flights: names that begin alike are told apart', () => {
  const flights = new Flights();
  const names = ['.', 'a', 'ab', 'abc', 'abcd', 'abc.d', 'a.bcd', 'abcd.example', 'abcd.exampl'];
  const questions = names.map((name) => question(name, 7));
  const added = questions.map((q) => flights.add(q, next, 0));
  questions.forEach((q, i) => {
    assert.equal(flights.find(q), added[i]);
  });
});

test('flights: those that another worker leads are found by hash', () => {
  const flights = new Flights();
  const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((name, i) =>
    flights.add(question(`${name}.example`, i < 3 ? 7 : 8), next, 0),
  ) as [Flight, Flight, Flight, Flight];
  for (const flight of [a, c, d]) flight.isRemote = true;
  assert.deepEqual(flights.remote(7), [a, c]);
  assert.deepEqual(flights.remote(8), [d]);
  assert.deepEqual(flights.remote(9), []);
  assert.deepEqual(flights.remote(), [a, c, d]);
  flights.remove(b);
  assert.deepEqual(flights.remote(7), [a, c]);
});

for (const [name, hashOf] of [
  ['one hash for all', () => 1023],
  ['hashes at the end of the table', (i: number) => 1020 + (i % 4)],
  ['a hash for each', () => undefined],
] as const) {
  test(`flights: adding and removing in any order keeps every flight, with ${name}`, () => {
    const flights = new Flights();
    const questions = Array.from({ length: 700 }, (_, i) => question(`n${i}.example`, hashOf(i)));
    const open = new Map<number, Flight>();
    const random = randoms(20260801);
    for (let step = 0; step < 4000; step++) {
      const i = random() % questions.length;
      const q = questions[i] as Question;
      const known = open.get(i);
      assert.equal(flights.find(q), known, `step ${step}`);
      if (known === undefined) open.set(i, flights.add(q, next, 0));
      else {
        flights.remove(known);
        open.delete(i);
      }
    }
    assert.equal(flights.size, open.size);
    for (const [i, flight] of open) assert.equal(flights.find(questions[i] as Question), flight);
  });
}

test('flights: an object is used again with nothing left of its last use', () => {
  const flights = new Flights();
  const long = question('a-name-of-several-words.example.org', 7, 'AAAA');
  const first = flights.add(long, next, 5);
  const fresh = { ...first };
  first.leader = makeQuery('a', 'A');
  first.isRemote = true;
  first.claim = 1;
  first.timer = 2;
  first.head = 3;
  first.tail = 4;
  first.waiting = 2;
  first.lastTried = 4;
  flights.remove(first);
  const second = flights.add(long, next, 5);
  assert.equal(second, first);
  assert.deepEqual({ ...second }, fresh);
  flights.remove(second);
  const short = question('b', 8);
  assert.equal(flights.add(short, next, 6), first);
  assert.equal(flights.find(long), undefined);
  assert.equal(flights.find(short), first);
});
