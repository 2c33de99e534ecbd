import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Query } from '../../core/plugin.js';
import { fakeServices, replyFrom } from '../../core/testing.js';
import { a, addressOf, CacheBench, NXDOMAIN, soa } from '../../test/lib/cache-bench.js';
import { allocateCache, CacheControl, minSizeBytes } from './control.js';

/** A second worker on the memory of the first. */
function another(b: CacheBench, fingerprint = 1): CacheBench {
  return new CacheBench('cache', { worker: 1, block: { fingerprint } }, b);
}

test('cache: what one worker learnt, the others know', async () => {
  const b = new CacheBench();
  const other = another(b);
  await b.ask();
  assert.equal(addressOf(await other.ask()), '192.0.2.1');
  other.says = () => ({ flags: NXDOMAIN, authorities: [soa('.', 300, 300)] });
  await other.ask('nowhere.example');
  assert.equal((await b.ask('nowhere.example')).rcode, 'NXDOMAIN');
  assert.deepEqual([b.asked, other.asked], [1, 1]);
});

test('cache: an answer is never served under another configuration', async () => {
  const b = new CacheBench();
  const other = another(b, 2);
  await b.ask();
  other.says = () => ({ answers: [a('example.org', 300, '192.0.2.2')] });
  assert.equal(addressOf(await other.ask()), '192.0.2.2');
  assert.equal(addressOf(await b.ask()), '192.0.2.1');
  assert.deepEqual([b.asked, other.asked], [1, 1]);
});

test('cache: holds no more than its capacity, and a flood of denials pushes no answer out', async () => {
  const b = new CacheBench('cache {\n success 1024\n denial 1024\n}');
  for (let i = 0; i < 1024; i++) await b.ask(`n${i}.example`);
  b.says = () => ({ flags: NXDOMAIN, authorities: [soa('.', 300, 300)] });
  for (let i = 0; i < 3000; i++) await b.ask(`x${i}.example`);
  b.asked = 0;
  for (let i = 0; i < 1024; i++) assert.equal((await b.ask(`n${i}.example`)).rcode, 'NOERROR');
  assert.equal(b.asked, 0);
  assert.equal(b.count('evictions_total', 'success'), 0);
  assert.equal(b.count('evictions_total', 'denial'), 3000 - 1024);
  b.control.tick();
  assert.equal(b.controlMetrics.value('entries', { type: 'success' }), 1024);
  assert.equal(b.controlMetrics.value('entries', { type: 'denial' }), 1024);
});

test('cache: replacement keeps the names that are asked for', async () => {
  const b = new CacheBench('cache {\n success 1024\n}');
  for (let i = 0; i < 4000; i++) {
    await b.ask(`cold${i}.example`);
    await b.ask(`hot${i % 100}.example`);
  }
  assert.equal(b.asked, 4000 + 100);
});

test('cache: uses no more memory than its size', async () => {
  const sizeBytes = minSizeBytes(1024, 1024) + 2 ** 20;
  const b = new CacheBench(`cache {\n success 1024\n denial 1024\n size ${sizeBytes}\n}`);
  assert.ok(b.control.published.memory.byteLength <= sizeBytes);
  b.says = (q) => ({
    answers: Array.from({ length: 200 }, (_, i) => a(q.qname, 300, `192.0.2.${i}`)),
  });
  for (let i = 0; i < 1000; i++) await b.ask(`n${i}.example`);
  b.control.tick();
  const held = b.controlMetrics.value('entries', { type: 'success' });
  assert.ok(held > 50 && held < 500, `${held}`);
  assert.ok(b.controlMetrics.value('bytes') <= sizeBytes);
  assert.equal(b.count('evictions_total'), 1000 - held);
});

test('cache: a configured size is shared by what the types may hold', () => {
  const { success, denial, memory } = allocateCache({
    success: 9984,
    denial: 1024,
    sizeBytes: 16 * 2 ** 20,
  });
  assert.ok(memory.byteLength <= 16 * 2 ** 20 && memory.byteLength > 15.9 * 2 ** 20);
  assert.ok(success.blocks * success.shards > 8 * denial.blocks * denial.shards);
});

test('cache: entries past their time are dropped without anybody asking', async () => {
  const b = new CacheBench();
  for (let i = 0; i < 100; i++) await b.ask(`n${i}.example`);
  b.control.tick();
  assert.equal(b.controlMetrics.value('entries', { type: 'success' }), 100);
  assert.ok(b.controlMetrics.value('bytes', { type: 'success' }) >= 100 * 192);
  b.advance(301);
  for (let i = 0; i < 32; i++) b.control.tick();
  assert.equal(b.controlMetrics.value('entries', { type: 'success' }), 0);
  assert.equal(b.controlMetrics.value('bytes'), 0);
});

test('cache: the main thread counts every second while it runs', async (t) => {
  const services = fakeServices();
  const control = new CacheControl(
    { success: 1024, denial: 1024, sizeBytes: undefined },
    ['.'],
    services,
  );
  control.onStart();
  t.after(() => control.onStop());
  const ticks: number[] = [];
  t.mock.method(control, 'tick', () => ticks.push(1));
  t.mock.timers.enable({ apis: ['setInterval'] });
  await control.onStop();
  control.onStart();
  t.mock.timers.tick(3000);
  assert.equal(ticks.length, 3);
  await control.onStop();
  t.mock.timers.tick(3000);
  assert.equal(ticks.length, 3);
});

test('cache: what a worker held when it ended is emptied and can be used again', async () => {
  const b = new CacheBench('cache {\n success 1024\n}');
  await b.ask();
  const { memory, success } = b.control.published;
  // The first word of a slab is the lock of its first shard.
  new Int32Array(memory)[success.start] = 1;
  await b.ask('example.net');
  assert.equal(b.count('not_stored_total'), 1);
  b.control.onWorkerExit(1);
  await b.ask('example.net');
  assert.equal(b.asked, 3);
  b.control.onWorkerExit(0);
  await b.ask('example.net');
  await b.ask('example.net');
  assert.equal(b.asked, 4);
});

test('cache: a reply that many waited for is stored once', async () => {
  const b = new CacheBench();
  const waiting: Query[] = [];
  b.says = (q) => {
    waiting.push(q);
    return q.defer();
  };
  const replies = [1, 2, 3].map(() => b.ask());
  const settle = (q: Query): void => q.settle(replyFrom(q, { answers: [a('example.org', 300)] }));
  settle(waiting[0] as Query);
  const words = new Int32Array(b.control.published.memory);
  const stored = words.slice();
  for (const q of waiting.slice(1)) settle(q);
  assert.deepEqual(words, stored);
  await Promise.all(replies);
});

test('cache: a reply that is shared is left to those who share it', async () => {
  const b = new CacheBench();
  b.says = (q) => {
    const reply = replyFrom(q, { answers: [a('example.org', 300)] });
    reply.isShared = b.asked === 1;
    return reply;
  };
  for (let i = 0; i < 3; i++) await b.ask();
  assert.equal(b.asked, 2);
});
