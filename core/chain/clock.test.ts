import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CoarseClock } from './clock.js';

/** Some work, so that the time is another. */
function wait(): void {
  const endMs = performance.now() + 2;
  while (performance.now() < endMs);
}

test('clock: within a callback of the event loop it is read once, unless told to', async () => {
  const clock = new CoarseClock();
  clock.refresh();
  const readMs = clock.nowMs;
  wait();
  clock.freshen();
  assert.equal(clock.nowMs, readMs);
  clock.refresh();
  assert.ok(clock.nowMs > readMs);
  await null;
  const batchMs = clock.nowMs;
  wait();
  clock.freshen();
  assert.ok(clock.nowMs > batchMs, 'a promise comes from elsewhere');
});

test('clock: all threads have one time base', () => {
  const [seconds, nanoseconds] = process.hrtime();
  const clock = new CoarseClock();
  assert.ok(Math.abs(clock.nowMs - (seconds * 1000 + nanoseconds / 1e6)) < 1000);
});
