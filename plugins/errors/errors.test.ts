import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DnsError, type ErrorCode, Rcode, TIMERS } from '../../core/plugin.js';
import {
  FakeClock,
  type FakeMetrics,
  FakeTimers,
  fakeServices,
  makeQuery,
} from '../../core/testing.js';
import { type Consolidation, durationText, ErrorsHandler, type ErrorsOptions } from './errors.js';

interface Bench {
  readonly clock: FakeClock;
  readonly timers: FakeTimers;
  readonly metrics: FakeMetrics;
  readonly handler: ErrorsHandler;
  /** A query for `name` failed for this reason. */
  fail(detail: string, name?: string, code?: ErrorCode): void;
  /** The lines written since the last call. */
  lines(): string[];
}

function bench(options: Partial<ErrorsOptions> = {}): Bench {
  const clock = new FakeClock();
  const timers = new FakeTimers(clock);
  const services = fakeServices({ clock, tokens: [[TIMERS, timers]] });
  const handler = new ErrorsHandler(
    { consolidations: [], repeatsMs: 10_000, ...options },
    services,
  );
  return {
    clock,
    timers,
    handler,
    metrics: services.metrics,
    fail(detail, name = 'example.org', code = 'ERR_UPSTREAM_TIMEOUT') {
      const q = makeQuery(name, 'A');
      handler.observe(q, q.replyError(new DnsError(code, detail)));
    },
    lines: () => services.lines.splice(0),
  };
}

function consolidation(options: Partial<Consolidation> & { pattern: RegExp }): Consolidation {
  return {
    periodMs: 30_000,
    patternText: options.pattern.source,
    level: 'error',
    showsFirst: false,
    ...options,
  };
}

test('errors: a failed query is one line with rcode, name, type and text', () => {
  const b = bench();
  b.fail('192.0.2.1:53', 'WWW.example.org');
  b.fail('', 'example.net', 'ERR_UPSTREAM_LIMIT');
  assert.deepEqual(b.lines(), [
    'error 2 www.example.org. A: upstream did not answer in time: 192.0.2.1:53',
    'error 5 example.net. A: too many concurrent queries',
  ]);
});

test('errors: replies without an error are not written, whatever their rcode', () => {
  const b = bench();
  const q = makeQuery('example.org', 'A');
  b.handler.observe(q, q.replyRcode(Rcode.SERVFAIL));
  assert.deepEqual(b.lines(), []);
  assert.equal(b.timers.size, 0);
});

test('errors: faults are left to the server', () => {
  const b = bench();
  b.fail('', 'example.org', 'ERR_PLUGIN_FAULT');
  assert.deepEqual(b.lines(), []);
});

test('errors: passes queries on', () => {
  const q = makeQuery('example.org', 'A');
  const reply = q.replyRcode(Rcode.NOERROR);
  assert.equal(
    bench().handler.serve(q, () => reply),
    reply,
  );
});

test('errors: a storm of one cause is one line at once and one per period', () => {
  const b = bench();
  for (let i = 0; i < 1000; i++) b.fail('a', `n${i}.example.org`);
  assert.deepEqual(b.lines(), ['error 2 n0.example.org. A: upstream did not answer in time: a']);
  b.clock.advance(10_000);
  const rest = "more errors like 'upstream did not answer in time: a' occurred in last 10s";
  assert.deepEqual(b.lines(), [`error 999 ${rest}`]);
  for (let i = 0; i < 50; i++) b.fail('a');
  assert.deepEqual(b.lines(), []);
  b.clock.advance(10_000);
  assert.deepEqual(b.lines(), [`error 50 ${rest}`]);
  assert.equal(b.metrics.value('consolidated_total'), 1049);
});

test('errors: after a period without it a cause is written in full again', () => {
  const b = bench();
  b.fail('a');
  b.clock.advance(10_000);
  b.fail('a');
  assert.equal(b.lines().length, 2);
});

test('errors: when nothing fails any more no timer runs', () => {
  const b = bench();
  b.fail('a');
  b.fail('a');
  b.clock.advance(10_000);
  assert.equal(b.timers.size, 1);
  b.clock.advance(10_000);
  assert.equal(b.timers.size, 0);
});

test('errors: causes are told apart', () => {
  const b = bench();
  for (const cause of ['a', 'b', 'a', 'b', 'b']) b.fail(cause);
  assert.equal(b.lines().length, 2);
  b.clock.advance(10_000);
  assert.deepEqual(b.lines(), [
    "error 1 more errors like 'upstream did not answer in time: a' occurred in last 10s",
    "error 2 more errors like 'upstream did not answer in time: b' occurred in last 10s",
  ]);
});

test('errors: what is beyond 1,000 causes is counted together', () => {
  const b = bench();
  for (let i = 0; i < 1500; i++) b.fail(`cause ${i}`);
  assert.equal(b.lines().length, 1000);
  b.clock.advance(10_000);
  assert.deepEqual(b.lines(), ["error 500 more errors like 'other causes' occurred in last 10s"]);
});

test('errors: repeats 0 writes every error', () => {
  const b = bench({ repeatsMs: 0 });
  for (let i = 0; i < 5; i++) b.fail('a');
  assert.equal(b.lines().length, 5);
  assert.equal(b.timers.size, 0);
});

test('errors: consolidate counts from the first match and writes one line', () => {
  const b = bench({ consolidations: [consolidation({ pattern: /in time/, level: 'warning' })] });
  b.fail('a');
  b.clock.advance(29_000);
  b.fail('b');
  assert.deepEqual(b.lines(), []);
  b.clock.advance(1000);
  assert.deepEqual(b.lines(), ["warning 2 errors like 'in time' occurred in last 30s"]);
  assert.equal(b.timers.size, 0);
  b.fail('c');
  b.clock.advance(30_000);
  assert.deepEqual(b.lines(), ["warning 1 errors like 'in time' occurred in last 30s"]);
});

test('errors: the first consolidate that matches decides', () => {
  const b = bench({
    consolidations: [
      consolidation({ pattern: /time: a/ }),
      consolidation({ pattern: /time/, periodMs: 60_000, level: 'info' }),
    ],
  });
  for (const cause of ['a', 'b', 'a']) b.fail(cause);
  b.clock.advance(60_000);
  assert.deepEqual(b.lines(), [
    "error 2 errors like 'time: a' occurred in last 30s",
    "info 1 errors like 'time' occurred in last 1m0s",
  ]);
});

test('errors: what no consolidate matches goes its usual way', () => {
  const b = bench({ consolidations: [consolidation({ pattern: /no such text/ })] });
  b.fail('a');
  assert.equal(b.lines().length, 1);
});

test('errors: show_first writes the first at its level, and the sum only of several', () => {
  const b = bench({
    consolidations: [consolidation({ pattern: /time/, level: 'debug', showsFirst: true })],
  });
  b.fail('a');
  assert.deepEqual(b.lines(), ['debug 2 example.org. A: upstream did not answer in time: a']);
  b.clock.advance(30_000);
  assert.deepEqual(b.lines(), []);
  for (let i = 0; i < 3; i++) b.fail('a');
  assert.equal(b.lines().length, 1);
  b.clock.advance(30_000);
  assert.deepEqual(b.lines(), ["debug 3 errors like 'time' occurred in last 30s"]);
  assert.equal(b.metrics.value('consolidated_total'), 2);
});

test('errors: a stop writes what is waiting and leaves no timer', () => {
  const b = bench({ consolidations: [consolidation({ pattern: /time: a/ })] });
  for (const cause of ['a', 'a', 'b', 'b']) b.fail(cause);
  b.lines();
  b.handler.onStop();
  assert.deepEqual(b.lines(), [
    "error 2 errors like 'time: a' occurred in last 30s",
    "error 1 more errors like 'upstream did not answer in time: b' occurred in last 10s",
  ]);
  assert.equal(b.timers.size, 0);
});

test('errors: durations are written as Go writes them', () => {
  assert.deepEqual([500, 1000, 1500, 60_000, 90_000, 3_600_000, 86_400_000].map(durationText), [
    '500ms',
    '1s',
    '1.5s',
    '1m0s',
    '1m30s',
    '1h0m0s',
    '24h0m0s',
  ]);
});
