import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type Answer,
  DnsError,
  type Next,
  type Query,
  Rcode,
  whenDone,
} from '../../core/plugin.js';
import { ask, makeQuery } from '../../core/testing.js';
import {
  addressOf,
  type Decoded,
  DedupeBench,
  FAILURE,
  TIMEOUT_MS,
  withAddress,
} from '../../test/lib/dedupe-bench.js';

test('dedupe: when the leader fails one of the others asks again for all', async () => {
  const b = new DedupeBench();
  const [first, ...rest] = [1, 2, 3, 4].map((id) => b.ask(b.query('example.org', { id })));
  b.fail();
  assert.equal((await first)?.rcode, 'SERVFAIL');
  assert.equal(b.asked, 2);
  assert.equal(b.waiting, 2);
  b.answer('192.0.2.5');
  for (const [i, reply] of (await Promise.all(rest)).entries()) {
    assert.equal(reply.id, i + 2);
    assert.equal(addressOf(reply), '192.0.2.5');
  }
  assert.equal(b.asked, 2);
  assert.equal(b.metrics.value('retries_total'), 1);
});

test('dedupe: when the second try fails too everyone gets the error', async () => {
  const b = new DedupeBench();
  const queries = [1, 2, 3].map((id) => b.query('example.org', { id, udpSize: 1232 }));
  const errors: (string | undefined)[] = [];
  const front: Next = (q) =>
    whenDone(b.handler.serve(q, b.next), (reply) => {
      errors.push(reply.error?.code);
      return reply;
    });
  const replies = queries.map((q) => ask(front, q));
  b.fail();
  b.fail();
  for (const reply of await Promise.all(replies)) {
    assert.equal(reply.rcode, 'SERVFAIL');
    const [opt] = reply.additionals ?? [];
    const [ede] = opt?.type === 'OPT' ? opt.options : [];
    assert.equal(ede?.data?.toString('latin1').slice(2), 'upstream timed out');
  }
  assert.deepEqual(errors, Array(3).fill('ERR_UPSTREAM_TIMEOUT'));
  assert.equal(b.asked, 2);
  assert.equal(b.waiting, 0);
});

test('dedupe: who came during the second try gets a try of its own, who was there before does not', async () => {
  const b = new DedupeBench();
  const early = [1, 2, 3].map((id) => b.ask(b.query('example.org', { id })));
  b.fail();
  const late = [4, 5].map((id) => b.ask(b.query('example.org', { id })));
  b.fail();
  for (const reply of await Promise.all(early)) assert.equal(reply.rcode, 'SERVFAIL');
  assert.equal(b.asked, 3);
  b.answer('192.0.2.6');
  for (const reply of await Promise.all(late)) assert.equal(addressOf(reply), '192.0.2.6');
  assert.equal(b.asked, 3);
});

test('dedupe: a second try that fails at once, or is answered at once, ends there', async () => {
  const b = new DedupeBench();
  const fails = new Set([2]);
  const next: Next = (q) => {
    if (b.asked === 0) return b.next(q);
    b.asked++;
    return fails.has(b.asked) ? q.replyError(FAILURE) : withAddress(q, '192.0.2.7');
  };
  const replies = [1, 2, 3].map((id) => b.ask(b.query('example.org', { id }), next));
  b.fail();
  for (const reply of await Promise.all(replies)) assert.equal(reply.rcode, 'SERVFAIL');
  assert.equal(b.asked, 2);

  fails.clear();
  b.asked = 0;
  const again = [1, 2, 3].map((id) => b.ask(b.query('example.org', { id }), next));
  b.fail();
  assert.equal((await again[0])?.rcode, 'SERVFAIL');
  for (const reply of await Promise.all(again.slice(1)))
    assert.equal(addressOf(reply), '192.0.2.7');
  assert.equal(b.asked, 2);
});

test('dedupe: what stands behind it sees the second reply before what stands in front', async () => {
  const b = new DedupeBench();
  const seen: string[] = [];
  const note = (who: string, answer: Answer): Answer =>
    whenDone(answer, (reply, q) => {
      seen.push(`${who} ${q.id} ${reply.rcode}`);
      return reply;
    });
  const behind: Next = (q) => note('behind', b.next(q));
  const front: Next = (q) => note('front', b.handler.serve(q, behind));
  const replies = [1, 2].map((id) => ask(front, b.query('example.org', { id })));
  b.fail();
  b.answer();
  await Promise.all(replies);
  assert.deepEqual(seen, ['behind 1 2', 'front 1 2', 'behind 2 0', 'front 2 0']);
});

test('dedupe: a leader that ends in a fault is replaced a tick later', async () => {
  const b = new DedupeBench();
  const [first, second] = [1, 2].map((id) => b.ask(b.query('example.org', { id })));
  (b.upstream.shift() as Query).fail(new Error('broken'));
  await assert.rejects(first as Promise<Decoded>, /broken/);
  assert.equal(b.asked, 1);
  const third = b.ask(b.query('example.org', { id: 3 }));
  b.clock.advance(10);
  assert.equal(b.asked, 2);
  b.answer('192.0.2.8');
  for (const reply of await Promise.all([second, third])) {
    assert.equal(addressOf(reply as Decoded), '192.0.2.8');
  }
});

test('dedupe: two faults in a row are passed on, and nothing is left', async () => {
  const b = new DedupeBench();
  const replies = [1, 2, 3].map((id) => b.ask(b.query('example.org', { id })));
  for (const reply of replies.slice(0, 2)) {
    (b.upstream.shift() as Query).fail(new Error('broken'));
    await assert.rejects(reply, /broken/);
    b.clock.advance(10);
  }
  assert.equal((await replies[2])?.rcode, 'SERVFAIL');
  assert.equal(b.asked, 2);
  assert.equal(b.waiting, 0);
  assert.equal(b.timers.size, 0);
  void b.ask();
  assert.equal(b.asked, 3);
});

test('dedupe: a second try that throws is a fault like any other', async () => {
  const b = new DedupeBench();
  const next: Next = (q) => {
    if (b.asked !== 1) return b.next(q);
    b.asked++;
    throw new Error('broken');
  };
  const replies = [1, 2, 3].map((id) => b.ask(b.query('example.org', { id }), next));
  const rejected = assert.rejects(replies[1] as Promise<Decoded>, /broken/);
  b.fail();
  await rejected;
  b.clock.advance(10);
  assert.equal((await replies[2])?.rcode, 'SERVFAIL');
  assert.equal(b.waiting, 0);
});

test('dedupe: a leader whose fault nobody waits for leaves nothing behind', async () => {
  const b = new DedupeBench();
  const only = b.ask();
  (b.upstream.shift() as Query).fail(new Error('broken'));
  await assert.rejects(only, /broken/);
  assert.equal(b.timers.size, 0);
  void b.ask();
  assert.equal(b.asked, 2);
});

test('dedupe: a leader that ran out of time is replaced, and its late reply is for nobody else', async () => {
  const b = new DedupeBench();
  const leader = b.query('example.org', { id: 1 });
  const first = b.ask(leader);
  const second = b.ask(b.query('example.org', { id: 2 }));
  b.handler.observe(
    leader,
    makeQuery('example.org', 'A').replyError(new DnsError('ERR_QUERY_TIMEOUT')),
  );
  b.clock.advance(10);
  const third = b.ask(b.query('example.org', { id: 3 }));
  assert.equal(b.asked, 2);
  b.answer('192.0.2.10');
  assert.equal(addressOf(await first), '192.0.2.10');
  assert.equal(b.waiting, 1);
  b.answer('192.0.2.11');
  for (const reply of await Promise.all([second, third])) {
    assert.equal(addressOf(reply), '192.0.2.11');
  }
});

test('dedupe: a leader that takes too long is replaced, and its late reply is for nobody else', async () => {
  const b = new DedupeBench();
  const replies = [1, 2, 3].map((id) => b.ask(b.query('example.org', { id })));
  b.clock.advance(TIMEOUT_MS - 1);
  assert.equal(b.asked, 1);
  b.clock.advance(1);
  assert.equal(b.asked, 2);
  assert.equal(b.metrics.value('timeouts_total'), 1);
  b.answer('192.0.2.12');
  assert.equal(addressOf((await replies[0]) as Decoded), '192.0.2.12');
  assert.equal(b.waiting, 1);
  b.answer('192.0.2.13');
  for (const reply of await Promise.all(replies.slice(1))) {
    assert.equal(addressOf(reply), '192.0.2.13');
  }
  assert.equal(b.timers.size, 0);
});

test('dedupe: a second leader has as much time as the first, then those that wait get an error', async () => {
  const b = new DedupeBench();
  const replies = [1, 2, 3].map((id) => b.ask(b.query('example.org', { id })));
  b.clock.advance(4000);
  b.fail();
  b.clock.advance(TIMEOUT_MS - 1);
  assert.equal(b.waiting, 1);
  b.clock.advance(1);
  assert.equal((await replies[2])?.rcode, 'SERVFAIL');
  assert.equal(b.asked, 2);
  assert.equal(b.timers.size, 0);
});

test('dedupe: a leader that vanished unseen is replaced when the next query comes', async () => {
  const b = new DedupeBench();
  void b.ask(b.query('example.org', { id: 1 }));
  b.clock.advance(TIMEOUT_MS);
  const reply = b.ask(b.query('example.org', { id: 2 }));
  b.clock.advance(10);
  assert.equal(b.asked, 2);
  b.upstream.shift();
  b.answer('192.0.2.12');
  assert.equal(addressOf(await reply), '192.0.2.12');
});

test('dedupe: other replies with SERVFAIL do not concern it', () => {
  const b = new DedupeBench();
  void b.ask(b.query('example.org', { id: 1 }));
  const other = b.query('example.org', { id: 2 });
  b.handler.observe(other, other.replyRcode(Rcode.SERVFAIL));
  void b.ask(b.query('example.org', { id: 3 }));
  b.clock.advance(10);
  assert.equal(b.asked, 1);
});

test('dedupe: a stop leaves no timer', async () => {
  const b = new DedupeBench();
  const [first] = [1, 2].map((id) => b.ask(b.query('example.org', { id })));
  (b.upstream.shift() as Query).fail(new Error('broken'));
  await assert.rejects(first as Promise<Decoded>, /broken/);
  assert.equal(b.timers.size, 1);
  b.handler.onStop();
  assert.equal(b.timers.size, 0);
});
