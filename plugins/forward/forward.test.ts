// *forward* between a client and real upstreams on loopback: what the upstream sees, what the client gets, how often.
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';
import test from 'node:test';
import { decode } from 'dns-packet';
import { Rcode, rcodeName, Transport } from '../../core/plugin.js';
import { ask, makeQuery } from '../../core/testing.js';
import {
  answering,
  forwardRig,
  LIMIT,
  nextRcode,
  octetOf,
  questionName,
  refusing,
  until,
  upstreamFor,
} from '../../test/lib/forward-rig.js';

const DO = 0x8000;

for (const force of ['mmsg', 'dgram'] as const) {
  test(`forward: ${force}: a query over UDP is asked over UDP, once`, LIMIT, async (t) => {
    const server = await upstreamFor(t, answering());
    const r = await forwardRig(t, `forward . ${server.address}`, { force });
    const reply = await r.ask('www.example.org', 'A', { id: 0x4711 });
    assert.equal(reply.rcode, 'NOERROR');
    assert.equal(reply.id, 0x4711);
    assert.equal(octetOf(reply), 1);
    assert.deepEqual(server.queries.map(seen), ['udp www.example.org A']);
  });

  test(`forward: ${force}: many queries at once are all answered`, LIMIT, async (t) => {
    const server = await upstreamFor(t, answering());
    const r = await forwardRig(t, `forward . ${server.address}`, { force });
    const names = Array.from({ length: 100 }, (_, i) => `n${i}.example.org`);
    const replies = await Promise.all(names.map((name) => r.ask(name)));
    assert.deepEqual(
      replies.map((reply) => reply.answers?.[0]?.name),
      names,
    );
    assert.equal(server.queries.length, 100);
    assert.equal(r.services.metrics.value('in_flight'), 0);
  });
}

const transports = [
  { name: 'TCP stays TCP', text: '', transport: Transport.TCP, want: 'tcp' },
  { name: 'TLS becomes TCP', text: '', transport: Transport.TLS, want: 'tcp' },
  { name: 'HTTPS becomes TCP', text: '', transport: Transport.HTTPS, want: 'tcp' },
  { name: 'force_tcp', text: 'force_tcp', transport: Transport.UDP, want: 'tcp' },
  { name: 'prefer_udp', text: 'prefer_udp', transport: Transport.TCP, want: 'udp' },
  {
    name: 'force_tcp wins over prefer_udp',
    text: 'prefer_udp\nforce_tcp',
    transport: Transport.UDP,
    want: 'tcp',
  },
] as const;

for (const { name, text, transport, want } of transports) {
  test(`forward: transport: ${name}`, LIMIT, async (t) => {
    const server = await upstreamFor(t, answering());
    const r = await forwardRig(t, `forward . ${server.address} {\n${text}\n}`);
    assert.equal((await r.ask('www.example.org', 'A', { transport })).rcode, 'NOERROR');
    assert.equal(server.queries[0]?.transport, want);
  });
}

test('forward: a truncated answer is asked for again over TCP', LIMIT, async (t) => {
  const server = await upstreamFor(t, (query, transport) =>
    transport === 'udp'
      ? { flags: 0x0200, questions: query.questions ?? [] }
      : {
          answers: Array.from({ length: 40 }, (_, i) => ({
            name: questionName(query),
            type: 'A' as const,
            ttl: 60,
            data: `192.0.2.${i}`,
          })),
        },
  );
  const r = await forwardRig(t, `forward . ${server.address}`);
  const reply = await r.ask('www.example.org', 'A', { udpSize: 4096 });
  assert.equal(reply.answers?.length, 40);
  assert.equal(reply.flag_tc, false);
  assert.deepEqual(
    server.queries.map(({ transport }) => transport),
    ['udp', 'tcp'],
  );
});

test('forward: the query sent carries what concerns the answer, not the hop', LIMIT, async (t) => {
  const server = await upstreamFor(t, answering());
  const r = await forwardRig(t, `forward . ${server.address} {\nno_0x20\n}`);
  const ecs = Uint8Array.of(0, 1, 24, 0, 198, 51, 100);
  await r.ask('wWw.ExamPle.org', 'A', {
    do: true,
    cd: true,
    udpSize: 4000,
    options: [
      [10, new Uint8Array(8)],
      [8, ecs],
      [3, new Uint8Array(0)],
      [12, new Uint8Array(30)],
    ],
  });
  await r.ask('www.example.org', 'A', { rd: false });
  const [rich, plain] = server.queries.map(({ raw }) => decode(raw));
  assert.equal(rich?.questions?.[0]?.name, 'wWw.ExamPle.org');
  assert.equal(rich?.flag_rd, true);
  assert.equal(rich?.flag_cd, true);
  assert.equal(rich?.flag_ad, true);
  assert.deepEqual(optOf(rich), { size: 1232, flags: DO, options: [[8, Buffer.from(ecs)]] });
  assert.equal(plain?.flag_rd, false);
  assert.equal(plain?.flag_cd, false);
  assert.deepEqual(optOf(plain), { size: 1232, flags: 0, options: [] });
});

test('forward: ids are not the client’s and differ', LIMIT, async (t) => {
  const server = await upstreamFor(t, answering());
  const r = await forwardRig(t, `forward . ${server.address}`);
  for (let i = 0; i < 20; i++) await r.ask('www.example.org', 'A', { id: 7 });
  const ids = new Set(server.queries.map(({ raw }) => raw.readUInt16BE(0)));
  assert.ok(ids.size > 15, String(ids.size));
});

for (const rcode of [Rcode.FORMERR, Rcode.NOTIMP]) {
  test(
    `forward: an upstream that answers EDNS with rcode ${rcode} is asked without, and so from then on`,
    LIMIT,
    async (t) => {
      const server = await upstreamFor(t, (query, transport, raw) => {
        if ((query.additionals?.length ?? 0) === 0) return answering()(query, transport, raw);
        const bare = Buffer.alloc(12);
        raw.copy(bare, 0, 0, 3);
        bare[2] = (bare[2] as number) | 0x80;
        bare[3] = rcode;
        return bare;
      });
      const r = await forwardRig(t, `forward . ${server.address}`);
      assert.equal(octetOf(await r.ask('a.example.org')), 1);
      assert.equal(octetOf(await r.ask('b.example.org')), 1);
      // With EDNS over UDP and, because anybody could say that, over TCP; then without.
      const first = ['udp', 'tcp', 'udp'];
      assert.deepEqual(
        server.queries.map(({ transport }) => transport),
        [...first, 'udp'],
      );
      r.clock.advance(901_000);
      assert.equal(octetOf(await r.ask('c.example.org')), 1);
      assert.deepEqual(
        server.queries.slice(4).map(({ transport }) => transport),
        first,
      );
    },
  );
}

test(
  'forward: an upstream that finds the query malformed either way is believed',
  LIMIT,
  async (t) => {
    const server = await upstreamFor(t, refusing(Rcode.FORMERR));
    const r = await forwardRig(t, `forward . ${server.address}`);
    for (const name of ['a.example.org', 'b.example.org']) {
      const reply = await r.ask(name);
      assert.equal(reply.rcode, 'FORMERR');
      assert.equal(reply.questions?.[0]?.name, name);
    }
    assert.equal(server.queries.length, 4);
  },
);

test('forward: an error reply without a question gets the client’s', LIMIT, async (t) => {
  const server = await upstreamFor(t, (_query, _transport, raw) => {
    const bare = Buffer.alloc(12);
    raw.copy(bare, 0, 0, 3);
    bare[2] = (bare[2] as number) | 0x80;
    bare[3] = Rcode.NOTIMP;
    return bare;
  });
  const r = await forwardRig(t, `forward . ${server.address}`);
  const reply = await r.ask('www.example.org');
  assert.equal(reply.rcode, 'NOTIMP');
  assert.equal(reply.flag_ra, true);
  assert.equal(reply.questions?.[0]?.name, 'www.example.org');
});

test('forward: other classes than IN are forwarded too', LIMIT, async (t) => {
  const server = await upstreamFor(t, refusing(Rcode.REFUSED));
  const r = await forwardRig(t, `forward . ${server.address}`);
  const reply = await r.ask('version.bind', 'TXT', { class: 'CH' });
  assert.equal(reply.rcode, 'REFUSED');
  assert.equal(server.queries.length, 1);
});

test('forward: names outside FROM, and excepted ones, go down the chain', LIMIT, async (t) => {
  const server = await upstreamFor(t, answering());
  const text = `forward Example.org ${server.address} {\nexcept private.example.org EXAMPLE.org\n}`;
  const r = await forwardRig(t, text);
  const cases = [
    ['example.org', 'NOERROR'],
    ['EXAMPLE.ORG', 'NOERROR'],
    ['www.example.org', 'YXDOMAIN'],
    ['badexample.org', 'YXDOMAIN'],
    ['org', 'YXDOMAIN'],
    ['.', 'YXDOMAIN'],
  ] as const;
  for (const [name, want] of cases) {
    const reply = await r.ask(name, 'A', {}, nextRcode(Rcode.YXDOMAIN));
    assert.equal(reply.rcode, want, name);
  }
  assert.equal(server.queries.length, 2);
});

test(
  'forward: a query tells which upstreams it went to, the same ones by the same number',
  LIMIT,
  async (t) => {
    const [one, other] = [await upstreamFor(t, answering()), await upstreamFor(t, answering())];
    const originOf = async (to: string): Promise<number> => {
      const r = await forwardRig(t, `forward example.org ${to}`);
      const q = makeQuery('www.example.org', 'A');
      await ask(r.handler, q);
      return q.origin;
    };
    const both = await originOf(`${one.address} ${other.address}`);
    assert.notEqual(both, 0);
    assert.equal(await originOf(`${other.address} ${one.address}`), both);
    assert.notEqual(await originOf(one.address), both);
    const r = await forwardRig(t, `forward example.org ${one.address}`);
    const elsewhere = makeQuery('www.example.net', 'A');
    await ask(r.handler, elsewhere, nextRcode(Rcode.NXDOMAIN));
    assert.equal(elsewhere.origin, 0);
  },
);

test('forward: a label that looks like the start of a zone is not one', LIMIT, async (t) => {
  const server = await upstreamFor(t, answering());
  const r = await forwardRig(t, `forward example.org ${server.address}`);
  // The first label ends in the octets of "example" with its length in front.
  const reply = await r.ask('x\\007example.org', 'A', {}, nextRcode(Rcode.YXDOMAIN));
  assert.equal(reply.rcode, 'YXDOMAIN');
});

test('forward: a network in FROM covers all its reverse zones', LIMIT, async (t) => {
  const server = await upstreamFor(t, answering());
  const r = await forwardRig(t, `forward 10.9.0.0/22 ${server.address}`);
  const next = nextRcode(Rcode.YXDOMAIN);
  assert.equal((await r.ask('1.3.9.10.in-addr.arpa', 'PTR', {}, next)).rcode, 'NOERROR');
  assert.equal((await r.ask('1.4.9.10.in-addr.arpa', 'PTR', {}, next)).rcode, 'YXDOMAIN');
});

test('forward: more queries at once than max_concurrent are refused', LIMIT, async (t) => {
  let release: () => void = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const server = await upstreamFor(t, async (query, transport, raw) => {
    await held;
    return answering()(query, transport, raw) as ReturnType<typeof Buffer.from>;
  });
  const r = await forwardRig(t, `forward . ${server.address} {\nmax_concurrent 2\n}`);
  const first = [r.ask('a.example.org'), r.ask('b.example.org')];
  const refused = await r.ask('c.example.org', 'A', { udpSize: 1232 });
  assert.equal(refused.rcode, 'REFUSED');
  assert.equal(r.services.metrics.value('max_concurrent_rejects_total'), 1);
  release();
  for (const reply of await Promise.all(first)) assert.equal(reply.rcode, 'NOERROR');
  assert.equal((await r.ask('d.example.org')).rcode, 'NOERROR');
});

const passedOver = [
  { text: 'next NXDOMAIN', reply: Rcode.NXDOMAIN, isPassed: true },
  { text: 'next NXDOMAIN SERVFAIL', reply: Rcode.SERVFAIL, isPassed: true },
  { text: 'next SERVFAIL\nnext REFUSED', reply: Rcode.REFUSED, isPassed: true },
  { text: 'next SERVFAIL', reply: Rcode.NXDOMAIN, isPassed: false },
  { text: 'next_on_nodata', reply: Rcode.NOERROR, isPassed: true },
  { text: 'next_on_nodata', reply: Rcode.NXDOMAIN, isPassed: false },
  { text: 'next NXDOMAIN\nnext_on_nodata', reply: undefined, isPassed: false },
] as const;

for (const { text, reply, isPassed } of passedOver) {
  const rcode = reply === undefined ? 'an answer' : rcodeName(reply);
  const claim = `${text.replace('\n', ', ')}: ${rcode} ${isPassed ? 'goes on' : 'stands'}`;
  test(`forward: ${claim}`, LIMIT, async (t) => {
    const script = reply === undefined ? answering() : refusing(reply);
    const server = await upstreamFor(t, script);
    const corefile = `forward . ${server.address} {\n${text}\n}`;
    const next = nextRcode(Rcode.YXRRSET);
    const before = await forwardRig(t, corefile, { plugins: ['forward'] });
    assert.equal((await before.ask('a.example.org', 'A', {}, next)).rcode === 'YXRRSET', isPassed);
    // Without another forward behind it, its own reply stands.
    const last = await forwardRig(t, corefile, { plugins: ['whoami'] });
    assert.notEqual((await last.ask('a.example.org', 'A', {}, next)).rcode, 'YXRRSET');
    assert.equal(server.queries.length, 2);
  });
}

test('forward: queries leave from source_address', LIMIT, async (t) => {
  const seenFrom: (string | undefined)[] = [];
  const udp = createSocket('udp4');
  udp.on('message', (_query, from) => seenFrom.push(from.address));
  udp.bind(0, '127.0.0.1');
  await once(udp, 'listening');
  const tcp = createServer((socket) => {
    seenFrom.push(socket.remoteAddress);
    socket.destroy();
  });
  tcp.listen(udp.address().port, '127.0.0.1');
  await once(tcp, 'listening');
  t.after(() => {
    udp.close();
    tcp.close();
  });
  const text = `forward . 127.0.0.1:${udp.address().port} {\nsource_address 127.0.0.9\nmax_fails 0\n}`;
  const r = await forwardRig(t, text);
  const overUdp = r.ask('www.example.org');
  await until(() => seenFrom.length === 1);
  await r.ask('www.example.org', 'A', { transport: Transport.TCP });
  r.clock.advance(2000);
  assert.equal((await overUdp).rcode, 'SERVFAIL');
  assert.deepEqual([...new Set(seenFrom)], ['127.0.0.9']);
});

test('forward: how long replies took is counted by upstream and rcode', LIMIT, async (t) => {
  const server = await upstreamFor(t, refusing(Rcode.NXDOMAIN));
  const r = await forwardRig(t, `forward . ${server.address}`);
  await r.ask('www.example.org');
  const { metrics } = r.services;
  const labels = { proxy_name: 'forward', to: server.address };
  const name = '/proxy_request_duration_seconds';
  assert.equal(metrics.value(name, { ...labels, rcode: 'NXDOMAIN' }), 1);
  assert.equal(metrics.value(name, labels), 1);
  assert.equal(metrics.value('/proxy_conn_cache_misses_total', { ...labels, proto: 'udp' }), 1);
  await until(() => metrics.value('in_flight') === 0);
});

test('forward: queries in flight when it stops get an error', LIMIT, async (t) => {
  const server = await upstreamFor(t, () => undefined);
  const r = await forwardRig(t, `forward . ${server.address} {\nmax_connect_attempts 0\n}`);
  const asked = ['UDP', 'TCP'].map((name) =>
    r.ask('www.example.org', 'A', { transport: Transport[name as 'UDP' | 'TCP'] }),
  );
  await until(() => server.queries.length === 2);
  await r.handler.onStop?.();
  for (const reply of await Promise.all(asked)) assert.equal(reply.rcode, 'SERVFAIL');
});

function seen({
  transport,
  name,
  type,
}: {
  transport: string;
  name: string;
  type: string;
}): string {
  return `${transport} ${name} ${type}`;
}

interface Opt {
  readonly udpPayloadSize: number;
  readonly flags: number;
  readonly options: readonly { readonly code: number; readonly data: Buffer }[];
}

function optOf(message: ReturnType<typeof decode> | undefined): unknown {
  const found = message?.additionals?.find((rr) => rr.type === 'OPT') as unknown as Opt;
  return {
    size: found.udpPayloadSize,
    flags: found.flags,
    options: found.options.map(({ code, data }) => [code, data]),
  };
}
