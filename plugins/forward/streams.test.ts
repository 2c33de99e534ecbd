// Upstreams over TCP and TLS that do everything wrong: what a client gets, and what the upstream sees.
import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import test, { type TestContext } from 'node:test';
import { TLSSocket, type TlsOptions } from 'node:tls';
import {
  FakeUpstream,
  fakeServices,
  frame,
  parseDirective,
  type StreamAnswer,
  serveStreams,
} from '../../core/testing.js';
import { answerTo, certificate } from '../../test/lib/doh-server.js';
import {
  answering,
  asked,
  forwardRig,
  LIMIT,
  octetOf,
  until,
  upstreamFor,
} from '../../test/lib/forward-rig.js';
import { needTools } from '../../test/lib/tools.js';

import forward from './setup.js';

const TCP_ONLY = 'force_tcp\nmax_fails 0\npolicy sequential';

interface Misdeed {
  readonly name: string;
  readonly first: StreamAnswer;
}

const answer: StreamAnswer = (query, socket) => socket.write(frame(answerTo(query)));

/** Breaks the connection, over TCP with a RST. */
function reset(socket: Socket): void {
  if (socket instanceof TLSSocket) socket.destroy();
  else socket.resetAndDestroy();
}

/** How upstreams are asked: what a TO begins with, and what else is written. */
interface Way {
  readonly scheme: string;
  readonly properties: string;
  readonly tls: TlsOptions | undefined;
}

async function wayOf(t: TestContext, over: 'TCP' | 'TLS'): Promise<Way> {
  if (over === 'TCP') return { scheme: '', properties: TCP_ONLY, tls: undefined };
  const { key, cert, file } = await certificate(t);
  return { scheme: 'tls://', properties: `${TCP_ONLY}\ntls ${file}`, tls: { key, cert } };
}

const AT_ONCE: readonly Misdeed[] = [
  {
    name: 'resets in the middle of an answer',
    first: (query, socket) => {
      socket.write(frame(answerTo(query)).subarray(0, 20), () => reset(socket));
    },
  },
  { name: 'closes without an answer', first: (_query, socket) => socket.end() },
  {
    name: 'replies to another question',
    first: (query, socket) => {
      const reply = answerTo(query);
      reply.write('xxx', 13);
      socket.write(frame(reply));
    },
  },
  {
    name: 'replies with what cannot be read',
    first: (query, socket) => {
      const reply = answerTo(query);
      reply.writeUInt16BE(100, 6);
      socket.write(frame(reply));
    },
  },
];

const IN_TIME: readonly Misdeed[] = [
  {
    name: 'replies with another id',
    first: (query, socket) => {
      const reply = answerTo(query);
      reply.writeUInt16BE(reply.readUInt16BE(0) ^ 1);
      socket.write(frame(reply));
    },
  },
  { name: 'sends one byte and no more', first: (_query, socket) => socket.write(Uint8Array.of(1)) },
  { name: 'says nothing', first: () => {} },
  {
    name: 'lets its answer drip',
    first: (_query, socket) => {
      const drip = (): void => {
        if (!socket.destroyed) socket.write(Uint8Array.of(0x10), () => setTimeout(drip, 5));
      };
      drip();
    },
  },
];

for (const over of ['TCP', 'TLS'] as const) {
  const options = { ...LIMIT, ...(over === 'TLS' ? needTools('openssl') : {}) };
  const two = async (t: TestContext, first: StreamAnswer) => {
    const { scheme, properties, tls } = await wayOf(t, over);
    const bad = await serveStreams(t, first, tls);
    const good = await serveStreams(t, answer, tls);
    const to = [bad, good].map(({ port }) => `${scheme}127.0.0.1:${port}`).join(' ');
    return { bad, good, r: await forwardRig(t, `forward . ${to} {\n${properties}\n}`) };
  };

  for (const { name, first } of AT_ONCE) {
    test(
      `streams: ${over}: an upstream that ${name} is passed over at once`,
      options,
      async (t) => {
        const { bad, good, r } = await two(t, first);
        assert.equal(octetOf(await r.ask('www.example.org')), 7);
        assert.equal(good.arrivals.length, 1);
        // One that broke is asked once more on a fresh connection: this one had been opened ahead, so it may have been idle for too long.
        assert.ok(bad.arrivals.length <= 2);
      },
    );
  }

  for (const { name, first } of IN_TIME) {
    test(
      `streams: ${over}: an upstream that ${name} costs one read_timeout, and the next one answers`,
      options,
      async (t) => {
        const { bad, good, r } = await two(t, first);
        const reply = r.ask('www.example.org');
        await until(() => bad.arrivals.length === 1);
        r.clock.advance(1999);
        assert.equal(good.arrivals.length, 0);
        r.clock.advance(1);
        assert.equal(octetOf(await reply), 7);
        assert.deepEqual([bad.arrivals.length, good.arrivals.length], [1, 1]);
        // One that is not heard from is asked no more.
        assert.equal(octetOf(await r.ask('mail.example.org')), 7);
        assert.equal(bad.arrivals.length, 1);
      },
    );
  }

  test(
    `streams: ${over}: what was under way on a connection that breaks is answered elsewhere`,
    options,
    async (t) => {
      const { bad, good, r } = await two(t, (_query, socket) => {
        if (bad.arrivals.length === 30) for (const each of bad.sockets) reset(each);
        // What is sent once more breaks at once.
        else if (bad.arrivals.length > 30) reset(socket);
      });
      const replies = await Promise.all(
        Array.from({ length: 30 }, (_, i) => r.ask(`n${i}.example.org`)),
      );
      assert.deepEqual(replies.map(octetOf), new Array(30).fill(7));
      assert.equal(good.arrivals.length, 30);
      assert.ok(bad.arrivals.length >= 30 && bad.arrivals.length <= 60);
    },
  );
}

test(
  'streams: an upstream that says TC over TCP, too, is asked twice, and the client told',
  LIMIT,
  async (t) => {
    const upstream = await upstreamFor(t, () => ({ flags: 0x200 }));
    const r = await forwardRig(t, `forward . ${upstream.address}`);
    const reply = await r.ask('www.example.org');
    assert.equal(reply.flag_tc, true);
    assert.deepEqual(
      upstream.queries.map(({ transport }) => transport),
      ['udp', 'tcp'],
    );
  },
);

test('streams: an answer of 65535 bytes is taken', LIMIT, async (t) => {
  const server = await serveStreams(t, (query, socket) => {
    const reply = Buffer.alloc(65_535);
    const questionEnd = query.indexOf(0, 12) + 5;
    query.copy(reply, 0, 0, questionEnd);
    reply.writeUInt16BE(0x8180, 2);
    // One record of type 65280 fills the rest.
    reply.writeUInt16BE(1, 6);
    reply.fill(0, 8, 12);
    const record = Buffer.from([0xc0, 12, 0xff, 0, 0, 1, 0, 0, 0, 60, 0, 0]);
    record.writeUInt16BE(reply.length - questionEnd - record.length, 10);
    record.copy(reply, questionEnd);
    socket.write(frame(reply));
  });
  const r = await forwardRig(t, `forward . 127.0.0.1:${server.port} {\n${TCP_ONLY}\n}`);
  const reply = await r.ask('www.example.org', 'TYPE65280', { transport: 1 });
  assert.equal(reply.rcode, 'NOERROR');
});

test(
  'streams: a query on a connection that was closed for idleness is answered all the same',
  LIMIT,
  async (t) => {
    const server = await serveStreams(t, (query, socket, connection) => {
      if (connection === 0 && server.arrivals.length > 1) socket.end();
      else answer(query, socket, connection);
    });
    const r = await forwardRig(t, `forward . 127.0.0.1:${server.port} {\n${TCP_ONLY}\n}`);
    for (const name of ['a', 'b', 'c'])
      assert.equal(octetOf(await r.ask(`${name}.example.org`)), 7);
    assert.deepEqual(server.arrivals, [0, 0, 1, 1]);
  },
);

test('streams: an upstream that dies and returns is found again', LIMIT, async (t) => {
  const first = await FakeUpstream.start(answering(1));
  const { port } = first;
  const r = await forwardRig(t, `forward . 127.0.0.1:${port} {\nforce_tcp\n}`);
  assert.equal(octetOf(await r.ask('a.example.org')), 1);
  await first.stop();
  assert.equal((await r.ask('b.example.org')).rcode, 'SERVFAIL');
  const second = await FakeUpstream.start(answering(2), '127.0.0.1', port);
  t.after(() => second.stop());
  await until(() => {
    // In steps that leave a probe, which has a second, some time of the real sockets.
    r.clock.advance(20);
    return r.services.metrics.value('state_changes_total', { state: 'trusted' }) === 1;
  });
  assert.equal(octetOf(await r.ask('c.example.org')), 2);
  assert.deepEqual(asked(second), ['c.example.org']);
  assert.ok(second.queries.every(({ transport }) => transport === 'tcp'));
});

test(
  'streams: force_tcp opens a connection at the start, plain upstreams wait until one is needed',
  LIMIT,
  async (t) => {
    const server = await serveStreams(t, answer);
    const to = `127.0.0.1:${server.port}`;
    const plain = await forwardRig(t, `forward . ${to}`);
    await forwardRig(t, `forward . ${to} {\nforce_tcp\nexpire 0s\n}`);
    const r = await forwardRig(t, `forward . ${to} {\nforce_tcp\n}`);
    await until(() => server.sockets.length === 1);
    assert.equal(octetOf(await r.ask('www.example.org')), 7);
    assert.equal(plain.services.metrics.value('connections'), 0);
    assert.deepEqual(server.arrivals, [0]);
  },
);

test('streams: what is wrong with a certificate is in the log before the first query', {
  ...LIMIT,
  ...needTools('openssl'),
}, async (t) => {
  const { key, cert } = await certificate(t);
  const server = await serveStreams(t, answer, { key, cert });
  const r = await forwardRig(t, `forward . tls://127.0.0.1:${server.port}`);
  await until(() => r.services.lines.length > 0);
  assert.match(
    r.services.lines[0] ?? '',
    /^warning upstream tls:.*an authority that is not trusted/,
  );
  assert.equal(r.services.metrics.value('connections'), 0);
});

test('streams: tls_insecure takes any certificate, and says so at the start', {
  ...LIMIT,
  ...needTools('openssl'),
}, async (t) => {
  const { key, cert } = await certificate(t);
  const server = await serveStreams(t, answer, { key, cert });
  const text = `forward . tls://127.0.0.1%other.example.net:${server.port} {\ntls_insecure\n}`;
  const r = await forwardRig(t, text);
  assert.equal(octetOf(await r.ask('www.example.org')), 7);
  const services = fakeServices();
  const [config] = parseDirective(forward, text);
  assert.ok(config !== undefined && forward.control !== undefined);
  await forward.control(config, services).onStart?.();
  assert.match(
    services.lines.join('\n'),
    /^warning tls_insecure: certificates of upstreams are not verified/,
  );
});
