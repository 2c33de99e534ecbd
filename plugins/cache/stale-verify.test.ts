import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Packet } from 'dns-packet';
import { Ede } from '../../core/plugin.js';
import {
  addressOf,
  CacheBench,
  edesOf,
  FAILURE,
  ns,
  SERVFAIL,
  soa,
  ttlsOf,
} from '../../test/lib/cache-bench.js';
import { answer, DENIAL, EDNS, slow, staleBench } from '../../test/lib/stale-bench.js';

test('cache: verify asks first and answers with what it gets', async () => {
  const b = await staleBench('serve_stale 1h verify');
  b.says = () => answer('192.0.2.2');
  assert.equal(addressOf(await b.ask()), '192.0.2.2');
  assert.deepEqual(ttlsOf(await b.ask()), [60]);
  assert.equal(b.asked, 1);
  assert.equal(b.count('served_stale_total'), 0);
  assert.equal(b.count('misses_total'), 2);
});

test('cache: verify serves stale when it gets a failure, and without recheck time asks again each time', async () => {
  const b = await staleBench('serve_stale 1h verify 0 30s 0');
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

test('cache: a client whose stale answer ends while it waits gets what the upstream says', async () => {
  const b = await staleBench('serve_stale 3s verify 2s');
  const upstream = slow(b);
  const first = b.ask();
  // Past the time-out, and past the three seconds.
  b.clock.advance(2100);
  upstream.settle(answer('192.0.2.2'));
  assert.equal(addressOf(await first), '192.0.2.2');
  assert.equal(addressOf(await b.ask()), '192.0.2.2');
  assert.equal(b.asked, 1);
  assert.equal(b.count('served_stale_total'), 0);
});

for (const [what, end] of [
  ['the client has waited long enough', (b: CacheBench) => b.clock.advance(100)],
  ['its own refresh fails', (_b: CacheBench, fail: () => void) => fail()],
] as const) {
  test(`cache: what another worker got meanwhile is given when ${what}`, async () => {
    const b = await staleBench('serve_stale 1h verify 100ms');
    const other = new CacheBench('cache {\n serve_stale 1h verify 100ms\n}', { worker: 1 }, b);
    const upstream = slow(b);
    const first = b.ask();
    other.says = () => answer('192.0.2.2');
    assert.equal(addressOf(await other.ask()), '192.0.2.2');
    end(b, () => upstream.fail());
    const reply = await first;
    assert.equal(addressOf(reply), '192.0.2.2');
    assert.deepEqual(ttlsOf(reply), [60]);
    assert.equal(b.count('served_stale_total'), 0);
  });
}

test('cache: verify waits 1.8 seconds where nothing else is said', async () => {
  const b = await staleBench('serve_stale 1h verify');
  slow(b);
  let reply: unknown;
  const first = b.ask().then((got) => {
    reply = got;
    return got;
  });
  b.clock.advance(1700);
  await new Promise(setImmediate);
  assert.equal(reply, undefined);
  b.clock.advance(200);
  assert.equal(addressOf(await first), '192.0.2.1');
});

test('cache: verify with a time-out of 0 waits as long as the upstream takes', async () => {
  const b = await staleBench('serve_stale 1h verify 0');
  const upstream = slow(b);
  const first = b.ask();
  b.advance(9);
  assert.equal(b.timers.size, 0);
  upstream.settle(answer('192.0.2.2'));
  assert.equal(addressOf(await first), '192.0.2.2');
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

test('cache: under prefer_positive the stale answer given is of the type asked for', async () => {
  const b = await staleBench(`serve_stale 1h verify 0${POLICY}`);
  b.says = () => ({
    answers: [{ type: 'AAAA', name: 'example.org', ttl: 600, data: '2001:db8::1' }],
  });
  await b.ask('example.org', 'AAAA');
  b.says = () => DENIAL;
  const reply = await b.ask();
  assert.equal(addressOf(reply), '192.0.2.1');
  assert.equal(reply.questions?.[0]?.type, 'A');
});

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
