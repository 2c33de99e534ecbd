// Floods of random names: what reaches the upstream, and what everybody else notices.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Packet } from 'dns-packet';
import { Ede, type Query } from '../../core/plugin.js';
import {
  a,
  addressOf,
  CacheBench,
  edesOf,
  FAILURE,
  NXDOMAIN,
  SERVFAIL,
  soa,
  withNegative,
} from '../../test/lib/cache-bench.js';

const LIMIT = 20;
const EDNS = { udpSize: 1232 };
const DENIAL: Packet = { flags: NXDOMAIN, authorities: [soa('example.org', 60, 60)] };

function limited(): CacheBench {
  const b = new CacheBench('cache', withNegative(`negative {\n zone_limit ${LIMIT}\n}`));
  b.says = () => DENIAL;
  return b;
}

let serial = 0;

/** Asks for so many names never asked for before; how many were refused. Those that the upstream does not answer are not waited for. */
async function flood(b: CacheBench, names: number, zone = 'example.org'): Promise<number> {
  let refused = 0;
  for (let i = 0; i < names; i++) {
    const asked = b.asked;
    const reply = b.ask(`r${serial++}.${zone}`);
    if (b.asked > asked) continue;
    assert.equal((await reply).rcode, 'SERVFAIL');
    refused++;
  }
  return refused;
}

for (const [what, says] of [
  ['denies them', () => DENIAL],
  ['fails', () => ({ flags: SERVFAIL })],
  ['times out', (q: Query) => q.replyError(FAILURE)],
  ['never answers', (q: Query) => q.defer()],
] as readonly (readonly [string, CacheBench['says']])[]) {
  test(`negative: random names reach an upstream that ${what} no oftener than the limit`, async () => {
    const b = limited();
    b.says = says;
    for (let second = 1; second <= 3; second++) {
      assert.equal(await flood(b, 10 * LIMIT), 9 * LIMIT);
      assert.equal(b.asked, second * LIMIT);
      b.advance(1);
    }
    assert.equal(b.count('zone_limit_total'), 27 * LIMIT);
  });
}

test('negative: who is over the limit gets SERVFAIL with an extended error, which is not kept', async () => {
  const b = limited();
  await flood(b, LIMIT);
  const reply = await b.ask('last.example.org', 'A', EDNS);
  assert.equal(reply.rcode, 'SERVFAIL');
  assert.deepEqual(edesOf(reply), [[Ede.OTHER, 'too many unknown names in this zone']]);
  b.advance(1);
  assert.equal((await b.ask('last.example.org')).rcode, 'NXDOMAIN');
});

test('negative: one line a minute tells of a zone over its limit', async () => {
  const b = limited();
  for (let second = 0; second < 60; second++) {
    await flood(b, 2 * LIMIT);
    b.advance(1);
  }
  await flood(b, 2 * LIMIT, 'Example.NET');
  assert.deepEqual(b.lines.slice(0, 1), [
    'warning example.org.: more than 20 queries a second for names that do not exist or get no answer; the others get SERVFAIL',
  ]);
  assert.ok(b.lines.length <= 3, b.lines.join('\n'));
  assert.match(b.lines.at(-1) ?? '', /^warning example\.net\.:/);
});

test('negative: what is in the cache is served during a flood, and other zones are asked for', async () => {
  const b = limited();
  b.says = (q) => ({ answers: [a(q.qname, 300)] });
  await b.ask('www.example.org');
  b.says = (q) => (q.qname.startsWith('r') ? DENIAL : { answers: [a(q.qname, 300)] });
  await flood(b, 10 * LIMIT);
  assert.equal(addressOf(await b.ask('www.example.org')), '192.0.2.1');
  assert.equal(addressOf(await b.ask('www.example.net')), '192.0.2.1');
  assert.equal((await b.ask('new.example.org')).rcode, 'SERVFAIL');
});

test('negative: a name that had an answer not long ago is asked for during a flood', async () => {
  const b = limited();
  b.says = (q) => ({ answers: [a(q.qname, 5)] });
  await b.ask('www.example.org');
  b.advance(6);
  b.says = () => DENIAL;
  await flood(b, 10 * LIMIT);
  b.says = (q) => ({ answers: [a(q.qname, 5)] });
  assert.equal(addressOf(await b.ask('www.example.org')), '192.0.2.1');
});

test('negative: a flood pushes no answer out', async () => {
  const b = new CacheBench(
    'cache {\n success 1024\n}',
    withNegative('negative 1024 {\n zone_limit off\n}'),
  );
  b.says = (q) => ({ answers: [a(q.qname, 300)] });
  for (let i = 0; i < 500; i++) await b.ask(`www${i}.example.org`);
  b.says = () => DENIAL;
  assert.equal(await flood(b, 5000), 0);
  b.asked = 0;
  for (let i = 0; i < 500; i++) assert.ok(addressOf(await b.ask(`www${i}.example.org`)));
  assert.equal(b.asked, 0);
});

test('negative: names that exist are not limited, whatever their number', async () => {
  const b = limited();
  for (const says of [
    (q: Query) => ({ answers: [a(q.qname, 300)] }),
    () => ({ authorities: [soa('example.org', 60, 60)] }),
  ]) {
    b.says = says;
    assert.equal(await flood(b, 10 * LIMIT), 0);
  }
});

test('negative: several random labels are limited by the zone that denies them', async () => {
  const b = limited();
  let refused = 0;
  for (let i = 0; i < 10 * LIMIT; i++) refused += await flood(b, 1, `s${i}.example.org`);
  assert.equal(refused, 9 * LIMIT);
  assert.match(b.lines[0] ?? '', /^warning example\.org\.:/);
  assert.equal(await flood(b, 1, 'example.net'), 0);
});

test('negative: the limit is that of all workers together', async () => {
  const b = limited();
  const other = new CacheBench(
    'cache',
    { ...withNegative(`negative {\n zone_limit ${LIMIT}\n}`), worker: 1 },
    b,
  );
  other.says = () => DENIAL;
  assert.equal(await flood(b, LIMIT), 0);
  assert.equal(await flood(other, LIMIT), LIMIT);
});

test('cache: without negative there is no limit', async () => {
  const b = new CacheBench();
  b.says = () => DENIAL;
  assert.equal(await flood(b, 2000), 0);
});
