// Upstreams over UDP that send what they should not: what a client gets, and what is counted.
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import test, { type TestContext } from 'node:test';
import type { Script } from '../../core/testing.js';
import { answerTo } from '../../test/lib/doh-server.js';
import {
  answering,
  type ForwardRig,
  forwardRig,
  LIMIT,
  octetOf,
  until,
  upstreamFor,
} from '../../test/lib/forward-rig.js';

const SEQUENTIAL = 'policy sequential\nmax_fails 0';

/** The right reply with something changed. */
function changed(change: (reply: Buffer) => void): (query: Buffer) => Buffer {
  return (query) => {
    const reply = answerTo(query);
    change(reply);
    return reply;
  };
}

const WRONG: readonly { name: string; reply: (query: Buffer) => Buffer; metric: string }[] = [
  {
    name: 'another id',
    reply: changed((reply) => reply.writeUInt16BE(reply.readUInt16BE(0) ^ 1)),
    metric: 'unexpected_replies_total',
  },
  {
    name: 'another question',
    reply: changed((reply) => reply.write('xxx', 13)),
    metric: 'mismatched_replies_total',
  },
  {
    name: 'another type in the question',
    reply: changed((reply) => reply.writeUInt16BE(28, reply.indexOf(0, 12) + 1)),
    metric: 'mismatched_replies_total',
  },
  {
    name: 'another class in the question',
    reply: changed((reply) => reply.writeUInt16BE(3, reply.indexOf(0, 12) + 3)),
    metric: 'mismatched_replies_total',
  },
  {
    name: 'a query in place of a reply',
    reply: changed((reply) => reply.writeUInt8(1, 2)),
    metric: 'mismatched_replies_total',
  },
  {
    name: 'half a header',
    reply: (query) => answerTo(query).subarray(0, 6),
    metric: 'mismatched_replies_total',
  },
  {
    name: 'no question',
    reply: changed((reply) => reply.writeUInt16BE(0, 4)),
    metric: 'mismatched_replies_total',
  },
];

for (const { name, reply, metric } of WRONG) {
  test(
    `datagrams: ${name} is dropped and counted, the reply that follows taken`,
    LIMIT,
    async (t) => {
      const server = await upstreamFor(t, (_query, _transport, raw) => [reply(raw), answerTo(raw)]);
      const r = await forwardRig(t, `forward . ${server.address} {\n${SEQUENTIAL}\n}`);
      assert.equal(octetOf(await r.ask('www.example.org')), 7);
      assert.equal(r.services.metrics.value(metric, { proto: 'udp' }), 1);
      assert.equal(server.queries.length, 1);
    },
  );

  test(`datagrams: ${name} and nothing else costs one read_timeout`, LIMIT, async (t) => {
    const bad = await upstreamFor(t, (_query, _transport, raw) => [reply(raw)]);
    const good = await upstreamFor(t, answering(2));
    const text = `forward . ${bad.address} ${good.address} {\n${SEQUENTIAL}\nread_timeout 300ms\n}`;
    const r = await forwardRig(t, text);
    const asked = r.ask('www.example.org');
    await until(() => r.services.metrics.value(metric, { proto: 'udp' }) === 1);
    r.clock.advance(300);
    assert.equal(octetOf(await asked), 2);
  });
}

test('datagrams: what comes from another address or port is not heard', LIMIT, async (t) => {
  const others = await Promise.all([otherSocket(t, '127.0.0.1'), otherSocket(t, '127.0.0.9')]);
  const server = createSocket('udp4');
  server.on('message', async (query, { port, address }) => {
    const forged = answerTo(query);
    forged[forged.length - 1] = 66;
    for (const other of others) {
      await new Promise((resolve) => other.send(forged, port, address, resolve));
    }
    server.send(answerTo(query), port, address);
  });
  server.bind(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const r = await forwardRig(t, `forward . 127.0.0.1:${server.address().port}`);
  for (let i = 0; i < 10; i++) assert.equal(octetOf(await r.ask(`n${i}.example.org`)), 7);
});

test(
  'datagrams: one that is larger than any slot is asked for again over TCP',
  LIMIT,
  async (t) => {
    const server = await upstreamFor(t, (query, transport, raw) =>
      transport === 'udp'
        ? Buffer.concat([answerTo(raw), Buffer.alloc(8000)])
        : answering(3)(query, transport, raw),
    );
    const r = await forwardRig(t, `forward . ${server.address}`);
    assert.equal(octetOf(await r.ask('www.example.org')), 3);
    assert.deepEqual(
      server.queries.map(({ transport }) => transport),
      ['udp', 'tcp'],
    );
  },
);

test('datagrams: replies in reverse order reach who asked', LIMIT, async (t) => {
  const count = 200;
  const held: (() => void)[] = [];
  const script: Script = (query, transport, raw) => {
    const number = Number(/^n(\d+)/i.exec(query.questions?.[0]?.name ?? '')?.[1]);
    return new Promise((resolve) => {
      held.push(() => resolve(answering(number % 250)(query, transport, raw) as Buffer));
    });
  };
  const server = await upstreamFor(t, script);
  const r = await forwardRig(t, `forward . ${server.address} {\n${SEQUENTIAL}\n}`);
  const asked = askMany(r, count);
  await until(() => held.length === count);
  for (const answer of held.reverse()) answer();
  assert.deepEqual(
    await asked,
    Array.from({ length: count }, (_, i) => i % 250),
  );
});

test('datagrams: a reply that comes twice, or too late, is nobody’s', LIMIT, async (t) => {
  let late: (() => void) | undefined;
  const server = createSocket('udp4');
  server.on('message', (query, { port, address }) => {
    const send = (): void => server.send(answerTo(query), port, address);
    if (query.toString('latin1').toLowerCase().includes('late')) late = send;
    else {
      send();
      send();
    }
  });
  server.bind(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const text = `forward . 127.0.0.1:${server.address().port} {\n${SEQUENTIAL}\nread_timeout 300ms\n}`;
  const r = await forwardRig(t, text);
  const unexpected = (): number => r.services.metrics.value('unexpected_replies_total');
  assert.equal(octetOf(await r.ask('twice.example.org')), 7);
  await until(() => unexpected() === 1);
  const asked = r.ask('late.example.org');
  await until(() => late !== undefined);
  r.clock.advance(300);
  assert.equal((await asked).rcode, 'SERVFAIL');
  late?.();
  await until(() => unexpected() === 2);
});

function askMany(r: ForwardRig, count: number): Promise<number[]> {
  const names = Array.from({ length: count }, (_, i) => `n${i}.example.org`);
  return Promise.all(names.map(async (name) => octetOf(await r.ask(name))));
}

async function otherSocket(t: TestContext, address: string) {
  const socket = createSocket('udp4');
  socket.bind(0, address);
  await once(socket, 'listening');
  t.after(() => socket.close());
  return socket;
}
