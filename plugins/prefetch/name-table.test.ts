import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SlabKey } from '../../core/plugin.js';
import { makeQuery } from '../../core/testing.js';
import { keyWith } from '../../test/lib/prefetch-kit.js';
import { allocateNames, NameTable, Outcome, Use } from './name-table.js';

const TICKS = 16;
const LIFETIME = 60 * TICKS;

function tableOf(names = 1000): NameTable {
  return new NameTable(allocateNames(names), 1, TICKS);
}

function keyOf(name: string, type = 'A'): SlabKey {
  const key = keyWith(1);
  key.set(makeQuery(name, type));
  return key;
}

/** Stores a name so many times, its time having just ended each time. */
function learn(table: NameTable, name: string, times: number, start = 0, period = 0): number {
  const key = keyOf(name);
  let now = start;
  for (let i = 0; i < times; i++) {
    table.learn(key, now, LIFETIME, Use.MISSED, 0, period);
    now += LIFETIME;
  }
  return now;
}

function namesIn(table: NameTable): number {
  let count = 0;
  for (let i = 0; i < table.bucket.count; i++) count += table.bucket.countOf(i);
  return count;
}

/** Share of late of a name, undefined when it is not known. */
function lateOf(table: NameTable, name: string): number | undefined {
  const key = keyOf(name);
  const isKnown = table.read(table.bucket.of(key), key.high, 0);
  return isKnown ? table.popularity.late : undefined;
}

test('names: one is learnt the second time', () => {
  const table = tableOf();
  learn(table, 'example.org', 1);
  assert.equal(namesIn(table), 0);
  learn(table, 'example.org', 1, LIFETIME);
  assert.equal(namesIn(table), 1);
  assert.equal(lateOf(table, 'example.org'), 0);
});

test('names: type and flags are part of the question', () => {
  const table = tableOf();
  const queries = [
    makeQuery('example.org', 'A'),
    makeQuery('example.org', 'AAAA'),
    makeQuery('example.org', 'A', { do: true }),
    makeQuery('EXAMPLE.org', 'A'),
  ];
  for (const q of queries) {
    const key = keyWith(1);
    key.set(q);
    for (let i = 0; i < 2; i++) {
      table.learn(key, i * LIFETIME, LIFETIME, Use.MISSED, 0, 0);
    }
  }
  assert.equal(namesIn(table), 3);
});

test('names: clients that waited for one reply are one use', () => {
  const table = tableOf();
  const now = learn(table, 'example.org', 3);
  const key = keyOf('example.org');
  for (let i = 0; i < 50; i++) table.learn(key, now, LIFETIME, Use.MISSED, 0, 0);
  assert.equal(table.popularity.used, 3);
});

test('names: the longer a name was missing, the less popular it is', () => {
  const [soon, late] = ['soon.example', 'late.example'];
  const table = tableOf();
  for (let i = 0; i < 30; i++) {
    table.learn(keyOf(soon), i * (LIFETIME + TICKS), LIFETIME, Use.MISSED, 0, 0);
    table.learn(keyOf(late), i * 4 * LIFETIME, LIFETIME, Use.MISSED, 0, 0);
  }
  assert.ok((lateOf(table, soon) as number) > 240, `${lateOf(table, soon)}`);
  assert.ok(Math.abs((lateOf(table, late) as number) - 255 / 4) < 6, `${lateOf(table, late)}`);
});

test('names: a refresh by the timer is of use when a client came', () => {
  const table = tableOf();
  const key = keyOf('example.org');
  let now = learn(table, 'example.org', 3);
  const refresh = (use: Use): Outcome => {
    table.lookAgain(key, now + TICKS, true, 0);
    now += LIFETIME;
    return table.learn(key, now, LIFETIME, use, 0, 0);
  };
  assert.equal(refresh(Use.USED), Outcome.NONE);
  assert.equal(refresh(Use.USED), Outcome.USED);
  assert.equal(refresh(Use.UNUSED), Outcome.UNUSED);
  assert.equal(refresh(Use.UNKNOWN), Outcome.NONE);
  assert.equal(table.rest(key, Use.UNUSED, 0), Outcome.UNUSED);
  assert.equal(table.rest(key, Use.UNUSED, 0), Outcome.NONE);
});

test('names: where there is no room the least popular go, and the new ones come in', () => {
  const table = tableOf(100);
  for (let i = 0; i < 40; i++) learn(table, `popular${i}.example.org`, 20);
  let evicted = 0;
  for (let i = 0; i < 2000; i++) {
    learn(table, `rare${i}.example.org`, 2);
    evicted += table.bucket.evicted;
  }
  for (let i = 0; i < 40; i++) assert.ok(lateOf(table, `popular${i}.example.org`), `${i}`);
  assert.ok(evicted > 1000 && namesIn(table) < 150, `${evicted} ${namesIn(table)}`);
  assert.ok(table.bucket.usedBytes <= table.bucket.words.byteLength);
  assert.ok(lateOf(table, 'rare1999.example.org') !== undefined);
});

test('names: a flood of names that come once moves nobody', () => {
  const table = tableOf(100);
  for (let i = 0; i < 100; i++) learn(table, `n${i}.example.org`, 3);
  const before = namesIn(table);
  let learnt = 0;
  for (let i = 0; i < 20_000; i++) {
    learn(table, `random${i}.example.net`, 1);
    if (lateOf(table, `random${i}.example.net`) !== undefined) learnt++;
  }
  assert.ok(learnt < 0.15 * 20_000, `${learnt}`);
  for (let i = 0; i < 100; i++) learn(table, `n${i}.example.org`, 1, 3 * LIFETIME);
  assert.ok(namesIn(table) >= before);
});

test('names: a name of 25 bytes takes 60, and less than 80 with what is spare', () => {
  const table = tableOf(10_000);
  for (let i = 0; i < 10_000; i++) learn(table, `host${String(i).padStart(7, '0')}.example.net`, 2);
  const count = namesIn(table);
  assert.ok(count > 9400, `${count}`);
  assert.equal(table.bucket.usedBytes / count, 60);
  assert.ok(table.bucket.words.byteLength / count < 80);
});

test('names: the longest name has a place', () => {
  const table = tableOf(100);
  const name = `${`${'x'.repeat(62)}.`.repeat(3)}${'y'.repeat(61)}`;
  learn(table, name, 4);
  assert.ok((lateOf(table, name) as number) > 0);
  const key = keyOf(name);
  table.read(table.bucket.of(key), key.high, 0);
  assert.deepEqual(
    [...table.name.subarray(0, 63)],
    [...key.words.subarray(0, 63)].map((w) => w | 0),
  );
});

test('names: of a worker that ended with a lock, that part is begun anew', () => {
  const memory = allocateNames(100);
  const [mine, other] = [1, 2].map((owner) => new NameTable(memory, owner, TICKS)) as [
    NameTable,
    NameTable,
  ];
  learn(mine, 'example.org', 3);
  const bucket = mine.bucket.of(keyOf('example.org'));
  assert.ok(mine.bucket.open(bucket));
  // Nobody waits for it.
  assert.equal(other.read(bucket, keyOf('example.org').high, 0), false);
  assert.equal(other.bucket.seize(1), 1);
  assert.equal(lateOf(other, 'example.org'), undefined);
  assert.equal(other.bucket.seize(1), 0);
  learn(other, 'example.org', 3, 9 * LIFETIME);
  assert.ok(lateOf(mine, 'example.org') !== undefined);
});
