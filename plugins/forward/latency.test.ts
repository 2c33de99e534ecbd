// What is learnt of an upstream's speed: means, percentiles, errors, and how soon a change is seen.
import assert from 'node:assert/strict';
import test from 'node:test';
import { FakeClock } from '../../core/testing.js';
import { LATENCY_CELLS, Latency, summarize } from './latency.js';

function rig(): { clock: FakeClock; cells: Int32Array; latency: Latency } {
  const clock = new FakeClock();
  const cells = new Int32Array(LATENCY_CELLS);
  return { clock, cells, latency: new Latency(cells, 0, clock) };
}

/** Replies that took `ms` each, with a pause between them. */
function answers(r: ReturnType<typeof rig>, count: number, ms: number, pauseMs = 0): void {
  for (let i = 0; i < count; i++) {
    r.latency.sent();
    r.latency.answered(ms);
    r.clock.advance(pauseMs);
  }
}

test('latency: the first reply is believed', () => {
  const r = rig();
  answers(r, 1, 40);
  assert.equal(r.latency.expectedMs(2000), 40);
});

test('latency: a busy upstream is judged by many replies, an idle one by a few', () => {
  const busy = rig();
  answers(busy, 100, 1);
  answers(busy, 1, 1000);
  assert.ok(busy.latency.expectedMs(0) < 150);
  answers(busy, 30, 1000);
  assert.ok(busy.latency.expectedMs(0) > 950);
  const idle = rig();
  answers(idle, 5, 1000, 1000);
  answers(idle, 4, 1, 1000);
  assert.ok(idle.latency.expectedMs(0) < 10, String(idle.latency.expectedMs(0)));
});

test('latency: percentiles are those of the last few hundred replies', () => {
  const r = rig();
  for (let i = 0; i < 1000; i++) answers(r, 1, i % 10 === 0 ? 80 : 4);
  const { p50Ms, p95Ms } = summarize(r.cells, 0);
  assert.equal(p50Ms, 4);
  assert.ok(p95Ms >= 80 && p95Ms < 120, String(p95Ms));
  answers(r, 1500, 4);
  assert.equal(summarize(r.cells, 0).p95Ms, 4);
});

test('latency: a second query waits for the 95th percentile, not less than 20 ms', () => {
  const r = rig();
  assert.equal(r.latency.hedgeMs, 250);
  answers(r, 64, 1);
  assert.equal(r.latency.hedgeMs, 20);
  answers(r, 640, 64);
  assert.equal(r.latency.hedgeMs, 64);
});

test('latency: a datagram is taken for lost after the mean and four deviations, within limits', () => {
  const r = rig();
  assert.equal(r.latency.retryMs, 400);
  answers(r, 64, 1);
  assert.equal(r.latency.retryMs, 100);
  answers(r, 200, 100);
  assert.ok(r.latency.retryMs >= 200 && r.latency.retryMs < 300, String(r.latency.retryMs));
  answers(r, 200, 5000);
  assert.equal(r.latency.retryMs, 1000);
});

test('latency: errors add up to a share, replies take it down, a recovery forgets it', () => {
  const r = rig();
  for (let i = 0; i < 200; i++) {
    r.latency.sent();
    if (i % 2 === 0) r.latency.failed();
    else r.latency.answered(1);
  }
  const { errorShare, failed, sent } = summarize(r.cells, 0);
  assert.ok(errorShare > 0.4 && errorShare < 0.6, String(errorShare));
  assert.deepEqual([sent, failed], [200, 100]);
  answers(r, 100, 1);
  assert.ok(summarize(r.cells, 0).errorShare < 0.01);
  r.latency.failed();
  r.latency.recovered();
  assert.equal(summarize(r.cells, 0).errorShare, 0);
});

test('latency: silence counts from the first message after the last reply, while one is under way', () => {
  const r = rig();
  answers(r, 1, 1);
  r.clock.advance(500);
  assert.equal(r.latency.expectedMs(0), 1);
  r.latency.sent();
  r.clock.advance(30);
  r.latency.sent();
  assert.equal(r.latency.expectedMs(0), 30);
  r.latency.answered(1);
  assert.ok(r.latency.expectedMs(0) <= 1);
  r.clock.advance(500);
  assert.ok(r.latency.expectedMs(0) <= 1);
});

test('latency: the time wraps around 32 bits without a trace', () => {
  const r = rig();
  r.clock.nowMs = 2 ** 32 - 5;
  answers(r, 1, 1);
  r.clock.advance(10);
  assert.equal(r.latency.unaskedMs, 10);
  answers(r, 1, 1);
  assert.equal(r.latency.hasAnsweredSince(2 ** 32 - 2), true);
  assert.equal(r.latency.hasAnsweredSince(2 ** 32 + 6), false);
});
