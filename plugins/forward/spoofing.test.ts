// Somebody who floods a socket with guesses: what waits there is asked over TCP, and clients get the truth.
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import test, { type TestContext } from 'node:test';
import { encode } from 'dns-packet';
import { Rcode } from '../../core/plugin.js';
import type { Script } from '../../core/testing.js';
import {
  answering,
  asked,
  type ForwardRig,
  forwardRig,
  LIMIT,
  octetOf,
  questionName,
  until,
  upstreamFor,
} from '../../test/lib/forward-rig.js';

/** Guesses that a socket puts up with, and one more. */
const ENOUGH = 32;
const FORGED = 66;

/** A reply to a query as it came, with another id if wanted. */
function replyTo(raw: Buffer, octet: number, difference = 0): Buffer {
  const end = raw.indexOf(0, 12) + 5;
  const answer = encode({
    type: 'response',
    answers: [{ name: 'x', type: 'A', ttl: 60, data: `192.0.2.${octet}` }],
  }).subarray(12 + 3);
  const reply = Buffer.concat([raw.subarray(0, end), Buffer.from([0xc0, 12]), answer]);
  reply.writeUInt16BE(raw.readUInt16BE(0) ^ difference, 0);
  reply.writeUInt16BE(0x8180, 2);
  reply.set([0, 1, 0, 1, 0, 0, 0, 0], 4);
  return reply;
}

/** So many guesses, then a reply that is right but for what it says. */
function forging(guesses: number): Script {
  return (_query, _transport, raw) => [
    ...Array.from({ length: guesses }, (_, i) => replyTo(raw, FORGED, i + 1)),
    replyTo(raw, FORGED),
  ];
}

/** Over TCP the truth. */
function overUdp(script: Script): Script {
  return (query, transport, raw) =>
    (transport === 'udp' ? script : answering(1))(query, transport, raw);
}

const value = (r: ForwardRig, name: string, labels = {}): number =>
  r.services.metrics.value(name, labels);

const warnings = (r: ForwardRig): readonly string[] =>
  r.services.lines.filter((line) => line.startsWith('warning'));

test('spoofing: after too many guesses a reply over UDP is not believed', LIMIT, async (t) => {
  const server = await upstreamFor(t, overUdp(forging(ENOUGH)));
  const r = await forwardRig(t, `forward . ${server.address}`);
  assert.equal(octetOf(await r.ask('www.example.org')), 1);
  assert.deepEqual(
    server.queries.map(({ transport }) => transport),
    ['udp', 'tcp'],
  );
  const to = server.address;
  assert.equal(value(r, 'distrusted_sockets_total', { to }), 1);
  assert.equal(value(r, 'unbelieved_queries_total', { reason: 'forgery' }), 1);
  assert.ok(value(r, 'spoof_attempts_total', { to, kind: 'guess' }) >= ENOUGH);
  assert.deepEqual(warnings(r), [
    `warning somebody may be forging answers of upstream ${to}: what waits for them is asked over TCP`,
  ]);
  // Said once a minute, done every time.
  assert.equal(octetOf(await r.ask('www.example.org')), 1);
  assert.equal(warnings(r).length, 1);
  r.clock.advance(60_000);
  assert.equal(octetOf(await r.ask('www.example.org')), 1);
  assert.equal(warnings(r).length, 2);
  assert.equal(value(r, 'distrusted_sockets_total'), 3);
  assert.equal(value(r, 'state_changes_total'), 0);
});

test('spoofing: a few guesses change nothing', LIMIT, async (t) => {
  const server = await upstreamFor(t, (_query, _transport, raw) => [
    ...Array.from({ length: ENOUGH - 1 }, (_, i) => replyTo(raw, FORGED, i + 1)),
    replyTo(raw, 1),
  ]);
  const r = await forwardRig(t, `forward . ${server.address}`);
  assert.equal(octetOf(await r.ask('www.example.org')), 1);
  assert.equal(server.queries.length, 1);
  assert.equal(value(r, 'spoof_attempts_total'), ENOUGH - 1);
  assert.equal(value(r, 'distrusted_sockets_total'), 0);
});

test('spoofing: everything under way on the socket is asked over TCP', LIMIT, async (t) => {
  const held: Buffer[] = [];
  const server = await upstreamFor(t, (_query, transport, raw) => {
    if (transport === 'tcp') return answering(1)(_query, transport, raw);
    held.push(Buffer.from(raw));
    // All of one round leave from one socket.
    return held.length === 20 ? (forging(ENOUGH)(_query, transport, raw) as Buffer[]) : undefined;
  });
  const r = await forwardRig(t, `forward . ${server.address}`, { force: 'mmsg' });
  const replies = await Promise.all(
    Array.from({ length: 20 }, (_, i) => r.ask(`n${i}.example.org`)),
  );
  assert.ok(replies.every((reply) => octetOf(reply) === 1));
  assert.equal(value(r, 'unbelieved_queries_total', { reason: 'forgery' }), 20);
  assert.equal(server.queries.length, 40);
});

test('spoofing: replies to another question are guesses', LIMIT, async (t) => {
  const server = await upstreamFor(
    t,
    overUdp((_query, _transport, raw) =>
      Array.from({ length: ENOUGH }, () => {
        const reply = replyTo(raw, FORGED);
        reply[13] = (reply[13] as number) ^ 1;
        return reply;
      }),
    ),
  );
  const r = await forwardRig(t, `forward . ${server.address}`);
  assert.equal(octetOf(await r.ask('www.example.org')), 1);
  assert.equal(value(r, 'distrusted_sockets_total'), 1);
});

test('spoofing: late and repeated replies are no guesses', LIMIT, async (t) => {
  const server = await upstreamFor(t, (_query, _transport, raw) =>
    Array.from({ length: 2 * ENOUGH }, () => replyTo(raw, 1)),
  );
  const r = await forwardRig(t, `forward . ${server.address}`);
  for (let i = 0; i < 5; i++) assert.equal(octetOf(await r.ask(`n${i}.example.org`)), 1);
  await until(() => value(r, 'unexpected_replies_total') === 5 * (2 * ENOUGH - 1));
  assert.equal(value(r, 'spoof_attempts_total'), 0);
  assert.equal(value(r, 'distrusted_sockets_total'), 0);
});

/** An upstream without TCP. */
async function datagramsOnly(
  t: TestContext,
  answer: (raw: Buffer, count: number) => readonly Buffer[],
): Promise<{ readonly address: string; readonly ports: number[] }> {
  const ports: number[] = [];
  const server = createSocket('udp4');
  server.on('message', (raw, { port, address }) => {
    ports.push(port);
    for (const reply of answer(raw, ports.length)) server.send(reply, port, address);
  });
  server.bind(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return { address: `127.0.0.1:${server.address().port}`, ports };
}

test('spoofing: an error without a question is believed over TCP alone', LIMIT, async (t) => {
  const bare = (raw: Buffer): Buffer => {
    const reply = Buffer.alloc(12);
    raw.copy(reply, 0, 0, 3);
    reply[2] = (reply[2] as number) | 0x80;
    reply[3] = Rcode.FORMERR;
    return reply;
  };
  const server = await upstreamFor(
    t,
    overUdp((_query, _transport, raw) => bare(raw)),
  );
  const r = await forwardRig(t, `forward . ${server.address}`);
  // It neither fails the query nor makes those that follow go without EDNS.
  for (const options of [{ do: true }, {}]) {
    assert.equal(octetOf(await r.ask('www.example.org', 'A', options)), 1);
  }
  for (const { raw } of server.queries) assert.equal(raw[11], 1);
  assert.equal(value(r, 'unbelieved_queries_total', { reason: 'error' }), 2);
  // Without TCP there is nothing better.
  const old = await datagramsOnly(t, (raw, count) => [count <= 2 ? bare(raw) : replyTo(raw, 1)]);
  const r2 = await forwardRig(t, `forward . ${old.address}`);
  assert.equal(octetOf(await r2.ask('www.example.org')), 1);
  assert.equal(old.ports.length, 3);
});

test('spoofing: without TCP it is another message from another port', LIMIT, async (t) => {
  const server = await datagramsOnly(t, (raw, count) =>
    count <= 3
      ? Array.from({ length: ENOUGH }, (_, i) => replyTo(raw, FORGED, i + 1))
      : [replyTo(raw, 1)],
  );
  const r = await forwardRig(t, `forward . ${server.address}`);
  assert.equal(octetOf(await r.ask('www.example.org')), 1);
  assert.equal(server.ports.length, 4);
  assert.equal(new Set(server.ports).size, 4);
  assert.equal(value(r, 'state_changes_total'), 0);
});

test('spoofing: without TCP and without end a query fails, and ends', LIMIT, async (t) => {
  const server = await datagramsOnly(t, (raw) =>
    Array.from({ length: ENOUGH }, (_, i) => replyTo(raw, FORGED, i + 1)),
  );
  const r = await forwardRig(t, `forward . ${server.address}`);
  assert.equal((await r.ask('www.example.org')).rcode, 'SERVFAIL');
  assert.ok(server.ports.length <= 10, String(server.ports.length));
  assert.equal(value(r, 'in_flight'), 0);
  assert.equal(value(r, 'state_changes_total'), 0);
});

test('spoofing: a probe that guesses drown says nothing about the upstream', LIMIT, async (t) => {
  const server = await upstreamFor(t, (query, _transport, raw) =>
    questionName(query) === '.' ? (forging(ENOUGH)(query, 'udp', raw) as Buffer[]) : undefined,
  );
  const r = await forwardRig(t, `forward . ${server.address}`);
  const waiting = r.ask('www.example.org');
  await until(() => asked(server).length === 1);
  r.clock.advance(2000);
  assert.equal((await waiting).rcode, 'SERVFAIL');
  await until(() => value(r, 'distrusted_sockets_total') === 1);
  assert.equal(value(r, '/proxy_healthcheck_failures_total'), 0);
  assert.equal(value(r, 'state_changes_total', { state: 'trusted' }), 0);
  r.clock.advance(500);
  await until(() => value(r, 'distrusted_sockets_total') === 2);
});
