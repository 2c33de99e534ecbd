// Upstreams by host name: looked up before the first query, and again when their TTL is over.
import assert from 'node:assert/strict';
import test from 'node:test';
import { FakeUpstream } from '../../core/testing.js';
import {
  answering,
  edeOf,
  LIMIT,
  octetOf,
  upstreamFor,
  WITH_EDE,
} from '../../test/lib/forward-rig.js';
import { Naming, watchedForward } from '../../test/lib/watched-forward.js';

const NXDOMAIN = 3;
const REFUSED = 5;

test('names: a host name stands for all its addresses', LIMIT, async (t) => {
  const naming = await Naming.start(t, '127.0.0.2', '127.0.0.1');
  const first = await upstreamFor(t, answering(1));
  const second = await FakeUpstream.start(answering(2), '127.0.0.2', first.port);
  t.after(() => second.stop());
  const text = `forward . dns.example.net:${first.port} {\nresolver ${naming.address}\npolicy round_robin\n}`;
  const { rigs } = await watchedForward(t, text, { workers: 2 });
  const octets = [];
  for (let i = 0; i < 4; i++)
    octets.push(octetOf((await rigs[0]?.ask('www.example.org')) as never));
  assert.deepEqual(octets, [1, 2, 1, 2]);
  assert.equal(naming.server.queries[0]?.name, 'dns.example.net');
  assert.equal(naming.lookups, 1, 'once for all workers');
});

test('names: an upstream that is named in two ways is one', LIMIT, async (t) => {
  const naming = await Naming.start(t, '192.0.2.1', '192.0.2.2');
  const text = `forward . 192.0.2.2 a.example.net b.example.net {\nresolver ${naming.address}\n}`;
  const { upstreams } = await watchedForward(t, text);
  assert.deepEqual(upstreams, ['192.0.2.2 53', '192.0.2.1 53']);
});

test('names: one that does not exist stops the start', LIMIT, async (t) => {
  const naming = await Naming.start(t);
  naming.rcodes = { A: NXDOMAIN, AAAA: NXDOMAIN };
  const r = await watchedForward(t, `forward . dns.example.net {\nresolver ${naming.address}\n}`);
  await assert.rejects(r.start(), /cannot look up upstream dns\.example\.net: .*ENOTFOUND/);
});

test(
  'names: so does one without addresses, whatever other upstreams there are',
  LIMIT,
  async (t) => {
    const naming = await Naming.start(t);
    const text = `forward . 192.0.2.1 dns.example.net {\nresolver ${naming.address}\n}`;
    const r = await watchedForward(t, text);
    await assert.rejects(r.start(), /cannot look up upstream dns\.example\.net: .*ENODATA/);
  },
);

test('names: when nobody can tell, the server starts and asks again', LIMIT, async (t) => {
  const naming = await Naming.start(t, '127.0.0.1');
  naming.rcodes = { A: REFUSED, AAAA: REFUSED };
  const upstream = await upstreamFor(t, answering(7));
  const text = `forward . dns.example.net:${upstream.port} {\nresolver ${naming.address}\n}`;
  const r = await watchedForward(t, text);
  await r.start();
  const [rig] = r.rigs;
  assert.ok(rig !== undefined);
  assert.equal(rig.handler.ready?.(), false);
  const early = await rig.ask('www.example.org', 'A', WITH_EDE);
  assert.equal(early.rcode, 'SERVFAIL');
  assert.equal(edeOf(early), 22);
  assert.match(
    r.services.lines.join('\n'),
    /^warning cannot look up upstream dns\.example\.net: .*EREFUSED.*; it is tried again$/m,
  );

  naming.rcodes = {};
  await r.after(1_000);
  assert.equal(r.raised, 1, 'the first upstreams are a change for those who looked before');
  assert.equal(rig.handler.ready?.(), true);
  assert.equal(octetOf(await rig.ask('www.example.org')), 7);
});

test(
  'names: looked up again when the TTL is over, and new queries go to the new addresses',
  LIMIT,
  async (t) => {
    const naming = await Naming.start(t, '127.0.0.1');
    const first = await upstreamFor(t, answering(1));
    const second = await FakeUpstream.start(answering(2), '127.0.0.2', first.port);
    t.after(() => second.stop());
    const text = `forward . dns.example.net:${first.port} {\nresolver ${naming.address}\n}`;
    const r = await watchedForward(t, text, { workers: 2 });
    naming.addresses = { A: ['127.0.0.2'] };
    await r.after(29_000);
    assert.equal(naming.lookups, 1);
    assert.equal(r.raised, 0);
    await r.after(1_000);
    assert.equal(naming.lookups, 2);
    for (const rig of r.rigs) assert.equal(octetOf(await rig.ask('www.example.org')), 2);
    assert.equal(r.raised, 1);
    assert.equal(r.services.metrics.value('upstream_changes_total'), 1);
    assert.equal(r.services.metrics.value('upstreams'), 1);
    assert.equal(
      r.services.lines.at(-1),
      `info upstreams for ".": added 127.0.0.2:${first.port}; removed 127.0.0.1:${first.port}`,
    );
    // The same again is no change.
    await r.after(30_000);
    assert.equal(naming.lookups, 3);
    assert.equal(r.raised, 1);
  },
);

test('names: the same addresses in another order are no change', LIMIT, async (t) => {
  const naming = await Naming.start(t, '192.0.2.1', '192.0.2.2');
  const r = await watchedForward(t, `forward . dns.example.net {\nresolver ${naming.address}\n}`);
  naming.addresses = { A: ['192.0.2.2', '192.0.2.1'] };
  await r.after(30_000);
  assert.equal(naming.lookups, 2);
  assert.equal(r.raised, 0);
});

const bounds = [
  { ttl: 0, before: 4_999, due: 5_000 },
  { ttl: 86_400, before: 3_599_999, due: 3_600_000 },
];
for (const { ttl, before, due } of bounds) {
  test(
    `names: with a TTL of ${ttl} the next look-up is after ${due / 1000} s`,
    LIMIT,
    async (t) => {
      const naming = await Naming.start(t, '192.0.2.1');
      naming.ttl = ttl;
      const r = await watchedForward(
        t,
        `forward . dns.example.net {\nresolver ${naming.address}\n}`,
      );
      await r.after(before);
      assert.equal(naming.lookups, 1);
      await r.after(due - before);
      assert.equal(naming.lookups, 2);
    },
  );
}

test(
  'names: the last addresses stay when a look-up fails, said once, tried ever more rarely',
  LIMIT,
  async (t) => {
    const naming = await Naming.start(t, '192.0.2.1');
    const r = await watchedForward(t, `forward . dns.example.net {\nresolver ${naming.address}\n}`);
    naming.rcodes = { A: NXDOMAIN, AAAA: NXDOMAIN };
    await r.after(30_000);
    for (const ms of [1_000, 2_000, 4_000]) {
      const { lookups } = naming;
      await r.after(ms - 1);
      assert.equal(naming.lookups, lookups);
      await r.after(1);
      assert.equal(naming.lookups, lookups + 1);
    }
    assert.deepEqual(r.upstreams, ['192.0.2.1 53']);
    const said = r.services.lines.filter((line) => line.includes('cannot look up'));
    assert.equal(said.length, 1);
    assert.match(said[0] ?? '', /^warning .*ENOTFOUND.*; its last addresses stay$/);
    assert.equal(r.services.metrics.value('lookup_failures_total'), 4);

    naming.rcodes = {};
    await r.after(60_000);
    assert.equal(r.services.lines.at(-1), 'info upstream dns.example.net is found again');
  },
);

test('names: a family that nobody can tell of keeps its addresses', LIMIT, async (t) => {
  const naming = await Naming.start(t, '192.0.2.1');
  naming.addresses = { A: ['192.0.2.1'], AAAA: ['2001:db8::1'] };
  const r = await watchedForward(t, `forward . dns.example.net {\nresolver ${naming.address}\n}`);
  naming.addresses = { A: ['192.0.2.3'], AAAA: [] };
  naming.rcodes = { AAAA: REFUSED };
  await r.after(30_000);
  assert.deepEqual(r.upstreams, ['192.0.2.3 53', '2001:db8::1 53']);
  naming.rcodes = {};
  await r.after(30_000);
  assert.deepEqual(r.upstreams, ['192.0.2.3 53']);
});

test('names: more addresses than a forward can have leave the last ones', LIMIT, async (t) => {
  const naming = await Naming.start(t, '192.0.2.1');
  const r = await watchedForward(t, `forward . dns.example.net {\nresolver ${naming.address}\n}`);
  naming.addresses = { A: Array.from({ length: 32 }, (_, i) => `198.51.100.${i}`) };
  await r.after(30_000);
  await r.after(30_000);
  assert.deepEqual(r.upstreams, ['192.0.2.1 53']);
  const said = r.services.lines.filter((line) => line.includes('too many'));
  assert.deepEqual(said, [
    'warning upstreams for ".": 32 upstreams are too many, want at most 31; the last ones stay',
  ]);
});

test('names: more at the start stop it, whatever other upstreams there are', LIMIT, async (t) => {
  const naming = await Naming.start(t);
  naming.addresses = { A: Array.from({ length: 31 }, (_, i) => `198.51.100.${i}`) };
  const text = `forward . 192.0.2.1 dns.example.net {\nresolver ${naming.address}\n}`;
  const r = await watchedForward(t, text);
  await assert.rejects(r.start(), /^Error: 32 upstreams are too many, want at most 31$/);
});

test('names: this server itself is left out, and said', LIMIT, async (t) => {
  const naming = await Naming.start(t, '127.0.0.1', '192.0.2.1');
  const text = `forward . dns.example.net:1053 {\nresolver ${naming.address}\n}`;
  const r = await watchedForward(t, text, { servers: ['dns://:1053'] });
  await r.start();
  assert.deepEqual(r.upstreams, ['192.0.2.1 1053']);
  const own = r.services.lines.filter((line) => line.includes('this server itself'));
  assert.deepEqual(own, [
    'warning upstream 127.0.0.1:1053 of dns.example.net is this server itself and left out: name others, or a file that does',
  ]);
  // Alone it stops a start, and later leaves what was there.
  naming.addresses = { A: ['127.0.0.1'] };
  await r.after(30_000);
  assert.deepEqual(r.upstreams, ['192.0.2.1 1053']);
  const alone = await watchedForward(t, text, { servers: ['dns://:1053'] });
  await assert.rejects(
    alone.start(),
    /^Error: no upstream is left: 127\.0\.0\.1:1053 of dns\.example\.net is this server itself, want /,
  );
});

test('names: localhost is looked up by the system', LIMIT, async (t) => {
  const server = await upstreamFor(t, answering());
  const r = await watchedForward(t, `forward . localhost:${server.port} {\nmax_fails 0\n}`);
  await r.start();
  assert.equal(octetOf((await r.rigs[0]?.ask('www.example.org')) as never), 1);
});

test('names: over TLS each address has the name in its certificate', LIMIT, async (t) => {
  const naming = await Naming.start(t, '192.0.2.1');
  const text = `forward . tls://dns.example.net. weight=3 {\nresolver ${naming.address}\n}`;
  const { control } = await watchedForward(t, text);
  assert.deepEqual(control.published.targets, [
    {
      kind: 'address',
      scheme: 'tls',
      address: '192.0.2.1',
      port: 853,
      servername: 'dns.example.net',
      weight: 3,
    },
  ]);
});
