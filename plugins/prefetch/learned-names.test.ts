import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeQuery } from '../../core/testing.js';
import { keyWith } from '../../test/lib/prefetch-kit.js';
import { allocateBudget, Budget } from './budget.js';
import { LearnedNames } from './learned-names.js';
import { allocateNames, NameTable, Use } from './name-table.js';

const TICKS = 16;

function sectionOf(seed: number) {
  const names = new NameTable(allocateNames(3000), 1, TICKS);
  const budget = new Budget(allocateBudget(), 1, TICKS);
  const key = keyWith(seed);
  const section = new LearnedNames(
    names,
    budget,
    key,
    () => 0,
    () => 7,
  );
  return { names, budget, key, section };
}

function countIn(names: NameTable): number {
  let count = 0;
  for (let i = 0; i < names.bucket.count; i++) count += names.bucket.countOf(i);
  return count;
}

/** The pieces, each at the beginning of a buffer of its own, as they are read. */
function piecesOf(section: LearnedNames): Uint8Array[] {
  return [...section.write()].map((piece) => piece.slice());
}

test('learned names: all are taken in by a process with another hash, with their upstreams by new numbers', () => {
  const from = sectionOf(1);
  assert.equal(from.budget.originOf(555), 1);
  const origin = from.budget.originOf(777);
  for (let i = 0; i < 2500; i++) {
    from.key.set(
      makeQuery(`host${i}.example.org`, i % 2 === 0 ? 'A' : 'AAAA', { do: i % 3 === 0 }),
    );
    for (let at = 0; at < 2; at++) from.names.learn(from.key, at * 99, 960, Use.MISSED, origin, 7);
  }
  const pieces = piecesOf(from.section);
  assert.ok(pieces.length > 3);
  const to = sectionOf(8);
  for (const piece of pieces) to.section.read(piece);
  assert.equal(to.section.taken, countIn(from.names));
  to.key.set(makeQuery('host6.example.org', 'A', { do: true }));
  assert.ok(to.names.read(to.names.bucket.of(to.key), to.key.high, 7));
  assert.equal(to.budget.hashOf(to.names.popularity.origin), 777);
  assert.ok(to.names.isDue(0));
});

test('learned names: another format, a bad record and a bad name are refused', () => {
  const from = sectionOf(1);
  from.key.set(makeQuery('www.example.org', 'A'));
  for (let at = 0; at < 2; at++) from.names.learn(from.key, at * 99, 960, Use.MISSED, 0, 7);
  const [head, body] = piecesOf(from.section) as [Uint8Array, Uint8Array];
  const changed = (piece: Uint8Array, at: number, to: number): Uint8Array => {
    const copy = piece.slice();
    copy[at] = to;
    return copy;
  };
  assert.throws(() => sectionOf(2).section.read(changed(head, 0, 9)), /another format/);
  for (const [piece, message] of [
    [changed(body, 0, 3), /bad record/],
    [changed(body, 0, 200), /bad record/],
    [changed(body, 9, 60), /bad name/],
    [changed(body, 28, 64), /bad name/],
    [changed(body, 28, 4), /bad name/],
  ] as const) {
    const to = sectionOf(2);
    to.section.read(head);
    assert.throws(() => to.section.read(piece), message);
    assert.equal(countIn(to.names), 0);
  }
});
