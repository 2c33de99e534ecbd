import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatName, type SlabKey } from '../../core/plugin.js';
import { makeQuery } from '../../core/testing.js';
import { keyWith } from '../../test/lib/prefetch-kit.js';
import { Due } from './due.js';
import { allocateNames, NameTable, Use } from './name-table.js';

const TICKS = 16;
const LIFETIME = 60 * TICKS;
const HALF = 128;

function keyOf(name: string): SlabKey {
  const key = keyWith(1);
  key.set(makeQuery(name, 'A'));
  return key;
}

/** Names that were stored at tick 0 for the last time, the first one used most. */
function tableOf(count: number): NameTable {
  const table = new NameTable(allocateNames(20_000), 1, TICKS);
  for (let i = 0; i < count; i++) {
    const key = keyOf(`n${i}.example.org`);
    const gap = (i % 10) * 20 * TICKS;
    for (let at = -20; at <= 0; at++) {
      table.learn(key, at * (LIFETIME + gap), LIFETIME, Use.MISSED, 1 + (i % 2), 0);
    }
  }
  return table;
}

/** What is due, in order, as `NAME popular|`. */
function namesOf(table: NameTable, due: Due): string[] {
  return Array.from({ length: due.count }, (_, i) => {
    assert.ok(due.read(i, 0));
    assert.equal(due.origin(i), table.popularity.origin);
    const name = formatName(new Uint8Array(table.name.buffer), 0);
    return `${name}${due.isPopular(i) ? ' popular' : ''}`;
  });
}

test('due: the most popular come first, those below the share last', () => {
  const table = tableOf(10);
  const due = new Due(table, HALF);
  due.find(LIFETIME / 2, 0, false);
  assert.equal(due.count, 0);
  due.find(LIFETIME, 0, false);
  assert.deepEqual(
    namesOf(table, due),
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9].map(
      (i) => `n${i}.example.org.${60 / (60 + 20 * i) > 0.5 ? ' popular' : ''}`,
    ),
  );
});

test('due: what is not taken care of is due again, what is no more', () => {
  const table = tableOf(10);
  const due = new Due(table, HALF);
  due.find(LIFETIME, 0, false);
  table.rest(keyOf('n0.example.org'), Use.USED, 0);
  table.lookAgain(keyOf('n1.example.org'), LIFETIME + 10 * TICKS, true, 0);
  assert.equal(due.read(0, 0), false);
  assert.equal(due.read(1, 0), false);
  due.find(LIFETIME + TICKS, 0, false);
  assert.equal(due.count, 8);
  due.find(LIFETIME + 10 * TICKS, 0, false);
  assert.equal(due.count, 9);
  table.learn(keyOf('n2.example.org'), LIFETIME, LIFETIME, Use.USED, 0, 0);
  due.find(LIFETIME + 10 * TICKS, 0, false);
  assert.equal(due.count, 8);
});

test('due: what is too much for one look comes in the next', () => {
  const table = tableOf(10_000);
  const due = new Due(table, HALF);
  const known = new Set<string>();
  const looks: number[] = [];
  while (known.size < 9900 && looks.length < 4) {
    due.find(LIFETIME, 0, false);
    looks.push(due.count);
    for (const name of namesOf(table, due)) known.add(name);
  }
  assert.equal(looks[0], 8192);
  assert.ok(known.size >= 9000, `${known.size} in ${looks}`);
});
