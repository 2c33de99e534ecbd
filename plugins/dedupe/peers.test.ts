// Several workers over one memory when things go wrong: one is slow, or ends, or has no room.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Claims } from '../../core/plugin.js';
import { fakeServices } from '../../core/testing.js';
import {
  addressOf,
  asked,
  type DedupeBench,
  dedupeWorkers,
  exchange,
  sumOf,
  TIMEOUT_MS,
  withAddress,
} from '../../test/lib/dedupe-bench.js';
import { allocateDedupe, DedupeControl, type SharedMemory } from './control.js';
import { countsOf } from './counts.js';
import { Flights } from './flights.js';
import { Peers } from './peers.js';
import { Question } from './question.js';

type Three = [DedupeBench, DedupeBench, DedupeBench];

test('dedupe: a leader elsewhere that takes too long loses the question', async () => {
  const workers = dedupeWorkers(3) as Three;
  const [a, b, c] = workers;
  const replies = [a, b].map((worker) => worker.ask());
  b.clock.advance(TIMEOUT_MS);
  assert.deepEqual(asked(workers), [1, 1, 0]);
  assert.equal(b.metrics.value('timeouts_total'), 1);
  const third = c.ask();
  // Too late for all but the client that led.
  a.answer('192.0.2.10');
  exchange(workers);
  assert.equal(addressOf((await replies[0]) as Awaited<typeof third>), '192.0.2.10');
  assert.equal(sumOf(workers, 'waiters'), 1);
  b.answer('192.0.2.11');
  exchange(workers);
  for (const reply of await Promise.all([replies[1], third])) {
    assert.equal(addressOf(reply as Awaited<typeof third>), '192.0.2.11');
  }
  assert.deepEqual(asked(workers), [1, 1, 0]);
});

test('dedupe: when the worker that leads ends, one of the others asks at once for all', async () => {
  const control = new DedupeControl(3);
  const workers = dedupeWorkers(3, control.published) as Three;
  const [a, b, c] = workers;
  void a.ask();
  const replies = [b, b, c].map((worker) => worker.ask());
  control.onWorkerExit(0);
  exchange([b, c]);
  assert.deepEqual(asked(workers), [1, 1, 0]);
  b.answer('192.0.2.12');
  exchange([b, c]);
  for (const reply of await Promise.all(replies)) assert.equal(addressOf(reply), '192.0.2.12');
});

test('dedupe: a worker that ends takes nothing of the others with it', async () => {
  const control = new DedupeControl(2);
  const workers = dedupeWorkers(2, control.published) as [DedupeBench, DedupeBench];
  const [a, b] = workers;
  const led = b.ask();
  void a.ask();
  control.onWorkerExit(0);
  exchange([b]);
  assert.equal(b.asked, 1);
  b.answer('192.0.2.13');
  assert.equal(addressOf(await led), '192.0.2.13');
  const alone = new DedupeControl(1);
  alone.onWorkerExit(0);
  assert.equal(alone.published.shared, undefined);
});

test('dedupe: a reply for which there is no room elsewhere is asked for again there', async () => {
  const workers = dedupeWorkers(2) as [DedupeBench, DedupeBench];
  const [a, b] = workers;
  const replies = Array.from({ length: 40 }, (_, i) => {
    void a.ask(a.query(`n${i}.example`, { transport: 1 }));
    return b.ask(b.query(`n${i}.example`, { transport: 1 }));
  });
  for (const q of a.upstream.splice(0)) {
    const large = withAddress(q, '192.0.2.14');
    const wire = new Uint8Array(20_000);
    wire.set(large.wire);
    q.settle(q.replyWire(wire, wire.length));
  }
  const lost = a.metrics.value('limit_total', { limit: 'mail' });
  assert.ok(lost > 0 && lost < 40, `${lost}`);
  exchange(workers);
  assert.equal(b.asked, lost);
  while (b.upstream.length > 0) b.answer('192.0.2.15');
  const got = await Promise.all(replies);
  assert.equal(got.filter((reply) => addressOf(reply) === '192.0.2.15').length, lost);
  assert.equal(sumOf(workers, 'waiters'), 0);
});

test('dedupe: a question that finds no room in the table goes on, and is not joined from elsewhere', () => {
  const memory = allocateDedupe(2);
  const [a, b] = dedupeWorkers(2, memory) as [DedupeBench, DedupeBench];
  // Every line is locked by a third party.
  const words = new Int32Array(memory.shared?.claims as SharedArrayBuffer);
  for (let line = 0; line < words.length; line += 16) words[line] = 99;
  void a.ask();
  void a.ask();
  void b.ask();
  assert.deepEqual([a.asked, b.asked], [1, 1]);
  assert.equal(a.metrics.value('limit_total', { limit: 'claims' }), 1);
});

test('dedupe: questions that share a hash never share an answer', async () => {
  const memory = allocateDedupe(2);
  const [, b] = dedupeWorkers(2, memory) as [DedupeBench, DedupeBench];
  const shared = memory.shared as SharedMemory;
  const waited = new Question(memory.seed);
  waited.set(b.query('example.net'));
  const place = new Claims(shared.claims, 0).claim(waited.low, waited.high);
  const reply = b.ask(b.query('example.net'));
  assert.equal(b.asked, 0);

  // Worker 0 held it for another question, and tells how that ended.
  const led = b.query('example.org');
  const other = new Question(memory.seed);
  other.set(led);
  other.low = waited.low;
  other.high = waited.high;
  const flight = new Flights().add(other, b.next, 0);
  flight.claim = place;
  const services = fakeServices({ worker: 0, workers: 2 });
  const peers = new Peers(shared, services, countsOf(services));
  peers.tell(flight, withAddress(led, '192.0.2.16'), undefined, false);
  b.handler.onMail();
  assert.equal(b.asked, 1);
  b.answer('192.0.2.17');
  assert.equal(addressOf(await reply), '192.0.2.17');
});

test('dedupe: limits hold for those that wait for another worker', async () => {
  const workers = dedupeWorkers(2) as [DedupeBench, DedupeBench];
  const [a, b] = workers;
  void a.ask();
  const replies = Array.from({ length: 5001 }, () => b.ask());
  assert.equal((await replies.pop())?.rcode, 'SERVFAIL');
  assert.equal(b.metrics.value('limit_total', { limit: 'waiters' }), 1);
  a.answer('192.0.2.18');
  exchange(workers);
  for (const reply of await Promise.all(replies)) assert.equal(addressOf(reply), '192.0.2.18');
});
