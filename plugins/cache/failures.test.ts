// Which failures the cache keeps, and for how long.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Packet } from 'dns-packet';
import { DnsError, Ede, type ErrorCode, type Query } from '../../core/plugin.js';
import { replyFrom } from '../../core/testing.js';
import {
  a,
  addressOf,
  CacheBench,
  edesOf,
  FAILURE,
  opt,
  SERVFAIL,
  soa,
  withNegative,
} from '../../test/lib/cache-bench.js';

const REFUSED = 5;
const EDNS = { udpSize: 1232 };

/** Asks at each of these seconds; how often the upstream was asked by then. */
async function askedAt(b: CacheBench, seconds: readonly number[]): Promise<readonly number[]> {
  const asked: number[] = [];
  let now = 0;
  for (const at of seconds) {
    b.advance(at - now);
    now = at;
    await b.ask();
    asked.push(b.asked);
  }
  return asked;
}

const kept: readonly (readonly [string, (q: Query) => Packet | ReturnType<Query['replyError']>])[] =
  [
    ['SERVFAIL', () => ({ flags: SERVFAIL })],
    ['REFUSED', () => ({ flags: REFUSED })],
    ['a time-out', (q) => q.replyError(FAILURE)],
    ['an upstream out of reach', (q) => q.replyError(new DnsError('ERR_UPSTREAM_NETWORK'))],
    ['an unusable message', (q) => q.replyError(new DnsError('ERR_UPSTREAM_ANSWER'))],
  ];
for (const [what, says] of kept) {
  test(`negative: ${what} is kept a second, and twice as long each time it comes again`, async () => {
    const b = new CacheBench('cache', withNegative());
    b.says = says;
    const asked = await askedAt(b, [0, 0.9, 1, 2.9, 3, 6.9, 7, 14.9, 15]);
    assert.deepEqual(asked, [1, 1, 2, 2, 3, 3, 4, 4, 5]);
    const reply = await b.ask('example.org', 'A', EDNS);
    assert.equal(b.asked, 5);
    assert.deepEqual(edesOf(reply), [[Ede.CACHED_ERROR, '']]);
  });
}

test('negative: a failure is kept five minutes at most, or as long as it says', async () => {
  const b = new CacheBench('cache', withNegative('negative {\n failures 200s\n}'));
  b.says = () => ({ flags: SERVFAIL });
  assert.deepEqual(await askedAt(b, [0, 199, 200, 499, 500, 799, 800]), [1, 1, 2, 2, 3, 3, 4]);
  const short = new CacheBench('cache', withNegative('negative {\n failures 2s 3s\n}'));
  short.says = () => ({ flags: SERVFAIL });
  assert.deepEqual(await askedAt(short, [0, 1.9, 2, 4.9, 5, 7.9, 8]), [1, 1, 2, 2, 3, 3, 4]);
});

test('negative: a success, and a time of rest, begin anew', async () => {
  const b = new CacheBench('cache', withNegative());
  b.says = () => ({ flags: SERVFAIL });
  await askedAt(b, [0, 1]);
  b.says = () => ({ authorities: [soa('example.org', 10, 10)] });
  b.advance(2);
  await b.ask();
  assert.equal(b.asked, 3);
  b.says = () => ({ flags: SERVFAIL });
  b.advance(10);
  assert.deepEqual(await askedAt(b, [0, 0.9, 1, 2.9, 3]), [4, 4, 5, 5, 6]);
  // Kept four seconds, remembered for four more.
  b.advance(8);
  assert.deepEqual(await askedAt(b, [0, 0.9, 1]), [7, 7, 8]);
});

test('negative: failures of an outage are not kept longer than it', async () => {
  const b = new CacheBench('cache', withNegative());
  b.says = (q) => q.replyError(FAILURE);
  await askedAt(b, [0, 1, 3, 7, 15]);
  b.advance(16);
  assert.equal(b.asked, 5);
  await b.ask();
  assert.equal(b.asked, 6);
  // Kept for 32 seconds from now; but then there is an answer to something else.
  b.advance(1);
  b.says = (q) => ({ answers: [a(q.qname, 60)] });
  await b.ask('www.example.net');
  assert.equal((await b.ask()).rcode, 'NOERROR');
});

test('negative: a name that nobody can resolve is no outage, nor one that is denied', async () => {
  const b = new CacheBench('cache', withNegative());
  for (const says of [
    (q: Query) => q.replyError(FAILURE),
    () => ({ flags: SERVFAIL }),
  ] as CacheBench['says'][]) {
    b.says = says;
    for (const type of ['A', 'AAAA', 'HTTPS']) await b.ask('www.example.org', type);
    b.says = (q) => ({ answers: [a(q.qname, 60)] });
    await b.ask('www.example.net');
    b.asked = 0;
    assert.equal((await b.ask('www.example.org')).rcode, 'SERVFAIL');
    assert.equal(b.asked, 0);
    b.advance(61);
  }
});

test('negative: failures are kept by question, and by what is asked behind', async () => {
  const b = new CacheBench('cache', withNegative());
  b.says = () => ({ flags: SERVFAIL });
  await b.ask('example.org', 'A');
  await b.ask('example.org', 'AAAA');
  await b.ask('example.net', 'A');
  assert.equal(b.asked, 3);
  const { block } = withNegative();
  const other = new CacheBench('cache', { block: { ...block, fingerprint: 2 } }, b);
  await other.ask('example.org', 'A');
  assert.equal(other.asked, 1);
});

test('negative: clients that fail together count as one', async () => {
  const b = new CacheBench('cache', withNegative());
  const waiting: Query[] = [];
  b.says = (q) => {
    waiting.push(q);
    return q.defer();
  };
  const replies = [1, 2, 3].map(() => b.ask());
  for (const q of waiting.splice(0)) {
    q.settle(q.replyError(FAILURE));
    b.clock.advance(100);
  }
  await Promise.all(replies);
  b.says = (q) => q.replyError(FAILURE);
  b.advance(1);
  await b.ask();
  assert.equal(b.asked, 4);
  b.advance(1.9);
  await b.ask();
  assert.equal(b.asked, 4);
});

for (const code of [
  'ERR_UPSTREAM_LIMIT',
  'ERR_WAITERS_LIMIT',
  'ERR_OVERLOAD',
  'ERR_NO_UPSTREAM',
] as const satisfies readonly ErrorCode[]) {
  test(`negative: ${code} is about this server and not kept`, async () => {
    const b = new CacheBench('cache', withNegative());
    b.says = (q) => q.replyError(new DnsError(code));
    assert.deepEqual(await askedAt(b, [0, 0]), [1, 2]);
  });
}

test('negative: a failure that came with an extended error keeps it', async () => {
  const b = new CacheBench('cache', withNegative());
  b.says = () => ({ flags: SERVFAIL, additionals: [opt(Ede.DNSSEC_BOGUS, 'expired')] });
  await b.ask();
  assert.deepEqual(edesOf(await b.ask('example.org', 'A', EDNS)), [[Ede.DNSSEC_BOGUS, 'expired']]);
});

test('negative: a failure does not take the place of a denial that is still good', async () => {
  const b = new CacheBench('cache', withNegative());
  const waiting: Query[] = [];
  b.says = (q) => {
    waiting.push(q);
    return q.defer();
  };
  const replies = [b.ask(), b.ask()];
  const [first, second] = waiting as [Query, Query];
  first.settle(replyFrom(first, { authorities: [soa('example.org', 60, 60)] }));
  second.settle(second.replyError(FAILURE));
  assert.deepEqual(
    (await Promise.all(replies)).map((r) => r.rcode),
    ['NOERROR', 'SERVFAIL'],
  );
  assert.equal((await b.ask()).rcode, 'NOERROR');
  assert.equal(b.asked, 2);
});

test('negative: failures can be left out, and the time of servfail holds for all of them', async () => {
  const off = new CacheBench('cache', withNegative('negative {\n failures off\n}'));
  off.says = () => ({ flags: SERVFAIL });
  assert.deepEqual(await askedAt(off, [0, 0]), [1, 2]);
  const fixed = new CacheBench('cache {\n servfail 10s\n}', withNegative());
  fixed.says = (q) => q.replyError(FAILURE);
  assert.deepEqual(await askedAt(fixed, [0, 9, 10, 19, 20]), [1, 1, 2, 2, 3]);
});

test('cache: without negative REFUSED and time-outs are not kept', async () => {
  for (const [, says] of kept.slice(1)) {
    const b = new CacheBench();
    b.says = says;
    assert.deepEqual(await askedAt(b, [0, 0]), [1, 2]);
  }
});

test('negative: a failure is no obstacle to a stale answer', async () => {
  const b = new CacheBench('cache {\n serve_stale\n}', withNegative());
  await b.ask();
  b.advance(301);
  b.says = (q) => q.replyError(FAILURE);
  for (let i = 0; i < 5; i++) {
    assert.equal(addressOf(await b.ask()), '192.0.2.1');
    b.advance(2);
  }
});
