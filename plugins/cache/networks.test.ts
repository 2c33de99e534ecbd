import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Packet } from 'dns-packet';
import { EcsFamily, type Query, Rcode } from '../../core/plugin.js';
import type { DecodedReply, QueryOptions } from '../../core/testing.js';
import {
  a,
  addressOf,
  CacheBench,
  NXDOMAIN,
  ns,
  SERVFAIL,
  soa,
  ttlsOf,
  withNegative,
} from '../../test/lib/cache-bench.js';
import { ecsOption, networkOf, withNetwork } from '../../test/lib/ecs.js';

/** AD: without it nothing is concluded for names below. */
const VALIDATED = 0x20;

/** Answers each network with an address of its own: the first three octets, and the source prefix length as the fourth. */
function byNetwork(scope: number | undefined): (q: Query) => Packet {
  return (q) => ({
    answers: [a(q.qname, 300, addressFor(q))],
    additionals: scope === undefined ? [] : [ecsOption(q, scope)],
  });
}

function addressFor(q: Query): string {
  if (q.ecsFamily === EcsFamily.NONE) return '203.0.113.1';
  return [...q.ecsAddress.subarray(0, 3), q.ecsSource].join('.');
}

function bench(scope: number | undefined = 24, text = 'cache'): CacheBench {
  const b = new CacheBench(text);
  b.says = byNetwork(scope);
  return b;
}

function from(b: CacheBench, network: string, name = 'example.org'): Promise<DecodedReply> {
  return b.ask(name, 'A', withNetwork(network));
}

/** Source and scope prefix length that a client is told, `-` without option. */
function prefixesOf(reply: DecodedReply): string {
  const option = networkOf(reply);
  return option === undefined ? '-' : `${option[2]}/${option[3]}`;
}

test('cache: each network gets its own answer, and again from the cache', async () => {
  const b = bench();
  for (let round = 0; round < 2; round++) {
    assert.equal(addressOf(await from(b, '192.0.2.0/24')), '192.0.2.24');
    assert.equal(addressOf(await from(b, '198.51.100.0/24')), '198.51.100.24');
  }
  assert.equal(b.asked, 2);
  assert.equal(b.count('hits_total', 'success'), 2);
  assert.equal(b.count('misses_total'), 2);
});

test('cache: an answer for a network is given to a longer one within it, and no other', async () => {
  const b = bench(20);
  assert.equal(prefixesOf(await from(b, '192.0.2.0/24')), '24/20');
  const reply = await from(b, '192.0.15.129/32');
  assert.equal(addressOf(reply), '192.0.2.24');
  assert.equal(prefixesOf(reply), '32/20');
  assert.equal(b.asked, 1);
  await from(b, '192.0.16.0/24');
  assert.equal(b.asked, 2);
  await from(b, '192.0.0.0/19');
  assert.equal(b.asked, 3);
});

test('cache: the longest network with an answer wins', async () => {
  const b = bench(16);
  await from(b, '192.0.99.0/24');
  b.says = byNetwork(24);
  await from(b, '192.0.2.0/15');
  assert.equal(addressOf(await from(b, '192.0.2.0/24')), '192.0.99.24');
  const c = bench(24);
  await from(c, '192.0.2.0/24');
  c.says = byNetwork(16);
  await from(c, '192.0.99.0/24');
  assert.equal(addressOf(await from(c, '192.0.2.5/32')), '192.0.2.24');
  assert.equal(addressOf(await from(c, '192.0.3.5/32')), '192.0.99.24');
  assert.equal(c.asked, 2);
});

for (const [what, scope] of [
  ['with scope 0', 0],
  ['without client subnet', undefined],
] as const) {
  test(`cache: an answer ${what} is for everybody`, async () => {
    const b = new CacheBench();
    b.says = byNetwork(scope);
    await from(b, '192.0.2.0/24');
    const reply = await from(b, '2001:db8::/56');
    assert.equal(addressOf(reply), '192.0.2.24');
    assert.equal(prefixesOf(reply), '56/0');
    const plain = await b.ask();
    assert.equal(addressOf(plain), '192.0.2.24');
    assert.equal(prefixesOf(plain), '-');
    assert.equal(prefixesOf(await from(b, '0.0.0.0/0')), '0/0');
    assert.equal(b.asked, 1);
  });
}

test('cache: an answer for no network is not given to those who ask for one', async () => {
  const b = bench();
  await b.ask();
  assert.equal(addressOf(await from(b, '192.0.2.0/24')), '192.0.2.24');
  assert.equal(addressOf(await b.ask()), '203.0.113.1');
  assert.equal(addressOf(await from(b, '0.0.0.0/0')), '203.0.113.1');
  assert.equal(addressOf(await from(b, '10.0.0.0/8')), '203.0.113.1');
  assert.equal(b.asked, 2);
});

test('cache: an answer with a scope longer than asked for is for those who ask for just as much', async () => {
  const b = bench(24);
  assert.equal(prefixesOf(await from(b, '192.0.0.0/16')), '16/24');
  const again = await from(b, '192.0.0.0/16');
  assert.equal(addressOf(again), '192.0.0.16');
  assert.equal(prefixesOf(again), '16/24');
  assert.equal(b.asked, 1);
  await from(b, '192.0.2.0/24');
  assert.equal(b.asked, 2);
  await from(b, '192.1.0.0/16');
  assert.equal(b.asked, 3);
});

test('cache: networks of IPv6 have up to 64 bits, and are not those of IPv4', async () => {
  const b = bench(64);
  assert.equal(prefixesOf(await from(b, '2001:db8:0:1::7/128')), '128/64');
  assert.equal(prefixesOf(await from(b, '2001:db8:0:1::8/128')), '128/64');
  assert.equal(b.asked, 1);
  await from(b, '2001:db8:0:2::/64');
  assert.equal(b.asked, 2);
  b.says = byNetwork(31);
  await from(b, '32.1.13.0/31');
  assert.equal(b.asked, 3);
  b.says = byNetwork(33);
  await from(b, '2001:dba::/33');
  assert.equal(prefixesOf(await from(b, '2001:dba:1::/48')), '48/33');
  assert.equal(b.asked, 4);
});

test('cache: names of any length have networks', async () => {
  const longest = [63, 63, 63, 61].map((n) => 'a'.repeat(n)).join('.');
  for (const name of ['.', 'a', 'ab', 'abc', 'abcd', longest]) {
    const b = bench();
    await from(b, '192.0.2.0/24', name);
    await from(b, '198.51.100.0/24', name);
    const reply = await from(b, '192.0.2.0/24', name);
    assert.equal(addressOf(reply), '192.0.2.24');
    assert.equal(reply.questions?.[0]?.name, name);
    assert.equal(b.asked, 2);
  }
});

test('cache: a long answer for a network is whole', async () => {
  const b = new CacheBench();
  b.says = (q) => ({
    answers: Array.from({ length: 60 }, (_, i) => a(q.qname, 300, `192.0.2.${i}`)),
    additionals: [ecsOption(q, 24)],
  });
  const first = await b.ask('example.org', 'A', { ...withNetwork('192.0.2.0/24'), udpSize: 4096 });
  b.advance(7);
  const again = await b.ask('example.org', 'A', { ...withNetwork('192.0.2.0/24'), udpSize: 4096 });
  assert.equal(b.asked, 1);
  assert.deepEqual(again.answers?.map(dataOf), first.answers?.map(dataOf));
  assert.deepEqual(new Set(ttlsOf(again)), new Set([293]));
});

function dataOf(record: object): unknown {
  return (record as { data?: unknown }).data;
}

test('cache: a question has answers for so many networks, further ones are not kept', async () => {
  const b = bench(24, 'cache {\n networks 3\n}');
  for (const round of [1, 2]) {
    for (const third of [1, 2, 3, 4]) await from(b, `192.0.${third}.0/24`);
    assert.equal(b.asked, round === 1 ? 4 : 5);
  }
  assert.equal(b.metrics.value('not_stored_total', { reason: 'networks' }), 2);
  await from(b, '192.0.4.0/24', 'www.example.org');
  await from(b, '192.0.4.0/24', 'www.example.org');
  assert.equal(b.asked, 6);
  assert.equal(b.metrics.value('not_stored_total', { reason: 'networks' }), 2);
});

test('cache: networks whose answers have ended make room for others', async () => {
  const b = bench(24, 'cache 10 {\n networks 2\n serve_stale 1h\n}');
  await from(b, '192.0.1.0/24');
  b.advance(5);
  await from(b, '192.0.2.0/24');
  await from(b, '192.0.3.0/24');
  assert.equal(b.metrics.value('not_stored_total', { reason: 'networks' }), 1);
  b.advance(5);
  await from(b, '192.0.3.0/24');
  assert.equal(b.asked, 4);
  await from(b, '192.0.3.0/24');
  await from(b, '192.0.2.0/24');
  assert.equal(b.asked, 4);
});

test('cache: an answer for a network that is asked for anew takes no further room', async () => {
  const b = bench(24, 'cache 10 {\n networks 2\n}');
  for (let i = 0; i < 5; i++) {
    await from(b, '192.0.1.0/24');
    await from(b, '192.0.2.0/24');
    b.advance(10);
  }
  assert.equal(b.asked, 10);
  assert.equal(b.metrics.value('not_stored_total', { reason: 'networks' }), 0);
});

test('cache: what does not exist for one network exists for another', async () => {
  const b = new CacheBench();
  b.says = (q) => {
    const additionals = [ecsOption(q, 24)];
    if (q.ecsAddress[0] !== 198) return { answers: [a(q.qname, 300)], additionals };
    return { flags: NXDOMAIN, authorities: [soa('example.org', 300, 300)], additionals };
  };
  for (let round = 0; round < 2; round++) {
    assert.equal((await from(b, '198.51.100.0/24')).rcode, 'NXDOMAIN');
    assert.equal((await from(b, '192.0.2.0/24')).rcode, 'NOERROR');
  }
  assert.equal(b.asked, 2);
  assert.equal(b.count('hits_total', 'denial'), 1);
  assert.equal(b.count('hits_total', 'success'), 1);
});

test('cache: a name that does not exist with scope 0 does not for any type and network, nor below', async () => {
  const b = new CacheBench('cache', withNegative());
  b.says = (q) => ({
    flags: NXDOMAIN | VALIDATED,
    authorities: [soa('example.org', 300, 300)],
    additionals: [ecsOption(q, 0)],
  });
  await from(b, '192.0.2.0/24');
  await b.ask('example.org', 'AAAA', withNetwork('198.51.100.0/24'));
  await b.ask('www.example.org', 'A', withNetwork('198.51.100.0/24'));
  await b.ask('example.org', 'MX');
  assert.equal(b.asked, 1);
});

test('cache: a name that does not exist for no network may for one, and names below it', async () => {
  const b = new CacheBench('cache', withNegative());
  b.says = () => ({ flags: NXDOMAIN | VALIDATED, authorities: [soa('example.org', 300, 300)] });
  await b.ask();
  b.says = byNetwork(24);
  assert.equal((await from(b, '192.0.2.0/24')).rcode, 'NOERROR');
  assert.equal((await from(b, '192.0.2.0/24', 'www.example.org')).rcode, 'NOERROR');
  assert.equal((await b.ask()).rcode, 'NXDOMAIN');
  assert.equal(b.asked, 3);
});

test('cache: a failure is kept for the network that met it, whatever its scope', async () => {
  const b = new CacheBench();
  b.says = (q) => ({ flags: SERVFAIL, additionals: [ecsOption(q, 0)] });
  await from(b, '192.0.2.0/24');
  b.says = byNetwork(24);
  const cached = await from(b, '192.0.2.0/24');
  assert.equal(cached.rcode, 'SERVFAIL');
  assert.equal(networkOf(cached)?.[3], 0, 'told with the scope it came with');
  assert.equal((await from(b, '198.51.100.0/24')).rcode, 'NOERROR');
  assert.equal((await b.ask()).rcode, 'NOERROR');
  assert.equal(b.asked, 3);
});

test('cache: what is for everybody is better than a failure of one network', async () => {
  const b = new CacheBench();
  b.says = () => ({ flags: SERVFAIL });
  await from(b, '192.0.2.0/24');
  b.says = byNetwork(0);
  await from(b, '198.51.100.0/24');
  assert.equal((await from(b, '192.0.2.0/24')).rcode, 'NOERROR');
  assert.equal(b.asked, 2);
});

test('cache: a referral is for everybody', async () => {
  const b = new CacheBench();
  b.says = (q) => ({ authorities: [ns('example.org', 300)], additionals: [ecsOption(q, 24)] });
  await from(b, '192.0.2.0/24');
  await from(b, '198.51.100.0/24');
  assert.equal(b.asked, 1);
});

test('cache: other types and DO bits have networks of their own', async () => {
  const b = bench();
  const options: QueryOptions = { ...withNetwork('192.0.2.0/24'), do: true };
  await from(b, '192.0.2.0/24');
  await b.ask('example.org', 'A', options);
  await b.ask('example.org', 'AAAA', withNetwork('192.0.2.0/24'));
  assert.equal(b.asked, 3);
});

test('cache: an answer for a network is served stale, and refreshed for that network', async () => {
  const b = bench(24, 'cache 10 {\n serve_stale\n}');
  await from(b, '192.0.2.0/24');
  await from(b, '198.51.100.0/24');
  b.advance(11);
  const asked: string[] = [];
  b.says = (q) => {
    asked.push(addressFor(q));
    return byNetwork(24)(q);
  };
  const stale = await from(b, '192.0.2.0/24');
  assert.deepEqual(ttlsOf(stale), [30]);
  assert.equal(prefixesOf(stale), '24/24');
  assert.deepEqual(asked, ['192.0.2.24']);
  assert.deepEqual(ttlsOf(await from(b, '192.0.2.0/24')), [10]);
  assert.equal(b.asked, 3);
});

test('cache: with verify a failure leaves the stale answer of the network', async () => {
  const b = bench(24, 'cache 10 {\n serve_stale 1h verify 0s 30s 0s\n}');
  await from(b, '192.0.2.0/24');
  b.advance(11);
  b.says = () => ({ flags: SERVFAIL });
  assert.equal(addressOf(await from(b, '192.0.2.0/24')), '192.0.2.24');
  assert.equal((await from(b, '198.51.100.0/24')).rcode, 'SERVFAIL');
  b.says = byNetwork(24);
  assert.deepEqual(ttlsOf(await from(b, '192.0.2.0/24')), [10]);
});

test('cache: what is fresh for a shorter network is better than what is stale for a longer one', async () => {
  const b = bench(24, 'cache 10 {\n serve_stale\n}');
  await from(b, '192.0.2.0/24');
  b.advance(11);
  b.says = byNetwork(16);
  await from(b, '192.0.3.0/24');
  assert.equal(b.asked, 2);
  const reply = await from(b, '192.0.2.0/24');
  assert.equal(addressOf(reply), '192.0.3.24');
  assert.equal(prefixesOf(reply), '24/16');
  assert.equal(b.asked, 2);
});

test('cache: a popular answer for a network is refreshed for that network', async () => {
  const b = bench(24, 'cache 10 {\n prefetch 2\n}');
  const asked: string[] = [];
  b.says = (q) => {
    asked.push(addressFor(q));
    return byNetwork(24)(q);
  };
  await from(b, '192.0.2.0/24');
  await from(b, '192.0.2.0/24');
  b.advance(9);
  await from(b, '192.0.2.0/24');
  assert.deepEqual(asked, ['192.0.2.24', '192.0.2.24']);
  b.advance(9);
  assert.deepEqual(ttlsOf(await from(b, '192.0.2.77/32')), [1]);
});

test('cache: all workers have the networks of all', async () => {
  const one = bench();
  const two = new CacheBench('cache', { worker: 1 }, one);
  two.says = byNetwork(24);
  await from(one, '192.0.2.0/24');
  await from(two, '198.51.100.0/24');
  await from(two, '192.0.2.0/24');
  await from(one, '198.51.100.0/24');
  assert.deepEqual([one.asked, two.asked], [1, 1]);
});

test('cache: a client is told no scope with an error of this server', async () => {
  const b = bench();
  b.says = (q) => q.replyRcode(Rcode.REFUSED);
  assert.equal(prefixesOf(await from(b, '192.0.2.0/24')), '24/0');
});
