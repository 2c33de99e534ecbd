import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type Answer,
  EdnsOption,
  type Next,
  type Query,
  Transport,
  whenDone,
} from '../../core/plugin.js';
import { ask, type QueryOptions } from '../../core/testing.js';
import { addressOf, type Decoded, DedupeBench, withAddress } from '../../test/lib/dedupe-bench.js';

/** `example.org` with upper case where `bits` says. */
function cased(bits: number): string {
  return [...'example.org'].map((c, i) => ((bits >> i) & 1 ? c.toUpperCase() : c)).join('');
}

test('dedupe: 1,000 clients that want one name cause one query, and each gets its own reply', async () => {
  const b = new DedupeBench();
  const replies = Array.from({ length: 1000 }, (_, i) => b.ask(b.query(cased(i), { id: i })));
  assert.equal(b.asked, 1);
  assert.equal(b.waiting, 999);
  b.answer('192.0.2.77');
  for (const [i, reply] of (await Promise.all(replies)).entries()) {
    assert.equal(reply.id, i);
    assert.equal(reply.questions?.[0]?.name, cased(i));
    assert.equal(addressOf(reply), '192.0.2.77');
  }
  assert.equal(b.asked, 1);
  assert.equal(b.waiting, 0);
  assert.equal(b.metrics.value('leaders_total'), 1);
  assert.equal(b.metrics.value('joined_total'), 999);
});

test('dedupe: the next query after the reply asks again', async () => {
  const b = new DedupeBench();
  const first = b.ask();
  b.answer('192.0.2.1');
  const second = b.ask();
  assert.equal(b.asked, 2);
  b.answer('192.0.2.2');
  assert.equal(addressOf(await first), '192.0.2.1');
  assert.equal(addressOf(await second), '192.0.2.2');
});

test('dedupe: 2,000 names in flight are kept apart', async () => {
  const b = new DedupeBench();
  const replies = Array.from({ length: 4000 }, (_, i) => b.ask(b.query(`n${i % 2000}.example`)));
  assert.equal(b.asked, 2000);
  for (let i = 0; i < 2000; i++) b.answer(`192.0.${i >> 8}.${i & 255}`);
  for (const [i, reply] of (await Promise.all(replies)).entries()) {
    const n = i % 2000;
    assert.equal(addressOf(reply), `192.0.${n >> 8}.${n & 255}`);
  }
});

const others: readonly (readonly [string, QueryOptions, string?])[] = [
  ['type', {}, 'AAAA'],
  ['class', { class: 'CH' }],
  ['DO bit', { do: true }],
  ['CD bit', { cd: true }],
  ['RD bit', { rd: false }],
  ['zone', { zone: 1 }],
  ['kind of transport', { transport: Transport.TCP }],
];
for (const [name, options, type] of others) {
  test(`dedupe: another ${name} is another question`, () => {
    const b = new DedupeBench();
    void b.ask();
    void b.ask(b.query('example.org', options, type));
    assert.equal(b.asked, 2);
    void b.ask(b.query('example.org', options, type));
    assert.equal(b.asked, 2);
  });
}

for (const [name, options] of [
  ['EDNS', { udpSize: 1232 }],
  ['AD bit', { ad: true }],
  ['client', { client: '2001:db8::7' }],
] as const) {
  test(`dedupe: the same question with another ${name} joins`, () => {
    const b = new DedupeBench();
    void b.ask();
    void b.ask(b.query('example.org', options));
    assert.equal(b.asked, 1);
  });
}

test('dedupe: TCP and TLS clients share an answer', () => {
  const b = new DedupeBench();
  void b.ask(b.query('example.org', { transport: Transport.TCP }));
  void b.ask(b.query('example.org', { transport: Transport.TLS }));
  assert.equal(b.asked, 1);
});

test('dedupe: a query with a client subnet joins those with the same one only', async () => {
  const b = new DedupeBench();
  const ecs = (network: number, prefix = 24): Promise<Decoded> => {
    const subnet = Uint8Array.of(0, 1, prefix, 0, 192, 0, network);
    return b.ask(b.query('example.org', { options: [[EdnsOption.ECS, subnet]] }));
  };
  const replies = [ecs(2), ecs(2), ecs(3), b.ask(), ecs(2), ecs(2, 23), ecs(3)];
  assert.equal(b.asked, 4);
  for (const address of [1, 2, 3, 4]) b.answer(`192.0.2.${address}`);
  const got = (await Promise.all(replies)).map(addressOf);
  assert.deepEqual(
    got,
    [1, 1, 2, 3, 1, 4, 2].map((address) => `192.0.2.${address}`),
  );
});

test('dedupe: an answer that is there at once is nothing to wait for', async () => {
  const b = new DedupeBench();
  for (const address of ['192.0.2.1', '192.0.2.2']) {
    assert.equal(addressOf(await b.ask(b.query(), (q) => withAddress(q, address))), address);
  }
  assert.equal(b.metrics.value('leaders_total'), 0);
});

test('dedupe: a plugin that throws at once leaves nothing behind', () => {
  const b = new DedupeBench();
  const thrower: Next = () => {
    throw new Error('broken');
  };
  assert.throws(() => b.handler.serve(b.query(), thrower), /broken/);
  void b.ask();
  assert.equal(b.asked, 1);
});

test('dedupe: joins what an async plugin answers', async () => {
  const b = new DedupeBench();
  let answer: (address: string) => void = () => {};
  const address = new Promise<string>((resolve) => {
    answer = resolve;
  });
  const next: Next = async (q) => {
    b.asked++;
    return withAddress(q, await address);
  };
  const replies = [1, 2, 3].map((id) => b.ask(b.query('example.org', { id }), next));
  assert.equal(b.asked, 1);
  answer('192.0.2.9');
  for (const reply of await Promise.all(replies)) assert.equal(addressOf(reply), '192.0.2.9');
});

test('dedupe: what the reply says beside its message is handed on', async () => {
  const b = new DedupeBench();
  const replies = [1, 2].map((id) => b.ask(b.query('example.org', { id, udpSize: 1232 })));
  const q = b.upstream.shift() as Query;
  const stale = withAddress(q, '192.0.2.3');
  stale.ede = 3;
  stale.edeText = 'old';
  q.settle(stale);
  for (const reply of await Promise.all(replies)) {
    assert.equal(addressOf(reply), '192.0.2.3');
    const [opt] = reply.additionals ?? [];
    const [ede] = opt?.type === 'OPT' ? opt.options : [];
    assert.deepEqual([ede?.code, ede?.data?.toString('latin1')], [EdnsOption.EDE, '\x00\x03old']);
  }
});

test('dedupe: a reply made in the lent buffer survives what others write there', async () => {
  const b = new DedupeBench();
  // A plugin in front that writes into the buffer when a reply passes, as one that answers stale data does.
  const scribble = (answer: Answer): Answer =>
    whenDone(answer, (reply, q) => {
      q.out.fill(0xff, 12);
      return reply;
    });
  const front: Next = (q) => scribble(b.handler.serve(q, b.next));
  const queries = [1, 2, 3].map((id) => b.query('example.org', { id }));
  const replies = queries.map((q) => ask(front, q));
  const q = b.upstream.shift() as Query;
  const made = withAddress(q, '192.0.2.4');
  q.out.set(made.wire.subarray(0, made.length));
  q.settle(q.replyWire(q.out, made.length));
  for (const reply of await Promise.all(replies)) assert.equal(addressOf(reply), '192.0.2.4');
});

test('dedupe: more waiting queries than allowed are refused, others go on', async () => {
  const b = new DedupeBench(4);
  const replies = [1, 2, 3].map((id) => b.ask(b.query('example.org', { id })));
  const refused = await b.ask(b.query('example.org', { id: 4, udpSize: 1232 }));
  assert.equal(refused.rcode, 'SERVFAIL');
  const [opt] = refused.additionals ?? [];
  const [ede] = opt?.type === 'OPT' ? opt.options : [];
  assert.equal(ede?.data?.toString('latin1').slice(2), 'too many waiters');
  assert.equal(b.metrics.value('limit_total', { limit: 'waiters' }), 1);
  // Another question has the other half of the room.
  const more = [5, 6, 7].map((id) => b.ask(b.query('example.net', { id })));
  assert.equal(b.waiting, 4);
  assert.equal(b.asked, 2);
  b.answer();
  b.answer();
  for (const reply of await Promise.all([...replies, ...more])) {
    assert.equal(reply.rcode, 'NOERROR');
  }
});

test('dedupe: a question beyond 16,384 in flight goes on, but cannot be joined', () => {
  const b = new DedupeBench();
  for (let i = 0; i < 16_384; i++) void b.handler.serve(b.query(`n${i}.example`), b.next);
  void b.handler.serve(b.query('one-more.example'), b.next);
  void b.handler.serve(b.query('one-more.example'), b.next);
  assert.equal(b.asked, 16_386);
  assert.equal(b.metrics.value('limit_total', { limit: 'questions' }), 2);
});
