// The case of questions: mixed for upstreams that keep it, found out for those that do not, and clients that notice neither.
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import test, { type TestContext } from 'node:test';
import { decode, encode } from 'dns-packet';
import { FakeClock, type FakeUpstream, type Script } from '../../core/testing.js';
import {
  answering,
  type ForwardRig,
  forwardRig,
  LIMIT,
  octetOf,
  publishForward,
  until,
  upstreamFor,
} from '../../test/lib/forward-rig.js';

/** 27 letters: one time in 134 million they come out as the client sent them. */
const NAME = 'A-Name-Of-Many-Letters.Example.ORG';

/** Answers as `answering` does, with the question in lower case. */
function folding(octet = 1): Script {
  return (query) =>
    encode({
      type: 'response',
      id: query.id ?? 0,
      questions: query.questions ?? [],
      answers: [
        {
          name: query.questions?.[0]?.name ?? '',
          type: 'A',
          ttl: 60,
          data: `192.0.2.${octet}`,
        },
      ],
    });
}

/** Does the one over UDP and the other over TCP. */
function perTransport(udp: Script, tcp: Script): Script {
  return (query, transport, raw) => (transport === 'udp' ? udp : tcp)(query, transport, raw);
}

/** An upstream without TCP: its address, and the queries that reached it. */
async function datagramsOnly(
  t: TestContext,
  script: Script,
): Promise<{ readonly address: string; readonly queries: Buffer[] }> {
  const queries: Buffer[] = [];
  const server = createSocket('udp4');
  server.on('message', (raw, from) => {
    queries.push(raw);
    const query = decode(raw);
    for (const asked of query.questions ?? []) {
      Object.assign(asked, { name: asked.name.toLowerCase() });
    }
    server.send(script(query, 'udp', raw) as Uint8Array, from.port, from.address);
  });
  server.bind(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return { address: `127.0.0.1:${server.address().port}`, queries };
}

const transports = (upstream: FakeUpstream): string =>
  upstream.queries.map(({ transport }) => transport).join(' ');

const nameOf = (message: Buffer): string => message.toString('latin1', 13, 13 + NAME.length);

const spoofs = (r: ForwardRig, kind: string): number =>
  r.services.metrics.value('spoof_attempts_total', { kind });

test('case: every message has a case of its own, the client sees its own', LIMIT, async (t) => {
  // The answer's owner points to the question.
  const server = await upstreamFor(t, (_query, _transport, raw) => {
    const reply = Buffer.concat([
      raw.subarray(0, 12 + NAME.length + 2 + 4),
      Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1]),
    ]);
    reply[2] = (reply[2] as number) | 0x80;
    reply.set([0, 1, 0, 0, 0, 0], 6);
    return reply;
  });
  const r = await forwardRig(t, `forward . ${server.address}`);
  for (let i = 0; i < 60; i++) {
    const reply = await r.ask(NAME);
    assert.equal(reply.questions?.[0]?.name, NAME);
    assert.equal(reply.answers?.[0]?.name, NAME);
    assert.equal(octetOf(reply), 1);
  }
  const names = server.queries.map(({ raw }) => nameOf(raw).replaceAll('\x02', '.'));
  assert.equal(new Set(names).size, 60);
  for (let i = 0; i < NAME.length; i++) {
    const seen = new Set(names.map((name) => name[i]));
    assert.equal(seen.size, /[a-z]/i.test(NAME[i] as string) ? 2 : 1, String(i));
  }
  assert.ok(server.queries.every(({ transport }) => transport === 'udp'));
  assert.equal(r.services.metrics.value('unbelieved_queries_total'), 0);
});

test(
  'case: an owner name that is a copy of the question is the client’s again',
  LIMIT,
  async (t) => {
    const copied: Script = (_query, _transport, raw) => {
      const { id, questions } = decode(raw);
      const name = questions?.[0]?.name ?? '';
      return encode({
        type: 'response',
        id: id ?? 0,
        questions: questions ?? [],
        answers: [
          { name, type: 'CNAME', ttl: 60, data: 'Other.Example.NET' },
          { name: 'Other.Example.NET', type: 'A', ttl: 60, data: '192.0.2.1' },
        ],
        authorities: [{ name: name.toUpperCase(), type: 'NS', ttl: 60, data: 'ns.example.net' }],
      });
    };
    const server = await upstreamFor(t, copied);
    const r = await forwardRig(t, `forward . ${server.address}`);
    const reply = await r.ask(NAME);
    assert.deepEqual(
      reply.answers?.map(({ name }) => name),
      [NAME, 'Other.Example.NET'],
    );
    // A case of the upstream's own stays.
    assert.equal(reply.authorities?.[0]?.name, NAME.toUpperCase());
  },
);

test('case: an upstream that folds costs one query another round trip, once', LIMIT, async (t) => {
  const server = await upstreamFor(t, folding());
  const r = await forwardRig(t, `forward . ${server.address}`);
  const reply = await r.ask(NAME);
  assert.equal(octetOf(reply), 1);
  assert.equal(reply.questions?.[0]?.name, NAME);
  assert.equal(transports(server), 'udp tcp');
  for (let i = 0; i < 5; i++) assert.equal(octetOf(await r.ask(NAME)), 1);
  assert.equal(transports(server), 'udp tcp udp udp udp udp udp');
  for (const { raw } of server.queries.slice(2)) {
    assert.equal(nameOf(raw).replaceAll(/[^\w-]/g, '.'), NAME);
  }
  const { metrics, lines } = r.services;
  const to = server.address;
  assert.equal(metrics.value('case_folds_total', { to }), 1);
  assert.equal(metrics.value('unbelieved_queries_total', { reason: 'case' }), 1);
  assert.equal(metrics.value('spoof_attempts_total'), 0);
  assert.deepEqual(lines, [
    `info upstream ${to} does not keep the case of questions: it is asked in the client's`,
  ]);

  // An hour later it may be another software.
  server.script = answering(2);
  r.clock.advance(3_601_000);
  for (let i = 0; i < 3; i++) assert.equal(octetOf(await r.ask(NAME)), 2);
  assert.equal(transports(server), 'udp tcp udp udp udp udp udp udp udp udp');
  assert.notEqual(nameOf(server.queries[7]?.raw as Buffer).replaceAll(/[^\w-]/g, '.'), NAME);
});

test('case: many queries at once to an upstream that folds are all answered', LIMIT, async (t) => {
  const server = await upstreamFor(t, folding());
  const r = await forwardRig(t, `forward . ${server.address}`);
  for (const round of ['first', 'second']) {
    const names = Array.from({ length: 100 }, (_, i) => `${round}-${i}-${NAME}`);
    const replies = await Promise.all(names.map((name) => r.ask(name)));
    assert.ok(replies.every((reply) => octetOf(reply) === 1));
  }
  assert.equal(r.services.metrics.value('case_folds_total'), 1);
  const tcp = server.queries.filter(({ transport }) => transport === 'tcp');
  assert.ok(tcp.length <= 100 && tcp.every(({ name }) => name.startsWith('first')));
});

test(
  'case: an upstream that folds and has no TCP is found out within one query',
  LIMIT,
  async (t) => {
    const server = await datagramsOnly(t, folding());
    const r = await forwardRig(t, `forward . ${server.address}`);
    assert.equal(octetOf(await r.ask(NAME)), 1);
    // Three that lost their case, each with an id of its own, and one in the client's case.
    assert.equal(server.queries.length, 4);
    const ids = new Set(server.queries.map((raw) => raw.readUInt16BE(0)));
    assert.ok(ids.size >= 3);
    for (let i = 0; i < 5; i++) assert.equal(octetOf(await r.ask(NAME)), 1);
    assert.equal(server.queries.length, 9);
    const { metrics, lines } = r.services;
    assert.equal(metrics.value('case_folds_total'), 1);
    assert.equal(metrics.value('state_changes_total'), 0);
    assert.equal(lines.filter((line) => line.includes('suspected')).length, 0);
  },
);

test('case: an upstream that folds and never answers over TCP', LIMIT, async (t) => {
  const server = await upstreamFor(
    t,
    perTransport(folding(), () => undefined),
  );
  const r = await forwardRig(t, `forward . ${server.address}`);
  const asked = r.ask(NAME);
  let reply: Awaited<typeof asked> | undefined;
  void asked.then((got) => {
    reply = got;
  });
  await until(() => transports(server) === 'udp tcp');
  const startedMs = r.clock.nowMs;
  while (reply === undefined && r.clock.nowMs - startedMs < 5000) {
    r.clock.advance(20);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  assert.ok(reply !== undefined);
  assert.equal(octetOf(reply), 1);
  assert.ok(r.clock.nowMs - startedMs < 2000, String(r.clock.nowMs - startedMs));
  assert.equal(r.services.metrics.value('case_folds_total'), 1);
  for (let i = 0; i < 3; i++) assert.equal(octetOf(await r.ask(NAME)), 1);
  r.clock.advance(10_000);
  await until(() => r.services.metrics.value('in_flight') === 0);
  assert.equal(r.services.metrics.value('state_changes_total'), 0);
});

test('case: right but for its case, and TCP says otherwise: it was forged', LIMIT, async (t) => {
  const server = await upstreamFor(t, perTransport(folding(66), answering(1)));
  const r = await forwardRig(t, `forward . ${server.address}`);
  assert.equal(octetOf(await r.ask(NAME)), 1);
  assert.equal(spoofs(r, 'case'), 1);
  server.script = answering(2);
  assert.equal(octetOf(await r.ask(NAME)), 2);
  assert.equal(transports(server), 'udp tcp udp');
  assert.notEqual(nameOf(server.queries[2]?.raw as Buffer).replaceAll(/[^\w-]/g, '.'), NAME);
  assert.equal(r.services.metrics.value('case_folds_total'), 0);
});

test('case: one that keeps case over TCP alone is asked there each time', LIMIT, async (t) => {
  const server = await upstreamFor(t, perTransport(folding(66), answering()));
  const r = await forwardRig(t, `forward . ${server.address}`);
  // However often: whoever guesses a few ids must not get rid of the case.
  for (let i = 0; i < 40; i++) assert.equal(octetOf(await r.ask(NAME)), 1);
  assert.equal(server.queries.filter(({ transport }) => transport === 'tcp').length, 40);
  assert.equal(spoofs(r, 'case'), 40);
  assert.equal(r.services.metrics.value('case_folds_total'), 0);
});

test('case: several servers behind one address, of which one folds', LIMIT, async (t) => {
  const asked = { udp: 0, tcp: 0 };
  const server = await upstreamFor(t, (query, transport, raw) =>
    (asked[transport]++ % 2 === 1 ? folding() : answering())(query, transport, raw),
  );
  const r = await forwardRig(t, `forward . ${server.address}`);
  for (let i = 0; i < 40; i++) assert.equal(octetOf(await r.ask(NAME)), 1);
  // The first time the other one is met over TCP, the second time it is found out.
  assert.equal(asked.tcp, 2);
  assert.equal(r.services.metrics.value('case_folds_total'), 1);
});

test('case: one in a case of its own is one that does not keep it', LIMIT, async (t) => {
  const server = await upstreamFor(t, (query, transport, raw) => {
    const reply = Buffer.from(folding()(query, transport, raw) as Uint8Array);
    for (let i = 13; i < 13 + NAME.length; i += 3) {
      if (/[a-z]/.test(String.fromCharCode(reply[i] as number))) reply[i] = (reply[i] ?? 0) ^ 0x20;
    }
    return reply;
  });
  const r = await forwardRig(t, `forward . ${server.address}`);
  for (let i = 0; i < 5; i++) {
    const reply = await r.ask(NAME);
    assert.equal(octetOf(reply), 1);
    assert.equal(reply.questions?.[0]?.name, NAME);
  }
  assert.equal(transports(server), 'udp tcp udp udp udp udp');
});

test('case: no_0x20 leaves questions as they are, and takes any case back', LIMIT, async (t) => {
  const server = await upstreamFor(t, folding());
  const r = await forwardRig(t, `forward . ${server.address} {\nno_0x20\n}`);
  for (let i = 0; i < 5; i++) assert.equal(octetOf(await r.ask(NAME)), 1);
  assert.equal(transports(server), 'udp udp udp udp udp');
  for (const { raw } of server.queries) {
    assert.equal(nameOf(raw).replaceAll(/[^\w-]/g, '.'), NAME);
  }
});

test('case: over TCP nothing is mixed', LIMIT, async (t) => {
  const server = await upstreamFor(t, answering());
  const r = await forwardRig(t, `forward . ${server.address} {\nforce_tcp\n}`);
  for (let i = 0; i < 3; i++) await r.ask(NAME);
  for (const { raw } of server.queries) {
    assert.equal(nameOf(raw).replaceAll(/[^\w-]/g, '.'), NAME);
  }
});

test('case: what one worker found out the others know', LIMIT, async (t) => {
  const server = await upstreamFor(t, folding());
  const text = `forward . ${server.address}`;
  const clock = new FakeClock();
  const published = publishForward(text, 2);
  const first = await forwardRig(t, text, { published, clock, worker: 0, workers: 2 });
  const second = await forwardRig(t, text, { published, clock, worker: 1, workers: 2 });
  await first.ask(NAME);
  await second.ask(NAME);
  assert.equal(transports(server), 'udp tcp udp');
});
