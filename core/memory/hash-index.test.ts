import assert from 'node:assert/strict';
import { test } from 'node:test';
import { slabBytes, slabGeometry, slotAt } from './geometry.js';
import { ENTRY_MASK, HashIndex, MAX_PROBES, STEP, tagOf } from './hash-index.js';

const geometry = slabGeometry(1000, 0);
const HALF_FULL = geometry.slots / 2;

interface Held {
  readonly low: number;
  readonly high: number;
}

/** An index and what is in it, with numbers of a seeded generator as hashes. */
function filled(seed: number) {
  const words = new Int32Array(new SharedArrayBuffer(slabBytes(geometry)));
  const index = new HashIndex(words, geometry);
  const held = new Map<number, Held>();
  let state = seed;
  const random = (): number => {
    state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x6d2b79f5;
    return (state ^ (state >>> 12)) | 0;
  };
  const add = (entry: number): void => {
    const hash = { low: random(), high: random() };
    assert.ok(index.add(0, hash.low, hash.high, entry));
    held.set(entry, hash);
  };
  for (let entry = 1; entry <= HALF_FULL; entry++) add(entry);
  const churn = (times: number): void => {
    for (let i = 0; i < times; i++) {
      const entry = 1 + ((random() >>> 1) % HALF_FULL);
      index.remove(0, (held.get(entry) as Held).low, entry);
      add(entry);
    }
  };
  /** The entries whose slots fit a hash, in the way a reader looks; and how many slots it looked at. */
  const fitting = ({ low, high }: Held): { entries: number[]; probes: number } => {
    const entries: number[] = [];
    for (let probe = 0; probe < MAX_PROBES; probe++) {
      const slot = (low + probe) & (geometry.slots - 1);
      const value = words[geometry.indexAt + slotAt(slot)] as number;
      if (value === 0) return { entries, probes: probe };
      const entry = value & ENTRY_MASK;
      if ((value ^ (tagOf(high) + probe * STEP)) === entry) entries.push(entry);
    }
    return { entries, probes: MAX_PROBES };
  };
  const used = (): number => {
    let slots = 0;
    for (let slot = 0; slot < geometry.slots; slot++) {
      if (words[geometry.indexAt + slotAt(slot)] !== 0) slots++;
    }
    return slots;
  };
  return { index, held, random, churn, fitting, used };
}

test('every entry is found by its hash, however often others came and went', () => {
  for (const seed of [1, 2, 3]) {
    const { held, churn, fitting } = filled(seed);
    churn(20 * HALF_FULL);
    for (const [entry, hash] of held) assert.ok(fitting(hash).entries.includes(entry));
  }
});

test('a slot is used for each entry and no other', () => {
  const { index, held, churn, used } = filled(4);
  churn(20 * HALF_FULL);
  assert.equal(used(), HALF_FULL);
  for (const [entry, { low }] of held) index.remove(0, low, entry);
  assert.equal(used(), 0);
});

test('look-ups of what is not there stay short', () => {
  const { random, churn, fitting } = filled(5);
  const meanProbes = (): number => {
    let sum = 0;
    for (let i = 0; i < 10_000; i++) sum += fitting({ low: random(), high: random() }).probes;
    return sum / 10_000;
  };
  assert.ok(meanProbes() < 2);
  churn(40 * HALF_FULL);
  assert.ok(meanProbes() < 2, `${meanProbes()} slots`);
});

test('few slots fit a hash that is not theirs', () => {
  const { random, fitting } = filled(6);
  let fits = 0;
  for (let i = 0; i < 10_000; i++) {
    fits += fitting({ low: random(), high: random() }).entries.length;
  }
  assert.ok(fits < 600, `${fits}`);
});

test('an entry gives its slot to the one that takes its place', () => {
  const { index, held, fitting } = filled(7);
  const hash = held.get(17) as Held;
  const before = fitting(hash);
  index.replace(0, hash.low, 17, HALF_FULL + 1);
  const after = fitting(hash);
  assert.equal(after.probes, before.probes);
  assert.ok(after.entries.includes(HALF_FULL + 1) && !after.entries.includes(17));
});
