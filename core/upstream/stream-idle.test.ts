// Connections that nothing is under way on: how long they are kept, what is opened ahead, and when one is given up.
import assert from 'node:assert/strict';
import test from 'node:test';
import { decode } from 'dns-packet';
import type { Outcome } from '../testing/exchanges.js';
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

/** Waits until something is true that real sockets bring about. */
async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await new Promise((resolve) => setImmediate(resolve));
}

/** The reply to a query with EDNS, which says that idle connections are kept for so many tenths of a second. */
function keepaliveReply(query: Buffer, tenths: number): Buffer {
  const questionEnd = query.indexOf(0, 12) + 5;
  const opt = [0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 6, 0, 11, 0, 2, tenths >> 8, tenths & 255];
  const reply = Buffer.concat([query.subarray(0, questionEnd), Uint8Array.from(opt)]);
  reply[2] = (reply[2] as number) | 0x80;
  return frame(reply);
}

function optionCodes(query: Buffer): readonly number[] {
  const [opt] = (decode(query).additionals ?? []) as unknown as { options: { code: number }[] }[];
  return (opt?.options ?? []).map(({ code }) => code);
}

test(
  'stream idle: only the first query on a connection asks how long it is kept',
  LIMIT,
  async (t) => {
    const codes: (readonly number[])[] = [];
    const server = await serveStreams(t, (query, socket) => {
      codes.push(optionCodes(query));
      socket.write(streamReply(query));
    });
    const r = streamRig(t, server.port);
    for (const hasOpt of [false, true, true]) rcodeOf(await r.ask('www.example.org', hasOpt));
    assert.deepEqual(codes, [[], [11], []]);
  },
);

for (const { name, tenths, options, want } of [
  { name: 'a second before the upstream does', tenths: 300, options: {}, want: 29_000 },
  { name: 'a tenth before if that is less', tenths: 50, options: {}, want: 4500 },
  { name: 'no later than allowed', tenths: 36_000, options: { maxExpireMs: 60_000 }, want: 60_000 },
] as const) {
  test(`stream idle: edns-tcp-keepalive closes an idle connection ${name}`, LIMIT, async (t) => {
    const server = await serveStreams(t, (query, socket) => {
      socket.write(keepaliveReply(query, tenths));
    });
    const r = streamRig(t, server.port, options);
    rcodeOf(await r.ask('www.example.org', true));
    r.clock.advance(want - 1);
    assert.equal(r.pool.connections, 1);
    r.clock.advance(1);
    assert.equal(r.pool.connections, 0);
  });
}

test('stream idle: with a keepalive of 0 a connection takes no more queries', LIMIT, async (t) => {
  const held: Buffer[] = [];
  const server = await serveStreams(t, (query, socket) => {
    held.push(query);
    if (held.length === 2) socket.write(keepaliveReply(held[0] as Buffer, 0));
    if (held.length > 2) {
      socket.write(keepaliveReply(query, 0));
      server.sockets[0]?.write(streamReply(held[1] as Buffer));
    }
  });
  const r = streamRig(t, server.port, { keepsWarm: true });
  const first = r.ask('first.example.org', true);
  const second = r.ask('second.example.org', true);
  rcodeOf(await first);
  rcodeOf(await r.ask('third.example.org', true));
  rcodeOf(await second);
  assert.deepEqual(server.arrivals, [0, 0, 1]);
  assert.equal(r.pool.connections, 0);
});

test(
  'stream idle: a keepalive of 0 does not make for more than eight connections',
  LIMIT,
  async (t) => {
    const held: Buffer[] = [];
    const server = await serveStreams(t, (query, socket, connection) => {
      // The first on each connection is answered, the second held.
      if (server.arrivals.filter((place) => place === connection).length === 1) {
        socket.write(keepaliveReply(query, 0));
      } else held.push(query);
    });
    const r = streamRig(t, server.port);
    const asked: Promise<Outcome>[] = [];
    for (let i = 0; i < 8; i++) {
      asked.push(r.ask(`a${i}.example.org`, true), r.ask(`b${i}.example.org`, true));
      await asked[2 * i];
    }
    await until(() => held.length === 8);
    asked.push(r.ask('more.example.org', true));
    await until(() => held.length === 9);
    assert.equal(server.sockets.length, 8);
    assert.equal(r.pool.connections, 8);
  },
);

test('stream idle: a connection is opened ahead of the first query', LIMIT, async (t) => {
  const server = await serveStreams(t, answerStream);
  const r = streamRig(t, server.port, { keepsWarm: true });
  r.pool.warm();
  await until(() => server.sockets.length === 1);
  rcodeOf(await r.ask('www.example.org'));
  assert.equal(server.sockets.length, 1);
  assert.deepEqual(
    ['ahead', 'misses', 'hits', 'open'].map((name) => r.metrics.value(name)),
    [1, 0, 1, 1],
  );
});

test(
  'stream idle: one that carried queries is followed by one ahead, which is followed by none',
  LIMIT,
  async (t) => {
    const server = await serveStreams(t, answerStream);
    const r = streamRig(t, server.port, { keepsWarm: true, expireMs: 3000 });
    rcodeOf(await r.ask('a.example.org'));
    r.clock.advance(3000);
    assert.equal(r.pool.connections, 1);
    rcodeOf(await r.ask('b.example.org'));
    assert.deepEqual(server.arrivals, [0, 1]);
    for (let i = 0; i < 2; i++) r.clock.advance(3000);
    assert.equal(r.pool.connections, 0);
    assert.equal(r.metrics.value('ahead'), 2);
    assert.equal(r.timers.size, 0);
  },
);

test('stream idle: one that the upstream closes is followed by one ahead', LIMIT, async (t) => {
  const server = await serveStreams(t, answerStream);
  const r = streamRig(t, server.port, { keepsWarm: true });
  rcodeOf(await r.ask('a.example.org'));
  server.sockets[0]?.end();
  await until(() => server.sockets.length === 2);
  rcodeOf(await r.ask('b.example.org'));
  assert.deepEqual(server.arrivals, [0, 1]);
  assert.equal(r.metrics.value('misses'), 1);
});

test('stream idle: a query on one opened ahead that breaks is sent once more', LIMIT, async (t) => {
  const server = await serveStreams(t, (query, socket, connection) => {
    if (connection === 0) socket.resetAndDestroy();
    else socket.write(streamReply(query));
  });
  const r = streamRig(t, server.port, { keepsWarm: true });
  r.pool.warm();
  await until(() => server.sockets.length === 1);
  // Until our side knows that it is open, too.
  await new Promise((resolve) => setTimeout(resolve, 20));
  rcodeOf(await r.ask('www.example.org'));
  assert.deepEqual(server.arrivals, [0, 1]);
  assert.deepEqual(r.errors, []);
});

test(
  'stream idle: one ahead that cannot be opened is reported and not tried again',
  LIMIT,
  async (t) => {
    const server = await serveStreams(t, answerStream);
    const r = streamRig(t, server.port, {
      keepsWarm: true,
      remote: { address: '127.0.0.1', port: 1 },
    });
    r.pool.warm();
    await until(() => r.errors.length > 0);
    assert.match(r.errors[0] ?? '', /ECONNREFUSED/);
    assert.equal(r.pool.connections, 0);
    assert.equal(r.metrics.value('ahead'), 1);
  },
);

test('stream idle: bytes that drip do not keep a connection alive', LIMIT, async (t) => {
  let dripped = 0;
  const server = await serveStreams(t, (query, socket, connection) => {
    if (connection > 0) socket.write(streamReply(query));
  });
  const r = streamRig(t, server.port);
  const x = r.send('first.example.org');
  await until(() => server.arrivals.length === 1);
  // A message of 65535 bytes begins, and time passes with each byte.
  for (const byte of [0xff, 0xff, 1, 2, 3]) {
    server.sockets[0]?.write(Uint8Array.of(byte), () => dripped++);
    await until(() => dripped === server.sockets[0]?.bytesWritten);
    await new Promise((resolve) => setTimeout(resolve, 2));
    r.clock.advance(400);
  }
  r.pool.cancel(x, true);
  r.owner.pool.give(x);
  assert.equal(r.pool.connections, 0);
  rcodeOf(await r.ask('second.example.org'));
  assert.deepEqual(server.arrivals, [0, 1]);
});

test('stream idle: a late reply shows that the connection lives', LIMIT, async (t) => {
  const held: (() => void)[] = [];
  const server = await serveStreams(t, (query, socket) => {
    held.push(() => socket.write(streamReply(query)));
  });
  const r = streamRig(t, server.port);
  const late = r.send('late.example.org');
  r.clock.advance(1000);
  const slow = r.send('slow.example.org');
  await until(() => held.length === 2);
  r.pool.cancel(late, false);
  r.owner.pool.give(late);
  r.clock.advance(500);
  held[0]?.();
  await until(() => r.metrics.value('unexpected') === 1);
  r.clock.advance(1500);
  r.pool.cancel(slow, true);
  r.owner.pool.give(slow);
  assert.equal(r.pool.connections, 1);
});

test(
  'stream idle: queries of a dead connection are sent on a fresh one when it had answered',
  LIMIT,
  async (t) => {
    const server = await serveStreams(t, (query, socket, connection) => {
      if (connection > 0 || server.arrivals.length === 1) socket.write(streamReply(query));
    });
    const r = streamRig(t, server.port);
    rcodeOf(await r.ask('first.example.org'));
    r.clock.advance(1);
    const dead = r.send('dead.example.org');
    const other = r.ask('other.example.org');
    await until(() => server.arrivals.length === 3);
    r.clock.advance(2000);
    r.pool.cancel(dead, true);
    r.owner.pool.give(dead);
    rcodeOf(await other);
    assert.deepEqual(server.arrivals, [0, 0, 0, 1]);
    assert.notEqual(await r.ask('last.example.org'), Failure.NETWORK);
  },
);
