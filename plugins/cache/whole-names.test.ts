// NXDOMAIN holds for every type of its name, and where it can be trusted for the names below.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Packet } from 'dns-packet';
import { Ede, type Query } from '../../core/plugin.js';
import { replyFrom } from '../../core/testing.js';
import {
  a,
  addressOf,
  CacheBench,
  cname,
  edesOf,
  NXDOMAIN,
  opt,
  rrsig,
  soa,
  ttlsOf,
  WALL_SECONDS,
  withNegative,
} from '../../test/lib/cache-bench.js';

const AD = 0x20;
const DENIAL: Packet = { flags: NXDOMAIN, authorities: [soa('example.org', 60, 60)] };
const VALIDATED: Packet = { ...DENIAL, flags: NXDOMAIN | AD };
const EDNS = { udpSize: 1232 };

/** A cache that was told `packet` for x.example.org. */
async function denied(packet: Packet, options = withNegative()): Promise<CacheBench> {
  const b = new CacheBench('cache', options);
  b.says = () => packet;
  await b.ask('x.example.org');
  b.says = (q) => ({ answers: [a(q.qname, 60)] });
  assert.equal(b.asked, 1);
  return b;
}

test('cache: NXDOMAIN holds for every type of the name', async () => {
  const b = await denied(DENIAL, {});
  b.advance(10);
  for (const type of ['AAAA', 'MX', 'A', 'TYPE65280', 'TYPE0']) {
    const reply = await b.ask('X.example.org', type);
    assert.equal(reply.rcode, 'NXDOMAIN');
    assert.deepEqual(reply.questions, [
      { name: 'X.example.org', type: reply.questions?.[0]?.type, class: 'IN' },
    ]);
    assert.deepEqual(ttlsOf(reply, 'authorities'), [50]);
  }
  assert.equal((await b.ask('x.example.org', 'AAAA')).questions?.[0]?.type, 'AAAA');
  assert.equal(b.asked, 1);
  assert.equal(b.count('hits_total', 'denial'), 6);
});

test('cache: NXDOMAIN holds for one combination of DO, CD and RD', async () => {
  const b = await denied(DENIAL, {});
  for (const options of [{ do: true }, { cd: true }, { rd: false }]) {
    assert.equal((await b.ask('x.example.org', 'AAAA', options)).rcode, 'NOERROR');
  }
  assert.equal(b.asked, 4);
});

test('cache: NODATA holds for its type alone, also that of type 0', async () => {
  const b = new CacheBench();
  b.says = () => ({ authorities: [soa('example.org', 60, 60)] });
  for (const type of ['A', 'TYPE0']) await b.ask('x.example.org', type);
  await b.ask('x.example.org', 'AAAA');
  assert.equal(b.asked, 3);
});

for (const [what, packet] of [
  [
    'an answer',
    { answers: [{ type: 'AAAA', name: 'x.example.org', ttl: 9, data: '2001:db8::1' }] },
  ],
  ['NODATA', { authorities: [soa('example.org', 60, 60)] }],
] as readonly (readonly [string, Packet])[]) {
  test(`cache: ${what} for one type ends NXDOMAIN for all`, async () => {
    const b = new CacheBench();
    const waiting: Query[] = [];
    b.says = (q) => {
      waiting.push(q);
      return q.defer();
    };
    const replies = [b.ask('x.example.org', 'A'), b.ask('x.example.org', 'AAAA')];
    const [first, second] = waiting as [Query, Query];
    first.settle(replyFrom(first, DENIAL));
    second.settle(replyFrom(second, packet));
    await Promise.all(replies);
    b.says = (q) => ({ answers: [a(q.qname, 60)] });
    assert.equal((await b.ask('x.example.org', 'A')).rcode, 'NOERROR');
    assert.equal(b.asked, 3);
  });
}

test('cache: NXDOMAIN for a name that has an address holds for its type alone', async () => {
  const b = new CacheBench();
  await b.ask('x.example.org', 'A');
  b.says = () => DENIAL;
  for (let i = 0; i < 2; i++) {
    assert.equal((await b.ask('x.example.org', 'AAAA')).rcode, 'NXDOMAIN');
  }
  assert.equal(b.asked, 2);
  await b.ask('x.example.org', 'MX');
  assert.equal(b.asked, 3);
  assert.equal((await b.ask('x.example.org', 'A')).answers?.length, 1);
});

test('cache: NXDOMAIN ends the answer of the type that was asked for, and is ended by one', async () => {
  const b = new CacheBench('cache {\n serve_stale\n}');
  await b.ask('x.example.org');
  b.advance(301);
  b.says = () => DENIAL;
  assert.equal(addressOf(await b.ask('x.example.org')), '192.0.2.1');
  assert.equal((await b.ask('x.example.org')).rcode, 'NXDOMAIN');
  b.advance(61);
  b.says = (q) => ({ answers: [a(q.qname, 60)] });
  assert.equal((await b.ask('x.example.org')).rcode, 'NXDOMAIN');
  assert.equal(addressOf(await b.ask('x.example.org')), '192.0.2.1');
  assert.equal(b.asked, 3);
  await b.ask('x.example.org', 'TXT');
  assert.equal(b.asked, 4);
});

test('cache: an alias of a name that does not exist is kept for its type, and denies nothing else', async () => {
  const b = new CacheBench('cache', withNegative('negative {\n cut on\n}'));
  b.says = () => ({
    flags: NXDOMAIN,
    answers: [cname('x.example.org', 30, 'gone.example.net')],
    authorities: [soa('example.net', 60, 60)],
  });
  await b.ask('x.example.org');
  b.advance(10);
  const reply = await b.ask('x.example.org');
  assert.equal(reply.rcode, 'NXDOMAIN');
  assert.deepEqual([ttlsOf(reply), ttlsOf(reply, 'authorities')], [[20], [50]]);
  assert.equal(b.asked, 1);
  b.says = (q) => ({ answers: [a(q.qname, 60)] });
  assert.equal((await b.ask('a.x.example.org')).rcode, 'NOERROR');
  assert.equal((await b.ask('x.example.org', 'MX')).rcode, 'NOERROR');
});

test('negative: a validated NXDOMAIN denies the names below it, with what is left of its time', async () => {
  const b = await denied(VALIDATED);
  b.advance(20);
  const reply = await b.ask('One.TWO.x.Example.org', 'MX', { ...EDNS, ad: true });
  assert.equal(reply.rcode, 'NXDOMAIN');
  assert.equal(reply.flag_ad, true);
  assert.deepEqual(reply.questions, [{ name: 'One.TWO.x.Example.org', type: 'MX', class: 'IN' }]);
  assert.deepEqual(ttlsOf(reply, 'authorities'), [40]);
  assert.deepEqual(
    reply.authorities?.map(({ name }) => name.toLowerCase()),
    ['example.org'],
  );
  assert.equal(b.asked, 1);
  assert.equal(b.count('nxdomain_cuts_total'), 1);
  b.advance(40);
  assert.equal((await b.ask('one.x.example.org')).rcode, 'NOERROR');
});

test('negative: the records of a denial below are those of the denial', async () => {
  const packet: Packet = {
    flags: NXDOMAIN | AD,
    authorities: [
      soa('example.org', 60, 60),
      rrsig('example.org', 60, WALL_SECONDS - 10, WALL_SECONDS + 10),
      {
        type: 'NSEC',
        name: 'w.example.org',
        ttl: 60,
        data: { nextDomain: 'y.example.org', rrtypes: ['A'] },
      },
    ] as NonNullable<Packet['authorities']>,
    additionals: [opt(Ede.FILTERED, 'listed')],
  };
  const b = new CacheBench('cache', withNegative());
  b.says = () => packet;
  const own = await b.ask('x.example.org', 'A', { do: true });
  const below = await b.ask('a.b.c.d.e.x.example.org', 'A', { do: true });
  assert.deepEqual(below.authorities, own.authorities);
  assert.deepEqual(edesOf(below), [[Ede.FILTERED, 'listed']]);
  assert.equal(b.asked, 1);
  // Without the proofs, for a client that does not want them.
  await b.ask('a.x.example.org');
  assert.equal(b.asked, 2);
});

test('negative: compressed names of a denial keep their meaning below', async () => {
  const b = await denied(VALIDATED);
  const { authorities: own } = await b.ask('x.example.org');
  for (const name of ['a.x.example.org', `${'a'.repeat(63)}.${'b'.repeat(63)}.x.example.org`]) {
    assert.deepEqual((await b.ask(name)).authorities, own);
  }
});

test('negative: an NXDOMAIN that nobody validated denies its own name alone, unless trusted', async () => {
  const b = await denied(DENIAL);
  assert.equal((await b.ask('a.x.example.org')).rcode, 'NOERROR');
  const trusting = await denied(DENIAL, withNegative('negative {\n cut on\n}'));
  assert.equal((await trusting.ask('a.x.example.org')).rcode, 'NXDOMAIN');
});

test('negative: nothing is denied from above when the cut is off, or without negative', async () => {
  for (const options of [withNegative('negative {\n cut off\n}'), {}]) {
    const b = await denied(VALIDATED, options);
    assert.equal((await b.ask('a.x.example.org')).rcode, 'NOERROR');
  }
});

test('negative: a name beside, above or at the zone of the server block denies nothing', async () => {
  const { block } = withNegative('negative {\n cut on\n}');
  const b = new CacheBench('cache', { block: { ...block, zones: ['example.org.'] } });
  b.says = () => DENIAL;
  await b.ask('example.org');
  await b.ask('x.example.org');
  b.says = (q) => ({ answers: [a(q.qname, 60)] });
  for (const name of ['y.example.org', 'ax.example.org', 'a.xx.example.org']) {
    assert.equal((await b.ask(name)).rcode, 'NOERROR', name);
  }
  assert.equal((await b.ask('a.x.example.org')).rcode, 'NXDOMAIN');
});

test('negative: a name that has an answer is not denied from above', async () => {
  const b = new CacheBench('cache', withNegative('negative {\n cut on\n}'));
  await b.ask('a.x.example.org');
  b.says = () => DENIAL;
  await b.ask('x.example.org');
  b.says = () => ({ authorities: [soa('example.org', 60, 60)] });
  assert.equal(addressOf(await b.ask('a.x.example.org')), '192.0.2.1');
  assert.equal((await b.ask('a.x.example.org', 'AAAA')).rcode, 'NOERROR');
  assert.equal((await b.ask('b.x.example.org', 'AAAA')).rcode, 'NXDOMAIN');
});

test('negative: no more than sixteen names above are looked at', async () => {
  const b = await denied(VALIDATED);
  const below = (labels: number): string => `${'a.'.repeat(labels)}x.example.org`;
  assert.equal((await b.ask(below(16))).rcode, 'NXDOMAIN');
  assert.equal((await b.ask(below(17))).rcode, 'NOERROR');
});
