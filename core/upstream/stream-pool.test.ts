// The stream pool over TCP against raw servers on loopback: any split, any order, broken connections, limits.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import test from 'node:test';
import {
  answerStream,
  frame,
  rcodeOf,
  serveStreams,
  streamReply,
  streamRig,
} from '../testing/streams.js';
import { Failure } from './exchange.js';

/** A reply that never comes must not hang the run. */
const LIMIT = { timeout: 30_000 };

test('stream pool: queries of one round leave in one write', LIMIT, async (t) => {
  const server = await serveStreams(t, answerStream);
  const r = streamRig(t, server.port);
  const chunks: number[] = [];
  const asked = Promise.all(Array.from({ length: 20 }, (_, i) => r.ask(`n${i}.example.org`)));
  while (server.sockets.length === 0) await new Promise((resolve) => setImmediate(resolve));
  server.sockets[0]?.on('data', (chunk: Buffer) => chunks.push(chunk.length));
  for (const outcome of await asked) rcodeOf(outcome);
  assert.deepEqual(server.arrivals, new Array(20).fill(0));
  assert.equal(chunks.length, 1);
});

test('stream pool: answers in reverse order reach who asked', LIMIT, async (t) => {
  const held: Buffer[] = [];
  const server = await serveStreams(t, (query, socket) => {
    held.push(query);
    if (held.length === 10) for (const one of held.reverse()) socket.write(streamReply(one));
  });
  const r = streamRig(t, server.port);
  const names = Array.from({ length: 10 }, (_, i) => `n${i}`);
  const outcomes = await Promise.all(names.map((name) => r.ask(`${name}.example.org`)));
  for (const [i, outcome] of outcomes.entries()) {
    assert.ok(outcome instanceof Buffer && outcome.includes(names[i] as string));
  }
});

test('stream pool: answers may come byte by byte', LIMIT, async (t) => {
  const server = await serveStreams(t, async (query, socket) => {
    socket.setNoDelay(true);
    for (const byte of streamReply(query)) {
      socket.write(Uint8Array.of(byte));
      await new Promise((resolve) => setImmediate(resolve));
    }
  });
  const r = streamRig(t, server.port);
  rcodeOf(await r.ask('www.example.org'));
  rcodeOf(await r.ask('mail.example.org'));
  assert.equal(server.sockets.length, 1);
});

test(
  'stream pool: a connection that breaks in the middle of an answer fails the query',
  LIMIT,
  async (t) => {
    const server = await serveStreams(t, (query, socket) => {
      socket.write(streamReply(query).subarray(0, 9), () => socket.resetAndDestroy());
    });
    const r = streamRig(t, server.port);
    assert.equal(await r.ask('www.example.org'), Failure.NETWORK);
    assert.equal(server.arrivals.length, 1);
    assert.equal(r.pool.connections, 0);
  },
);

test('stream pool: a closed port fails at once', LIMIT, async (t) => {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  const r = streamRig(t, port);
  assert.deepEqual(await Promise.all([r.ask('a'), r.ask('b')]), [Failure.NETWORK, Failure.NETWORK]);
  assert.match(r.errors[0] ?? '', /ECONNREFUSED/);
});

test(
  'stream pool: a query on a connection that was closed meanwhile is sent once more',
  LIMIT,
  async (t) => {
    for (const end of ['end', 'resetAndDestroy'] as const) {
      const server = await serveStreams(t, (query, socket, connection) => {
        if (connection === 0 && server.arrivals.length > 1) socket[end]();
        else socket.write(streamReply(query));
      });
      const r = streamRig(t, server.port);
      rcodeOf(await r.ask('first.example.org'));
      rcodeOf(await r.ask('second.example.org'));
      assert.deepEqual(server.arrivals, [0, 0, 1], end);
      assert.deepEqual(r.errors, []);
    }
  },
);

test('stream pool: a query is not sent a third time', LIMIT, async (t) => {
  const server = await serveStreams(t, (query, socket) => {
    if (server.arrivals.length === 1) socket.write(streamReply(query));
    else socket.destroy();
  });
  const r = streamRig(t, server.port);
  rcodeOf(await r.ask('first.example.org'));
  assert.equal(await r.ask('second.example.org'), Failure.NETWORK);
  assert.equal(server.arrivals.length, 3);
});

test('stream pool: a reply to another question fails the query', LIMIT, async (t) => {
  const server = await serveStreams(t, (query, socket) => {
    const reply = streamReply(query);
    reply.write('xxx', 15);
    socket.write(reply);
  });
  const r = streamRig(t, server.port);
  assert.equal(await r.ask('www.example.org'), Failure.ANSWER);
  assert.equal(r.metrics.value('mismatched'), 1);
});

test('stream pool: messages nobody waits for are dropped', LIMIT, async (t) => {
  const server = await serveStreams(t, (query, socket) => {
    const other = Buffer.from(query);
    other.writeUInt16BE(query.readUInt16BE(0) ^ 0x8000);
    socket.write(Buffer.concat([streamReply(other), frame(Buffer.alloc(0)), streamReply(query)]));
  });
  const r = streamRig(t, server.port);
  rcodeOf(await r.ask('www.example.org'));
  assert.equal(r.metrics.value('unexpected'), 2);
});

test('stream pool: under load further connections are opened, up to eight', LIMIT, async (t) => {
  const held: (() => void)[] = [];
  const server = await serveStreams(t, (query, socket) => {
    held.push(() => socket.write(streamReply(query)));
  });
  const r = streamRig(t, server.port);
  const asked = Array.from({ length: 500 }, (_, i) => r.ask(`n${i}.example.org`));
  while (held.length < 500) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(server.sockets.length, 8);
  for (const answer of held) answer();
  for (const outcome of await Promise.all(asked)) rcodeOf(outcome);
  assert.equal(r.metrics.value('misses'), 8);
});

test('stream pool: an idle connection is kept for its time and no longer', LIMIT, async (t) => {
  const server = await serveStreams(t, answerStream);
  const r = streamRig(t, server.port, { expireMs: 3000 });
  rcodeOf(await r.ask('a.example.org'));
  r.clock.advance(2990);
  rcodeOf(await r.ask('b.example.org'));
  assert.deepEqual(server.arrivals, [0, 0]);
  r.clock.advance(3000);
  assert.equal(r.pool.connections, 0);
  rcodeOf(await r.ask('c.example.org'));
  assert.deepEqual(server.arrivals, [0, 0, 1]);
});

test('stream pool: a connection past its age takes no new queries', LIMIT, async (t) => {
  const server = await serveStreams(t, answerStream);
  const r = streamRig(t, server.port, { maxAgeMs: 5000 });
  for (let i = 0; i < 4; i++) {
    rcodeOf(await r.ask(`n${i}.example.org`));
    r.clock.advance(2000);
  }
  assert.deepEqual(server.arrivals, [0, 0, 0, 1]);
});

test('stream pool: connections past their age that all wait give way', LIMIT, async (t) => {
  const held: (() => void)[] = [];
  const server = await serveStreams(t, (query, socket) => {
    held.push(() => socket.write(streamReply(query)));
  });
  const r = streamRig(t, server.port, { maxAgeMs: 5000 });
  const old = Array.from({ length: 256 }, (_, i) => r.ask(`n${i}.example.org`));
  r.clock.advance(6000);
  const young = r.ask('young.example.org');
  while (held.length < 257) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(server.arrivals[256], 8);
  for (const answer of held) answer();
  for (const outcome of await Promise.all([...old, young])) rcodeOf(outcome);
  assert.equal(r.pool.connections, 1);
});

test('stream pool: no more idle connections are kept than allowed', LIMIT, async (t) => {
  const held: (() => void)[] = [];
  const server = await serveStreams(t, (query, socket) => {
    held.push(() => socket.write(streamReply(query)));
  });
  const r = streamRig(t, server.port, { maxIdle: 1 });
  const asked = Array.from({ length: 100 }, (_, i) => r.ask(`n${i}.example.org`));
  while (held.length < 100) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(server.sockets.length, 4);
  for (const answer of held) answer();
  await Promise.all(asked);
  assert.equal(r.pool.connections, 1);
});

test(
  'stream pool: a connection that was silent for a whole time-out is given up',
  LIMIT,
  async (t) => {
    const server = await serveStreams(t, (query, socket, connection) => {
      if (connection > 0) socket.write(streamReply(query));
    });
    const r = streamRig(t, server.port);
    const x = r.send('first.example.org');
    const other = r.ask('second.example.org');
    while (server.arrivals.length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
    r.clock.advance(2000);
    r.pool.cancel(x, true);
    r.owner.pool.give(x);
    // It never carried an answer, so what else waits on it would wait in vain.
    assert.equal(await other, Failure.TIMEOUT);
    rcodeOf(await r.ask('third.example.org'));
    assert.deepEqual(server.arrivals, [0, 0, 1]);
  },
);

test('stream pool: closing fails what is under way', LIMIT, async (t) => {
  const server = await serveStreams(t, () => {});
  const r = streamRig(t, server.port);
  const outcome = r.ask('www.example.org');
  r.pool.close();
  assert.equal(await outcome, Failure.NETWORK);
  assert.equal(r.pool.send(r.owner.make('x')), Failure.NETWORK);
  assert.equal(r.timers.size, 0);
});
