import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Query } from '../../core/plugin.js';
import { replyFrom } from '../../core/testing.js';
import { a, CacheBench, withPrefetch } from '../../test/lib/cache-bench.js';

const TTL = 60;
const NAMES = Array.from({ length: 20 }, (_, i) => `n${i}.example.org`);

/** Two workers with one memory, one clock and one upstream. */
function workers(text = 'prefetch 0'): [CacheBench, CacheBench] {
  const options = { ...withPrefetch(text), workers: 2 };
  const first = new CacheBench('cache', options);
  const second = new CacheBench('cache', { ...options, worker: 1 }, first);
  for (const b of [first, second]) {
    b.says = (q) => ({ answers: [a(q.qname, TTL)] });
    b.handler.onStart();
  }
  return [first, second];
}

/** Clients ask both in turn, for so many seconds. */
async function keepAsking([first, second]: [CacheBench, CacheBench], seconds: number) {
  for (let i = 0; i < seconds; i++) {
    if (i % 20 === 0) for (const name of NAMES) await (i % 40 === 0 ? first : second).ask(name);
    first.advance(1);
  }
}

test('prefetch: what one worker refreshes the other does not', async () => {
  const both = workers();
  await keepAsking(both, 5 * TTL);
  const inFlight = new Map<string, number>();
  const waiting: Query[] = [];
  for (const b of both) {
    b.says = (q) => {
      inFlight.set(q.qname, (inFlight.get(q.qname) ?? 0) + 1);
      waiting.push(q);
      return q.defer();
    };
  }
  for (let i = 0; inFlight.size < NAMES.length && i < TTL; i++) both[0].advance(1);
  // None of them has an answer; clients come by, and both look again.
  for (let i = 0; i < 3; i++) {
    for (const b of both) for (const name of NAMES) await b.ask(name);
    both[0].advance(1);
  }
  assert.equal(inFlight.size, NAMES.length);
  for (const [name, count] of inFlight) assert.equal(count, 1, name);
  for (const q of waiting) q.settle(replyFrom(q, { answers: [a(q.qname, TTL)] }));
});

test('prefetch: both do their part, and know what the other learnt', async () => {
  const both = workers();
  await keepAsking(both, 30 * TTL);
  const [one, other] = both.map((b) => b.count('/prefetch_refreshes_total')) as [number, number];
  assert.ok(one > 0 && other > 0, `${one} ${other}`);
  assert.equal(
    both[0].count('/prefetch_unused_total') + both[1].count('/prefetch_unused_total'),
    0,
  );
  const misses = both[0].count('misses_total') + both[1].count('misses_total');
  await keepAsking(both, 5 * TTL);
  assert.equal(both[0].count('misses_total') + both[1].count('misses_total'), misses);
});

test('prefetch: one that does not come is stood in for', async () => {
  const both = workers();
  await keepAsking(both, 5 * TTL);
  both[1].handler.onStop();
  const before = both[0].count('/prefetch_refreshes_total');
  const misses = both[0].count('misses_total') + both[1].count('misses_total');
  await keepAsking(both, 10 * TTL);
  assert.ok(both[0].count('/prefetch_refreshes_total') >= before + 9 * NAMES.length);
  assert.equal(both[0].count('misses_total') + both[1].count('misses_total'), misses);
});

test('prefetch: the budget is one for both', async () => {
  const both = workers('prefetch 0 {\n budget 2\n}');
  await keepAsking(both, 5 * TTL);
  const asked = (): number => both[0].asked + both[1].asked;
  for (let i = 0; i < 4 * TTL; i++) {
    const before = asked();
    both[0].advance(1);
    assert.ok(asked() - before <= 2, `${asked() - before}`);
  }
  const refused = both.map((b) => b.metrics.value('/prefetch_refused_total', { reason: 'budget' }));
  assert.ok((refused[0] as number) + (refused[1] as number) > 0);
});

test('prefetch: a worker that ended with a lock keeps nobody waiting', async () => {
  const both = workers();
  await keepAsking(both, 5 * TTL);
  both[0].control.onWorkerExit(1);
  assert.deepEqual(both[0].lines, []);
});
