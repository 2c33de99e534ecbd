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
  NXDOMAIN,
  ns,
  SERVFAIL,
  soa,
  ttlsOf,
} from '../../test/lib/cache-bench.js';

const DENIAL: Packet = { flags: NXDOMAIN, authorities: [soa('example.org', 60, 60)] };
const EDNS = { udpSize: 1232 };

/** A cache with an answer of 192.0.2.1 for example.org that ended two seconds ago. */
async function staleBench(text: string, prime: Packet = answer('192.0.2.1')): Promise<CacheBench> {
  const b = new CacheBench(`cache {\n ${text}\n}`);
  b.says = () => prime;
  await b.ask();
  b.advance(62);
  b.asked = 0;
  return b;
}

function answer(address: string): Packet {
  return { answers: [a('example.org', 60, address)] };
}

/** Has the upstream wait; `settle` answers the oldest query there. */
function slow(b: CacheBench): { settle(packet: Packet): void; fail(): void } {
  const waiting: Query[] = [];
  b.says = (q) => {
    waiting.push(q);
    return q.defer();
  };
  const first = (): Query => waiting.shift() as Query;
  return {
    settle(packet) {
      const q = first();
      q.settle(replyFrom(q, packet));
    },
    fail() {
      const q = first();
      q.settle(q.replyError(FAILURE));
    },
  };
}

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
  assert.deepEqual(ttlsOf(reply), [0]);
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
  const b = await staleBench('serve_stale 1h immediate 30s');
  slow(b);
  assert.deepEqual(ttlsOf(await b.ask()), [30]);
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

test('cache: without recheck time a failed refresh in the background is tried again after a second', async () => {
  const b = await staleBench('serve_stale');
  b.says = (q) => q.replyError(FAILURE);
  for (const asked of [1, 1, 1]) {
    await b.ask();
    assert.equal(b.asked, asked);
  }
  b.advance(1);
  await b.ask();
  assert.equal(b.asked, 2);
});

test('cache: a refresh that nobody answers is begun again after ten seconds', async () => {
  const b = await staleBench('serve_stale');
  slow(b);
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

test('cache: verify asks first and answers with what it gets', async () => {
  const b = await staleBench('serve_stale 1h verify');
  b.says = () => answer('192.0.2.2');
  assert.equal(addressOf(await b.ask()), '192.0.2.2');
  assert.deepEqual(ttlsOf(await b.ask()), [60]);
  assert.equal(b.asked, 1);
  assert.equal(b.count('served_stale_total'), 0);
  assert.equal(b.count('misses_total'), 2);
});

test('cache: verify serves stale when it gets a failure, and asks again each time', async () => {
  const b = await staleBench('serve_stale 1h verify');
  b.says = (q) => q.replyError(FAILURE);
  for (const asked of [1, 2]) {
    const reply = await b.ask('example.org', 'A', EDNS);
    assert.equal(addressOf(reply), '192.0.2.1');
    assert.deepEqual(edesOf(reply), [[Ede.STALE_ANSWER, '']]);
    assert.equal(b.asked, asked);
  }
  assert.equal(b.count('served_stale_total'), 2);
});

test('cache: verify leaves a failed upstream alone for the recheck time', async () => {
  const b = await staleBench('serve_stale 1h verify 0 0 30s');
  b.says = () => ({ flags: SERVFAIL });
  for (const [seconds, asked] of [
    [0, 1],
    [29, 1],
    [1, 2],
  ] as const) {
    b.advance(seconds);
    assert.equal(addressOf(await b.ask()), '192.0.2.1');
    assert.equal(b.asked, asked);
  }
});

test('cache: verify gives a new denial, and the old answer is gone', async () => {
  const b = await staleBench('serve_stale 1h verify');
  b.says = () => DENIAL;
  assert.equal((await b.ask()).rcode, 'NXDOMAIN');
  assert.equal((await b.ask()).rcode, 'NXDOMAIN');
  assert.equal(b.asked, 1);
});

test('cache: verify waits for the upstream no longer than it is told', async () => {
  const b = await staleBench('serve_stale 1h verify 100ms');
  const upstream = slow(b);
  const first = b.ask();
  b.clock.advance(100);
  assert.equal(addressOf(await first), '192.0.2.1');
  // The refresh is still under way, so others get the stale answer at once.
  assert.equal(addressOf(await b.ask()), '192.0.2.1');
  assert.equal(b.asked, 1);
  upstream.settle(answer('192.0.2.2'));
  assert.equal(addressOf(await b.ask()), '192.0.2.2');
  assert.equal(b.asked, 1);
  assert.equal(b.timers.size, 0);
});

test('cache: verify with a time-out gives the upstream’s answer when it is in time', async () => {
  const b = await staleBench('serve_stale 1h verify 100ms');
  const upstream = slow(b);
  const first = b.ask();
  b.clock.advance(50);
  upstream.settle(answer('192.0.2.2'));
  assert.equal(addressOf(await first), '192.0.2.2');
  assert.equal(b.timers.size, 0);
  b.advance(62);
  b.says = () => answer('192.0.2.3');
  assert.equal(addressOf(await b.ask()), '192.0.2.3');
  b.advance(62);
  const failing = slow(b);
  const last = b.ask();
  failing.fail();
  assert.equal(addressOf(await last), '192.0.2.3');
});

test('cache: verify with a time-out passes a fault on to the client that waits', async () => {
  const b = await staleBench('serve_stale 1h verify 100ms');
  b.says = () => Promise.reject(new Error('broken'));
  await assert.rejects(b.ask(), /broken/);
  b.says = () => {
    throw new Error('broken at once');
  };
  await assert.rejects(b.ask(), /broken at once/);
  b.says = () => answer('192.0.2.2');
  assert.equal(addressOf(await b.ask()), '192.0.2.2');
});

const POLICY = '\n serve_stale_policy prefer_positive';

for (const [what, packet] of [
  ['denial', DENIAL],
  ['NODATA', { authorities: [soa('example.org', 60, 60)] }],
  ['failure', { flags: SERVFAIL }],
  ['referral', { authorities: [ns('example.org', 60)] }],
] as readonly (readonly [string, Packet])[]) {
  test(`cache: under prefer_positive a stale answer is better than a new ${what}`, async () => {
    for (const mode of ['immediate', 'verify', 'verify 1s']) {
      const b = await staleBench(`serve_stale 1h ${mode}${POLICY}`);
      b.says = () => packet;
      for (let i = 0; i < 3; i++) assert.equal(addressOf(await b.ask()), '192.0.2.1');
      assert.ok(b.asked >= 1);
      b.says = () => answer('192.0.2.2');
      b.advance(70);
      await b.ask();
      assert.equal(addressOf(await b.ask()), '192.0.2.2');
    }
  });
}

test('cache: under prefer_positive the denial counts once the answer is too old', async () => {
  const b = await staleBench(`serve_stale 10s verify${POLICY}`);
  b.says = () => DENIAL;
  assert.equal(addressOf(await b.ask()), '192.0.2.1');
  b.advance(10);
  assert.equal((await b.ask()).rcode, 'NXDOMAIN');
  assert.equal(b.asked, 1);
});

test('cache: a failure does not hide a stale answer', async () => {
  const b = await staleBench('serve_stale 10s');
  b.advance(10);
  b.says = () => ({ flags: SERVFAIL });
  assert.equal((await b.ask()).rcode, 'SERVFAIL');
  assert.equal((await b.ask()).rcode, 'SERVFAIL');
  assert.equal(b.asked, 1);
});
