import assert from 'node:assert/strict';
import { test } from 'node:test';
import { POPULARITY_WORDS, Popularity, periodOf, WHOLE } from './popularity.js';

const PERIODS_PER_DAY = 8;

/** A name that is kept for 15 minutes, learnt at the beginning of day 0. */
function learnt(): Popularity {
  const p = new Popularity();
  p.begin(0);
  p.lifetime = 900;
  return p;
}

/** It is made use of all the time in these periods of a day. */
function liveDay(p: Popularity, day: number, busy: readonly number[]): void {
  for (const part of busy) {
    p.turnTo(day * PERIODS_PER_DAY + part);
    for (let i = 0; i < 12; i++) p.use();
  }
  p.turnTo((day + 1) * PERIODS_PER_DAY);
}

test('popularity: a name is known by the time of day after one day', () => {
  const p = learnt();
  liveDay(p, 0, [3, 4]);
  assert.deepEqual(p.shares, [0, 0, 0, WHOLE, WHOLE, 0, 0, 0]);
  p.turnTo(PERIODS_PER_DAY + 2);
  assert.equal(p.expected, 0);
  p.turnTo(PERIODS_PER_DAY + 3);
  assert.equal(p.expected, WHOLE);
});

test('popularity: half of a period counts half', () => {
  const p = learnt();
  for (let i = 0; i < 6; i++) p.use();
  p.turnTo(1);
  assert.ok(Math.abs((p.shares[0] as number) - WHOLE / 2) < 0.05 * WHOLE, `${p.shares[0]}`);
});

test('popularity: what was learnt is worth half after three days, and nothing after a month', () => {
  const p = learnt();
  for (let day = 0; day < 10; day++) liveDay(p, day, [3]);
  assert.equal(p.shares[3], WHOLE);
  p.turnTo(13 * PERIODS_PER_DAY);
  assert.ok(Math.abs((p.shares[3] as number) - WHOLE / 2) <= 3, `${p.shares[3]}`);
  p.turnTo(16 * PERIODS_PER_DAY);
  assert.ok(Math.abs((p.shares[3] as number) - WHOLE / 4) <= 4, `${p.shares[3]}`);
  p.turnTo(45 * PERIODS_PER_DAY);
  assert.equal(p.peak, 0);
});

test('popularity: a weekend does not make working days forgotten', () => {
  const p = learnt();
  for (let day = 0; day < 5; day++) liveDay(p, day, [3, 4, 5]);
  p.turnTo(7 * PERIODS_PER_DAY + 4);
  assert.ok(p.expected > WHOLE / 2, `${p.expected}`);
});

test('popularity: days on which it is not used count from the first on', () => {
  const p = learnt();
  liveDay(p, 0, [3]);
  liveDay(p, 1, []);
  assert.ok(Math.abs((p.shares[3] as number) - WHOLE / 2) <= 2, `${p.shares[3]}`);
  liveDay(p, 2, []);
  assert.ok(Math.abs((p.shares[3] as number) - WHOLE / 3) <= 2, `${p.shares[3]}`);
});

test('popularity: what is of late follows within a few times, up and down', () => {
  const p = learnt();
  for (let i = 0; i < 3; i++) p.observe(WHOLE);
  assert.ok(p.late > WHOLE / 2);
  for (let i = 0; i < 40; i++) p.observe(WHOLE);
  assert.equal(p.late, WHOLE);
  for (let i = 0; i < 3; i++) p.observe(0);
  assert.ok(p.late < WHOLE / 2);
  for (let i = 0; i < 40; i++) p.observe(0);
  assert.equal(p.late, 0);
});

test('popularity: what was of late is halved by a day on which nothing happens', () => {
  const p = learnt();
  for (let i = 0; i < 40; i++) p.observe(WHOLE);
  p.turnTo(PERIODS_PER_DAY);
  assert.ok(Math.abs(p.late - WHOLE / 2) <= 1, `${p.late}`);
});

test('popularity: a clock that is put back changes nothing', () => {
  const p = learnt();
  liveDay(p, 5, [3]);
  const before = p.shares;
  p.turnTo(2 * PERIODS_PER_DAY);
  assert.deepEqual(p.shares, before);
});

test('popularity: four words have all of it', () => {
  const p = learnt();
  for (let part = 0; part < PERIODS_PER_DAY; part++) {
    p.turnTo(part);
    for (let i = 0; i < 2 * part - 1; i++) p.use();
  }
  p.turnTo(PERIODS_PER_DAY);
  for (let i = 0; i < 5; i++) p.observe(WHOLE);
  for (let i = 0; i < 5000; i++) p.use();
  p.origin = 63;
  p.isByTimer = true;
  p.isUnderWay = true;
  p.waste();
  p.waste();
  p.period = 0xffff;
  const words = new Int32Array(POPULARITY_WORDS + 1);
  p.store(words, 1);
  const same = new Popularity();
  same.load(words, 1);
  assert.deepEqual(same, p);
  assert.deepEqual(same.shares, p.shares);
  assert.ok(new Set(p.shares).size > 5, `${p.shares}`);
  assert.equal(same.used, 4095);
  same.isByTimer = false;
  same.isUnderWay = false;
  same.isArmed = false;
  same.store(words, 1);
  const other = new Popularity();
  other.load(words, 1);
  assert.deepEqual(other, same);
  assert.deepEqual(other.shares, p.shares);
});

test('popularity: times for which names are kept are known within 5 %', () => {
  const p = learnt();
  for (const seconds of [1, 4, 5, 30, 60, 300, 3600, 86_400, 2 ** 31 - 1]) {
    p.lifetime = seconds;
    assert.ok(Math.abs(p.lifetime / seconds - 1) < 0.05, `${seconds}: ${p.lifetime}`);
  }
});

test('popularity: a period is three hours of UTC', () => {
  const midnight = Date.UTC(2026, 0, 5);
  assert.equal(periodOf(midnight) % PERIODS_PER_DAY, 0);
  assert.equal(periodOf(midnight + 3 * 3_600_000 - 1), periodOf(midnight));
  assert.equal(periodOf(midnight + 3 * 3_600_000), periodOf(midnight) + 1);
});
