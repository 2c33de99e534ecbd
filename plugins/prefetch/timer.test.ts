import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Query } from '../../core/plugin.js';
import { replyFrom } from '../../core/testing.js';
import {
  a,
  CacheBench,
  NXDOMAIN,
  SERVFAIL,
  soa,
  ttlsOf,
  type WorkerOptions,
  withPrefetch,
} from '../../test/lib/cache-bench.js';

const TTL = 60;

/** A cache whose timer runs; hits refresh nothing. */
function bench(text = 'prefetch 0', ttl = TTL, options: WorkerOptions = {}): CacheBench {
  const b = new CacheBench('cache', { ...withPrefetch(text), ...options });
  b.says = (q) => ({ answers: [a(q.qname, ttl)] });
  b.handler.onStart();
  return b;
}

/** Seconds pass one by one. */
function pass(b: CacheBench, seconds: number): void {
  for (let i = 0; i < seconds; i++) b.advance(1);
}

/** Somebody asks every `every` seconds for this long. */
async function keepAsking(
  b: CacheBench,
  seconds: number,
  every: number,
  name?: string,
): Promise<void> {
  for (let i = 0; i < seconds; i++) {
    if (i % every === 0) await b.ask(name);
    b.advance(1);
  }
}

test('prefetch: a name that stays popular is refreshed with nobody asking at that instant', async () => {
  const b = bench();
  // Asked for in the first half of each time only: no hit comes near its end.
  await keepAsking(b, 5 * TTL, 20);
  const misses = b.count('misses_total');
  await keepAsking(b, 10 * TTL, 20);
  assert.equal(b.count('misses_total'), misses);
  assert.ok(b.count('/prefetch_refreshes_total') >= 9);
  assert.equal(b.metrics.value('/prefetch_refreshes_total', { reason: 'hit' }), 0);
  assert.equal(b.count('prefetch_total'), b.count('/prefetch_refreshes_total'));
  assert.ok(b.count('/prefetch_used_total') >= 8);
  assert.equal(b.count('/prefetch_unused_total'), 0);
});

test('prefetch: shortly before the end, once, while clients go on with what there is', async () => {
  const b = bench();
  await keepAsking(b, 8 * TTL, 5);
  // Where its time has just begun anew.
  for (let last = -1; ; ) {
    const [ttl] = ttlsOf(await b.ask());
    if (last >= 0 && (ttl as number) > last) break;
    last = ttl as number;
    b.advance(1);
  }
  const waiting: Query[] = [];
  b.says = (q) => {
    waiting.push(q);
    return q.defer();
  };
  const asked = b.asked;
  for (let left = TTL; left > 6; left--) {
    b.advance(1);
    await b.ask();
    if (left > 7) assert.equal(b.asked, asked, `${left}`);
  }
  b.advance(1);
  assert.equal(b.asked, asked + 1);
  // Nobody waits for it, and nobody begins another.
  for (let i = 0; i < 3; i++) {
    b.advance(1);
    assert.equal((await b.ask()).answers?.length, 1);
  }
  assert.equal(b.asked, asked + 1);
  const q = waiting[0] as Query;
  q.settle(replyFrom(q, { answers: [a('example.org', TTL)] }));
  assert.deepEqual(ttlsOf(await b.ask()), [TTL]);
});

test('prefetch: after three refreshes that nobody used there is no other, until somebody asks again', async () => {
  const b = bench();
  await keepAsking(b, 10 * TTL, 10);
  const before = b.count('/prefetch_refreshes_total');
  pass(b, 20 * TTL);
  assert.ok(b.count('/prefetch_refreshes_total') - before <= 4);
  assert.equal(b.count('/prefetch_unused_total'), 3);
  const asked = b.asked;
  await keepAsking(b, 6 * TTL, 10);
  assert.ok(b.asked > asked);
});

test('prefetch: a name that is asked for too seldom is left to end', async () => {
  const b = bench();
  await keepAsking(b, 30 * TTL, 4 * TTL);
  assert.equal(b.count('/prefetch_refreshes_total'), 0);
});

test('prefetch: names that are asked for once are not learnt', async () => {
  const b = bench();
  for (let i = 0; i < 200; i++) await b.ask(`n${i}.example.org`);
  b.control.tick();
  // Two hashes may share a bit now and then: of 200 among half a million hardly ever more than one pair.
  assert.ok(b.controlMetrics.value('/prefetch_names') <= 3);
  assert.ok(b.controlMetrics.value('/prefetch_bytes') <= 3 * 60);
});

test('prefetch: a question is refreshed as it was asked', async () => {
  const b = bench();
  const options = [{}, { do: true }, { cd: true }, { rd: false }] as const;
  for (let i = 0; i < 5 * TTL; i++) {
    if (i % 20 === 0) for (const option of options) await b.ask('www.example.org', 'A', option);
    b.advance(1);
  }
  const seen = new Set<string>();
  b.says = (q) => {
    seen.add(`${q.qname} ${q.dnssecOk} ${q.checkingDisabled} ${q.recursionDesired} ${q.labels}`);
    return { answers: [a(q.qname, TTL)] };
  };
  pass(b, TTL);
  assert.deepEqual([...seen].sort(), [
    'www.example.org. false false false 3',
    'www.example.org. false false true 3',
    'www.example.org. false true true 3',
    'www.example.org. true false true 3',
  ]);
});

test('prefetch: denials are refreshed, too', async () => {
  const b = bench();
  b.says = () => ({ flags: NXDOMAIN, authorities: [soa('org', TTL, TTL)] });
  await keepAsking(b, 6 * TTL, 20, 'nowhere.example.org');
  const misses = b.count('misses_total');
  await keepAsking(b, 5 * TTL, 20, 'nowhere.example.org');
  assert.equal(b.count('misses_total'), misses);
  assert.ok(b.count('/prefetch_refreshes_total') >= 4);
});

test('prefetch: a name that fails is tried three times, a second apart, and given up', async () => {
  const b = bench();
  await keepAsking(b, 10 * TTL, 10);
  const asked = b.asked;
  b.says = () => ({ flags: SERVFAIL });
  pass(b, 10 * TTL);
  assert.equal(b.asked, asked + 3);
});

test('prefetch: what is kept for less than four seconds is not refreshed on the timer', async () => {
  const b = new CacheBench('cache {\n success 1024 3600 1\n}', withPrefetch('prefetch 0'));
  b.says = (q) => ({ answers: [a(q.qname, q.qname === 'short.example.' ? 3 : 4)] });
  b.handler.onStart();
  for (let i = 0; i < 120; i++) {
    await b.ask('short.example');
    b.advance(1);
  }
  assert.equal(b.count('/prefetch_refreshes_total'), 0);
  for (let i = 0; i < 120; i++) {
    await b.ask('longer.example');
    b.advance(1);
  }
  assert.ok(b.count('/prefetch_refreshes_total') > 20);
});

test('prefetch: with timer off nothing is learnt and no timer runs', async () => {
  const b = bench('prefetch 1 1m 50% {\n timer off\n}');
  assert.equal(b.timers.size, 0);
  await keepAsking(b, 3 * TTL, 10);
  assert.ok(b.count('/prefetch_refreshes_total') > 0);
  assert.equal(b.metrics.value('/prefetch_refreshes_total', { reason: 'timer' }), 0);
  b.control.tick();
  assert.equal(b.controlMetrics.value('/prefetch_names'), 0);
});

test('prefetch: a stop leaves no timer', () => {
  const b = bench();
  assert.equal(b.timers.size, 1);
  b.handler.onStop();
  assert.equal(b.timers.size, 0);
});
