import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock, FakeTimers } from '../../core/testing.js';
import { DueTimes } from './due-times.js';

const STEP_MS = 10;

function rig(onDue: (index: number) => void = () => {}) {
  const clock = new FakeClock();
  clock.nowMs = 1_000_000;
  const pending = new FakeTimers(clock);
  const limits = { isFull: false };
  const timers = {
    start: (delayMs: number, fire: (arg: number) => void, arg: number): number =>
      limits.isFull ? 0 : pending.start(delayMs, fire, arg),
    cancel: (handle: number): void => pending.cancel(handle),
  };
  const told: [index: number, ms: number][] = [];
  const dueTimes = new DueTimes(clock, timers, (index) => {
    told.push([index, clock.nowMs]);
    onDue(index);
  });
  return { clock, pending, limits, told, dueTimes };
}

test('due times: each is told once, when the timers fire, and with one timer for all', () => {
  const { clock, pending, told, dueTimes } = rig();
  const due = new Map<number, number>();
  for (let index = 0; index < 500; index++) {
    // Neither in order nor in reverse.
    const dueMs = clock.nowMs + ((index * 7919) % 3000);
    due.set(index, dueMs);
    assert.ok(dueTimes.set(index, dueMs));
    assert.equal(pending.size, 1);
  }
  // One that was set again, sooner and later, and one that is over.
  for (const [index, dueMs] of [
    [3, 5],
    [4, 4000],
  ] as const) {
    due.set(index, clock.nowMs + dueMs);
    dueTimes.set(index, clock.nowMs + dueMs);
  }
  dueTimes.clear(5);
  due.delete(5);
  const startMs = clock.nowMs;
  while (clock.nowMs < startMs + 5000) {
    clock.advance(1);
    assert.ok(pending.size <= 1);
  }
  assert.equal(told.length, due.size);
  for (const [index, ms] of told) {
    const lateMs = ms - (due.get(index) as number);
    assert.ok(lateMs >= 0 && lateMs <= 1, `${index}: ${lateMs}`);
  }
  assert.equal(pending.size, 0);
});

test('due times: who is told sets its next time, and others, at once', () => {
  const { clock, pending, told, dueTimes } = rig((index) => {
    if (told.length > 6) return;
    dueTimes.set(index, clock.nowMs + 20);
    dueTimes.clear(9);
  });
  dueTimes.set(0, clock.nowMs + 20);
  dueTimes.set(9, clock.nowMs + 20);
  clock.advance(1000);
  for (let i = 0; i < 100; i++) clock.advance(STEP_MS);
  assert.deepEqual(
    told.map(([index]) => index),
    [0, 0, 0, 0, 0, 0, 0],
  );
  assert.equal(pending.size, 0);
});

test('due times: without a timer none is set, and those that were are told', () => {
  const { clock, told, dueTimes, limits } = rig();
  assert.ok(dueTimes.set(1, clock.nowMs + 1000));
  limits.isFull = true;
  assert.ok(dueTimes.set(2, clock.nowMs + 2000));
  assert.equal(dueTimes.set(3, clock.nowMs + 500), false);
  for (let i = 0; i < 150; i++) clock.advance(STEP_MS);
  limits.isFull = false;
  // The next one that is set finds a timer, for the one that lost its own as well.
  assert.ok(dueTimes.set(4, clock.nowMs + 1000));
  for (let i = 0; i < 150; i++) clock.advance(STEP_MS);
  assert.deepEqual(
    told.map(([index]) => index),
    [1, 2, 4],
  );
});

test('due times: closed, there is no timer left', () => {
  const { clock, told, dueTimes, pending } = rig();
  dueTimes.set(1, clock.nowMs + 1000);
  dueTimes.clear(1);
  assert.equal(pending.size, 1);
  dueTimes.close();
  assert.equal(pending.size, 0);
  clock.advance(2000);
  assert.deepEqual(told, []);
});

test('due times: a fault while one is told keeps the others', () => {
  const { clock, told, dueTimes } = rig((index) => {
    if (index === 0) throw new Error('fault');
  });
  dueTimes.set(0, clock.nowMs + 20);
  dueTimes.set(1, clock.nowMs + 20);
  assert.throws(() => clock.advance(100), /fault/);
  for (let i = 0; i < 10; i++) clock.advance(STEP_MS);
  assert.deepEqual(
    told.map(([index]) => index),
    [0, 1],
  );
});
