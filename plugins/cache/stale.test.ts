import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Packet } from 'dns-packet';
import { Ede, type Query } from '../../core/plugin.js';
import { replyFrom } from '../../core/testing.js';
import {
  a,
  addressOf,
  CacheBench,
  edesOf,
  FAILURE,
  SERVFAIL,
  ttlsOf,
} from '../../test/lib/cache-bench.js';
import { answer, DENIAL, EDNS, slow, staleBench } from '../../test/lib/stale-bench.js';

test('cache: without serve_stale nothing is served past its time', async () => {
  const b = await staleBench('keepttl');
  b.says = () => ({ flags: SERVFAIL });
  assert.equal((await b.ask()).rcode, 'SERVFAIL');
});

test('cache: serve_stale answers at once and refreshes behind', async () => {
  const b = await staleBench('serve_stale');
  const upstream = slow(b);
  const reply = await b.ask('example.org', 'A', EDNS);
  assert.equal(addressOf(reply), '192.0.2.1');
  assert.deepEqual(ttlsOf(reply), [30]);
  assert.deepEqual(edesOf(reply), [[Ede.STALE_ANSWER, '']]);
  assert.equal(b.asked, 1);
  // One refresh in flight, however many ask.
  for (let i = 0; i < 5; i++) assert.equal(addressOf(await b.ask()), '192.0.2.1');
  assert.equal(b.asked, 1);
  upstream.settle(answer('192.0.2.2'));
  assert.equal(addressOf(await b.ask()), '192.0.2.2');
  assert.equal(b.asked, 1);
  assert.equal(b.count('served_stale_total'), 6);
  assert.equal(b.count('prefetch_total'), 1);
  assert.equal(b.count('hits_total'), 7);
  assert.equal(b.count('misses_total'), 1);
});

test('cache: a stale answer is refreshed also by an upstream that answers at once or by promise', async () => {
  for (const says of [
    () => answer('192.0.2.2'),
    (q: Query) => Promise.resolve(replyFrom(q, answer('192.0.2.2'))),
  ]) {
    const b = await staleBench('serve_stale');
    b.says = says;
    assert.equal(addressOf(await b.ask()), '192.0.2.1');
    await new Promise(setImmediate);
    assert.equal(addressOf(await b.ask()), '192.0.2.2');
    assert.equal(b.asked, 1);
  }
});

test('cache: a refresh asks with AD, as the client asked otherwise', async () => {
  const b = await staleBench('serve_stale');
  let seen: Query | undefined;
  b.says = (q) => {
    seen = q;
    return answer('192.0.2.2');
  };
  await b.ask('EXAMPLE.org', 'A');
  assert.equal(seen?.wantsAuthenticData, true);
  assert.equal(seen?.recursionDesired, true);
  assert.equal(seen?.qname, 'EXAMPLE.org.');
});

test('cache: a stale denial is served with its own extended error', async () => {
  const b = await staleBench('serve_stale', DENIAL);
  slow(b);
  const reply = await b.ask('example.org', 'A', EDNS);
  assert.equal(reply.rcode, 'NXDOMAIN');
  assert.deepEqual(edesOf(reply), [[Ede.STALE_NXDOMAIN_ANSWER, '']]);
});

test('cache: stale records have the TTL that is set', async () => {
  const b = await staleBench('serve_stale 1h immediate 7s');
  slow(b);
  assert.deepEqual(ttlsOf(await b.ask()), [7]);
});

test('cache: nothing is served staler than allowed', async () => {
  const b = await staleBench('serve_stale 10s');
  b.advance(8);
  b.says = () => answer('192.0.2.2');
  assert.equal(addressOf(await b.ask()), '192.0.2.2');
  assert.equal(b.count('served_stale_total'), 0);
});

test('cache: a failure is never served stale', async () => {
  const b = await staleBench('serve_stale', { flags: SERVFAIL });
  b.says = () => answer('192.0.2.2');
  assert.equal(addressOf(await b.ask()), '192.0.2.2');
});

for (const [what, failure] of [
  ['a failure', { flags: SERVFAIL }],
  ['a truncated answer', { ...answer('192.0.2.2'), flags: 0x0200 }],
  [
    'an answer to something else',
    { ...answer('192.0.2.2'), questions: [{ type: 'A', name: 'b' }] },
  ],
] as readonly (readonly [string, Packet])[]) {
  test(`cache: a refresh that brings ${what} is tried again after the recheck time`, async () => {
    const b = await staleBench('serve_stale 1h immediate 0 30s');
    b.says = () => failure;
    for (const [seconds, asked] of [
      [0, 1],
      [29, 1],
      [1, 2],
      [1, 2],
    ] as const) {
      b.advance(seconds);
      assert.equal(addressOf(await b.ask()), '192.0.2.1');
      assert.equal(b.asked, asked);
    }
  });
}

test('cache: a recheck time of 0 is a second in the background', async () => {
  const b = await staleBench('serve_stale 1h immediate 30s 0');
  b.says = (q) => q.replyError(FAILURE);
  for (const asked of [1, 1, 1]) {
    await b.ask();
    assert.equal(b.asked, asked);
  }
  b.advance(1);
  await b.ask();
  assert.equal(b.asked, 2);
});

for (const mode of ['immediate', 'verify']) {
  test(`cache: without recheck time failed refreshes are twice as far apart each time, ${mode}`, async () => {
    const b = await staleBench(`serve_stale 1h ${mode}`);
    b.says = (q) => q.replyError(FAILURE);
    const askedAt: number[] = [];
    // The entry ended two seconds ago.
    for (let second = 2; second <= 150; second++) {
      const asked = b.asked;
      assert.equal(addressOf(await b.ask()), '192.0.2.1');
      if (b.asked > asked) askedAt.push(second);
      b.advance(1);
    }
    assert.deepEqual(askedAt, [2, 4, 8, 16, 32, 62, 92, 122]);
    b.says = () => answer('192.0.2.2');
    b.advance(30);
    await b.ask();
    assert.equal(addressOf(await b.ask()), '192.0.2.2');
  });
}

test('cache: in zones that are excepted nothing is served past its time', async () => {
  const b = await staleBench('serve_stale\n serve_stale_except Example.org');
  b.says = (q) => q.replyError(FAILURE);
  assert.equal((await b.ask()).rcode, 'SERVFAIL');
  b.says = (q) => ({ answers: [a(q.qname, 60)] });
  await b.ask('www.example.net');
  await b.ask('sub.example.org');
  b.advance(62);
  b.says = (q) => q.replyError(FAILURE);
  assert.equal((await b.ask('sub.example.org')).rcode, 'SERVFAIL');
  assert.equal(addressOf(await b.ask('www.example.net')), '192.0.2.1');
  assert.equal((await b.ask('sub.example.org')).rcode, 'SERVFAIL');
  assert.equal(b.count('served_stale_total'), 1);
});

test('cache: a refresh that nobody answers is begun again after ten seconds', async () => {
  const b = await staleBench('serve_stale');
  b.says = (q) => q.defer();
  await b.ask();
  b.advance(9);
  await b.ask();
  assert.equal(b.asked, 1);
  b.advance(1);
  await b.ask();
  assert.equal(b.asked, 2);
});

test('cache: a plugin that fails in a refresh is logged and harms no client', async () => {
  const b = await staleBench('serve_stale');
  b.says = () => {
    throw new Error('broken');
  };
  assert.equal(addressOf(await b.ask()), '192.0.2.1');
  b.advance(2);
  b.says = () => Promise.reject(new Error('rejected'));
  assert.equal(addressOf(await b.ask()), '192.0.2.1');
  await new Promise(setImmediate);
  assert.deepEqual(b.lines, [
    'error fault in a refresh: broken',
    'error fault in a refresh: rejected',
  ]);
});

test('cache: no more refreshes than the limit are in flight, and lost ones make room', async () => {
  const b = new CacheBench('cache {\n serve_stale\n}');
  for (let i = 0; i < 300; i++) await b.ask(`n${i}.example`);
  b.advance(301);
  b.asked = 0;
  slow(b);
  for (let i = 0; i < 300; i++) assert.equal((await b.ask(`n${i}.example`)).answers?.length, 1);
  assert.equal(b.asked, 256);
  assert.equal(b.count('refresh_limit_total'), 44);
  b.advance(16);
  await b.ask('n299.example');
  assert.equal(b.asked, 257);
});
