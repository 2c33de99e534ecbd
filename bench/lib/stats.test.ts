import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LatencyHistogram, spreadOf } from './stats.js';

test('percentiles are exact below 64 us and within 1.6 % above', () => {
  const histogram = new LatencyHistogram();
  for (let us = 1; us <= 100_000; us++) histogram.record(us);
  assert.equal(histogram.count, 100_000);
  assert.equal(histogram.percentile(0.0005), 50);
  for (const share of [0.01, 0.5, 0.9, 0.99, 0.999]) {
    const exact = share * 100_000;
    const found = histogram.percentile(share);
    assert.ok(found >= exact && found <= exact * 1.016, `${share}: ${found}`);
  }
  assert.equal(histogram.percentile(1), 100_000);
  assert.equal(histogram.max, 100_000);
});

test('a histogram takes zero, negative and very long durations', () => {
  const histogram = new LatencyHistogram();
  assert.equal(histogram.percentile(0.5), 0);
  for (const us of [-3, 0, 2_000_000_000]) histogram.record(us);
  assert.equal(histogram.percentile(0.5), 0);
  assert.equal(histogram.percentile(1), 2_000_000_000);
});

test('the spread of rounds is their median, least and greatest', () => {
  assert.deepEqual(spreadOf([3, 1, 2]), { median: 2, least: 1, most: 3 });
  assert.deepEqual(spreadOf([4, 1, 2, 3]), { median: 2.5, least: 1, most: 4 });
  assert.deepEqual(spreadOf([]), { median: 0, least: 0, most: 0 });
});
