import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ownTimesIn, shareWithin } from './own-time.js';

function metrics(counts: readonly [string, number][]): string {
  const lines = ['dns://:53', 'dns://:54'].flatMap((server) =>
    counts.map(
      ([le, count]) =>
        `coredns_dns_request_duration_seconds_bucket{server="${server}",zone=".",view="",le="${le}"} ${count}`,
    ),
  );
  return ['# TYPE coredns_dns_request_duration_seconds histogram', ...lines, ''].join('\n');
}

test('own time: the share of the queries between two readings, of all server blocks', () => {
  const before = ownTimesIn(
    metrics([
      ['0.0005', 10],
      ['0.002', 20],
      ['+Inf', 20],
    ]),
  );
  const after = ownTimesIn(
    metrics([
      ['0.0005', 100],
      ['0.002', 119],
      ['+Inf', 120],
    ]),
  );
  assert.equal(shareWithin(0.0005, before, after), 0.9);
  assert.equal(shareWithin(0.002, before, after), 0.99);
  assert.equal(shareWithin(0.0005, new Map(), after), 100 / 120);
  assert.throws(() => shareWithin(0.001, before, after), RangeError);
});
