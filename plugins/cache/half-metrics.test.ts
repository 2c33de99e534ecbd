import assert from 'node:assert/strict';
import { test } from 'node:test';
import { a, CacheBench, NXDOMAIN, soa } from '../../test/lib/cache-bench.js';

const CAPACITY = 1024;

/** What the control part shows of a metric for answers. */
function shown(b: CacheBench, name: string, labels: Readonly<Record<string, string>> = {}): number {
  b.control.tick();
  return b.controlMetrics.value(name, { type: 'success', ...labels });
}

/** Asks for names `from` up to, but not including, `to`. */
async function askFor(b: CacheBench, from: number, to: number): Promise<void> {
  for (let i = from; i < to; i++) await b.ask(`n${i}.example`);
}

test('cache metrics: hits are counted by the clock of their entry, and the sum is all hits', async () => {
  const b = new CacheBench(`cache {\n success ${CAPACITY}\n}`);
  await askFor(b, 0, CAPACITY);
  await askFor(b, 0, 10);
  const hits = (list: string): number =>
    b.metrics.value('list_hits_total', { type: 'success', list });
  assert.deepEqual([hits('recency'), hits('frequency')], [10, 0]);
  // The hand passes over the ten on its way to the first that was not used.
  await b.ask('new.example');
  await askFor(b, 0, 10);
  assert.deepEqual([hits('recency'), hits('frequency')], [10, 10]);
  assert.equal(b.count('hits_total', 'success'), 20);
  assert.equal(shown(b, 'recency_entries'), CAPACITY - 10);
  assert.equal(shown(b, 'entries'), CAPACITY);
});

test('cache metrics: a name that had to go and is asked for again is a ghost hit, one that twice the entries would have kept', async () => {
  const b = new CacheBench(`cache {\n success ${CAPACITY}\n}`);
  await askFor(b, 0, CAPACITY + 50);
  assert.equal(shown(b, 'removed_total', { cause: 'entries' }), 50);
  assert.equal(b.count('evictions_total', 'success'), 50);
  assert.equal(shown(b, 'ghost_hits_total'), 0);
  await askFor(b, 0, 20);
  assert.equal(shown(b, 'ghost_hits_total', { list: 'recency' }), 20);
  assert.equal(shown(b, 'ghost_hits_total', { list: 'frequency' }), 0);
  assert.equal(shown(b, 'double_size_hits_total'), 20);
  assert.equal(shown(b, 'double_size_hits_total'), 20, 'once each');
});

test('cache metrics: the target is between one and the entries', async () => {
  const b = new CacheBench(`cache {\n success ${CAPACITY}\n}`);
  assert.equal(shown(b, 'recency_target'), 0);
  await askFor(b, 0, 3 * CAPACITY);
  const target = shown(b, 'recency_target');
  assert.ok(target >= CAPACITY / 100 - 1 && target <= CAPACITY, `${target}`);
});

test('cache metrics: what is removed is counted by cause', async () => {
  const b = new CacheBench('cache');
  const removed = (cause: string): number => shown(b, 'removed_total', { cause });
  b.says = (q) => ({ answers: [a(q.qname, q.qname.startsWith('n') ? 10 : 600)] });
  await askFor(b, 0, 5);
  await b.ask('long.example');
  b.advance(20);
  for (let i = 0; i < 40; i++) b.control.tick();
  assert.equal(removed('expired'), 5);
  b.says = () => ({ flags: NXDOMAIN, authorities: [soa('.', 300, 300)] });
  b.advance(600);
  await b.ask('long.example');
  assert.equal(removed('superseded'), 1);
});
