// The contract of sockets.ts, for both layers: what one does the other must do.
import assert from 'node:assert/strict';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { constants as os } from 'node:os';
import { type TestContext, test } from 'node:test';
import { type Need, needIpv6 } from '../../test/lib/tools.js';
import { foldPlaced } from '../simd/kernels.js';
import { decodeAddress, encodeAddress } from './address.js';
import { createSocketLayer, isBatchedIo } from './layer.js';
import type { Batch, Endpoint, SocketLayer, UdpSocket } from './sockets.js';

const CAPACITY = 4;
const SLOT_BYTES = 128;

const layers = [
  { kind: 'mmsg', skip: isBatchedIo() ? false : 'no system calls here' },
  { kind: 'dgram', skip: false },
] as const;

for (const { kind, skip } of layers) {
  const contract = (
    name: string,
    body: (t: TestContext, layer: SocketLayer) => Promise<void>,
    need: Need = {},
  ) =>
    test(`${kind}: ${name}`, { skip, timeout: 10_000, ...need }, async (t) => {
      const layer = createSocketLayer({ force: kind });
      t.after(() => layer.stop());
      await body(t, layer);
    });

  for (const address of ['127.0.0.1', '::1']) {
    const body = async (t: TestContext, layer: SocketLayer): Promise<void> => {
      const server = await echo(t, layer, { address, port: 0 });
      const client = await clientOf(t, { address, port: server.localPort });
      client.send('hello');
      assert.equal(await textFrom(client), 'hello');
      assert.equal(server.family, address === '::1' ? 6 : 4);
    };
    const need = address === '::1' ? needIpv6() : {};
    contract(`a datagram to ${address} comes back to its sender`, body, need);
  }

  contract('batches of 1 to capacity + 1 datagrams are all answered', async (t, layer) => {
    const server = await echo(t, layer, LOOPBACK);
    const client = await clientOf(t, { ...LOOPBACK, port: server.localPort });
    for (let size = 1; size <= CAPACITY + 1; size++) {
      const wanted = Array.from({ length: size }, (_, i) => `${size}/${i}`);
      const answers = textsFrom(client, size);
      for (const text of wanted) client.send(text);
      assert.deepEqual((await answers).sort(), wanted);
    }
  });

  contract(
    'a datagram longer than a slot has length -1, its neighbours arrive',
    async (t, layer) => {
      const batch = layer.createBatch(CAPACITY, SLOT_BYTES);
      const lengths: number[] = [];
      const done = defer<void>();
      const server = await listenOn(t, layer, (socket) => {
        const count = socket.receive(batch);
        lengths.push(...batch.lengths.subarray(0, count));
        if (lengths.length === 3) done.resolve();
      });
      const client = await clientOf(t, { ...LOOPBACK, port: server.localPort });
      for (const size of [SLOT_BYTES, SLOT_BYTES + 1, 0]) client.send(Buffer.alloc(size));
      await done.promise;
      assert.deepEqual(lengths, [SLOT_BYTES, -1, 0]);
    },
  );

  contract('slots made for the name kernels lie where those see them', async (t, layer) => {
    const plain = layer.createBatch(CAPACITY, SLOT_BYTES);
    assert.deepEqual([...plain.kernelAt], new Array(CAPACITY).fill(-1));
    const batch = layer.createBatch(CAPACITY, SLOT_BYTES, true);
    const done = defer<void>();
    const server = await listenOn(t, layer, (socket) => {
      if (socket.receive(batch) > 0) done.resolve();
    });
    const client = await clientOf(t, { ...LOOPBACK, port: server.localPort });
    client.send(Buffer.from('\x03WwW\x00'));
    await done.promise;
    // A datagram is the first of its batch; the slots after it are told apart by what is put there.
    for (let slot = 1; slot < CAPACITY; slot++) put(batch, slot, `\x02A${slot}\x00`);
    for (let slot = 0; slot < CAPACITY; slot++) {
      const at = batch.kernelAt[slot] as number;
      const into = new Uint32Array(64);
      const text = slot === 0 ? '\x03www' : `\x02a${slot}`;
      assert.equal(foldPlaced(at, at + 10, into), ((text.length + 1) << 8) | 1);
      assert.equal(Buffer.from(into.buffer, 0, text.length).toString(), text);
    }
  });

  contract('the peer of a datagram is its sender', async (t, layer) => {
    const batch = layer.createBatch(CAPACITY, SLOT_BYTES);
    const peer = defer<Endpoint | undefined>();
    const server = await listenOn(t, layer, (socket) => {
      if (socket.receive(batch) === 1) peer.resolve(decodeAddress(batch.peers[0] as Uint8Array));
    });
    const client = await clientOf(t, { ...LOOPBACK, port: server.localPort });
    client.send('x');
    assert.deepEqual(await peer.promise, { ...LOOPBACK, port: client.address().port });
    assert.equal((batch.locals[0] as Uint8Array)[0], 0);
  });

  contract('nothing is received before start', async (t, layer) => {
    const server = await echo(t, layer, LOOPBACK, false);
    const client = await clientOf(t, { ...LOOPBACK, port: server.localPort });
    client.send('early');
    await turns(5);
    assert.equal(layer.stats.batches, 0);
    layer.start();
    assert.equal(await textFrom(client), 'early');
  });

  contract('a connected socket exchanges datagrams from a port of its own', async (t, layer) => {
    const upstream = await upstreamOf(t);
    const batch = layer.createBatch(CAPACITY, SLOT_BYTES);
    const answer = defer<string>();
    const socket = layer.connect(upstream.address(), undefined, (from) => {
      if (from.receive(batch) > 0) answer.resolve(textIn(batch, 0));
    });
    t.after(() => socket.close());
    layer.start();
    put(batch, 0, 'question');
    assert.equal(socket.send(batch, 0, 1), 1);
    assert.equal(await answer.promise, 'question');
    assert.ok(socket.localPort >= 1024);
  });

  contract('a connected socket reports a closed port as -ECONNREFUSED', async (t, layer) => {
    const closed = await upstreamOf(t);
    const remote = closed.address();
    closed.close();
    const batch = layer.createBatch(CAPACITY, SLOT_BYTES);
    const result = defer<number>();
    const socket = layer.connect(remote, '127.0.0.1', (from) => {
      const count = from.receive(batch);
      if (count !== 0) result.resolve(count);
    });
    t.after(() => socket.close());
    layer.start();
    put(batch, 0, 'x');
    put(batch, 1, 'y');
    socket.send(batch, 0, 2);
    assert.equal(await result.promise, -os.errno.ECONNREFUSED);
  });

  contract('a peer that cannot be sent to does not keep the others from it', async (t, layer) => {
    const server = await listenOn(t, layer, () => undefined);
    const client = await upstreamOf(t);
    const batch = layer.createBatch(CAPACITY, SLOT_BYTES);
    for (let i = 0; i < 3; i++) {
      put(batch, i, `answer ${i}`);
      encodeAddress(client.address(), batch.peers[i] as Uint8Array);
    }
    encodeAddress({ ...LOOPBACK, port: 0 }, batch.peers[1] as Uint8Array);
    const answers = textsFrom(client, 2);
    assert.equal(server.send(batch, 0, 3), 2);
    assert.deepEqual((await answers).sort(), ['answer 0', 'answer 2']);
  });

  contract('a port that is taken rejects with address, port and cause', async (t, layer) => {
    const first = await echo(t, layer, LOOPBACK);
    const again = layer.listen(undefined, { ...LOOPBACK, port: first.localPort }, () => undefined);
    await assert.rejects(again, {
      code: 'EADDRINUSE',
      message: `cannot listen on 127.0.0.1:${first.localPort}/udp: address already in use (EADDRINUSE)`,
    });
  });

  contract('flush hooks run after readable sockets, and when asked for', async (t, layer) => {
    const calls: string[] = [];
    const flushed = [defer<void>(), defer<void>()] as const;
    layer.onFlush(() => {
      calls.push('flush');
      flushed[calls.includes('readable') ? 1 : 0].resolve();
    });
    layer.requestFlush();
    layer.requestFlush();
    await flushed[0].promise;
    assert.deepEqual(calls.splice(0), ['flush']);
    const batch = layer.createBatch(CAPACITY, SLOT_BYTES);
    const server = await listenOn(t, layer, (socket) => {
      socket.receive(batch);
      calls.push('readable');
    });
    const client = await clientOf(t, { ...LOOPBACK, port: server.localPort });
    client.send('x');
    await flushed[1].promise;
    assert.deepEqual(calls.slice(0, 2), ['readable', 'flush']);
  });

  contract('a flush asked for inside of a hook runs it again', async (_t, layer) => {
    const again = defer<void>();
    let calls = 0;
    layer.onFlush(() => {
      if (++calls === 1) layer.requestFlush();
      else again.resolve();
    });
    layer.requestFlush();
    await again.promise;
    await turns(5);
    assert.equal(calls, 2);
  });

  contract('a flush hook that is taken out is not run again, the others are', async (_t, layer) => {
    const calls: string[] = [];
    const flushed = [defer<void>(), defer<void>()] as const;
    const takeOut = layer.onFlush(() => {
      calls.push('first');
      takeOut();
    });
    layer.onFlush(() => {
      calls.push('second');
      flushed[calls.length === 2 ? 0 : 1].resolve();
    });
    layer.requestFlush();
    await flushed[0].promise;
    layer.requestFlush();
    await flushed[1].promise;
    assert.deepEqual(calls, ['first', 'second', 'second']);
  });

  contract('a socket closed in the middle of traffic is not called again', async (t, layer) => {
    const batch = layer.createBatch(1, SLOT_BYTES);
    let calls = 0;
    const server = await listenOn(t, layer, (socket) => {
      calls++;
      socket.receive(batch);
      socket.close();
    });
    const client = await clientOf(t, { ...LOOPBACK, port: server.localPort });
    client.on('error', () => undefined);
    const probe = await echo(t, layer, LOOPBACK);
    for (let i = 0; i < 20; i++) client.send(`${i}`);
    const other = await clientOf(t, { ...LOOPBACK, port: probe.localPort });
    other.send('still there');
    assert.equal(await textFrom(other), 'still there');
    assert.equal(calls, 1);
    assert.equal(server.receive(batch), 0);
    assert.equal(server.send(batch, 0, 1), 0);
  });

  contract('a paused socket receives nothing and still sends', async (t, layer) => {
    const client = await upstreamOf(t);
    let calls = 0;
    const server = await listenOn(t, layer, () => calls++);
    server.pause();
    client.send('x', server.localPort, '127.0.0.1');
    const probe = await echo(t, layer, LOOPBACK);
    const other = await clientOf(t, { ...LOOPBACK, port: probe.localPort });
    other.send('y');
    await textFrom(other);
    assert.equal(calls, 0);
    const batch = layer.createBatch(CAPACITY, SLOT_BYTES);
    put(batch, 0, 'late answer');
    encodeAddress(client.address(), batch.peers[0] as Uint8Array);
    const answers = textsFrom(client, 1);
    server.send(batch, 0, 1);
    assert.deepEqual(await answers, ['late answer']);
  });
}

const LOOPBACK: Endpoint = { address: '127.0.0.1', port: 0 };

async function listenOn(
  t: TestContext,
  layer: SocketLayer,
  onReadable: (socket: UdpSocket) => void,
): Promise<UdpSocket> {
  const socket = await layer.listen(undefined, LOOPBACK, onReadable);
  t.after(() => socket.close());
  layer.start();
  return socket;
}

/** A server that sends back what it gets. */
async function echo(
  t: TestContext,
  layer: SocketLayer,
  endpoint: Endpoint,
  isStarted = true,
): Promise<UdpSocket> {
  const batch = layer.createBatch(CAPACITY, SLOT_BYTES);
  const socket = await layer.listen(undefined, endpoint, (from) => {
    const count = from.receive(batch);
    if (count > 0) assert.equal(from.send(batch, 0, count), count);
  });
  t.after(() => socket.close());
  if (isStarted) layer.start();
  return socket;
}

/** A connected client: it gets nothing that does not come from the very address it asked. */
async function clientOf(t: TestContext, remote: Endpoint): Promise<Socket> {
  const client = createSocket(remote.address.includes(':') ? 'udp6' : 'udp4');
  t.after(() => client.close());
  client.connect(remote.port, remote.address);
  await once(client, 'connect');
  return client;
}

/** An unconnected socket that sends back what it gets. */
async function upstreamOf(t: TestContext): Promise<Socket> {
  const socket = createSocket('udp4');
  let isOpen = true;
  socket.once('close', () => {
    isOpen = false;
  });
  t.after(() => isOpen && socket.close());
  socket.on('message', (bytes, from) => {
    if (bytes.toString() === 'question') socket.send(bytes, from.port, from.address);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return socket;
}

async function textFrom(socket: Socket): Promise<string> {
  const [bytes] = (await once(socket, 'message')) as [Buffer];
  return bytes.toString();
}

function textsFrom(socket: Socket, count: number): Promise<string[]> {
  const { promise, resolve } = defer<string[]>();
  const texts: string[] = [];
  socket.on('message', function take(bytes) {
    if (texts.push(bytes.toString()) < count) return;
    socket.off('message', take);
    resolve(texts);
  });
  return promise;
}

function put(batch: Batch, slot: number, text: string): void {
  (batch.data[slot] as Uint8Array).set(Buffer.from(text));
  batch.lengths[slot] = text.length;
}

function textIn(batch: Batch, slot: number): string {
  return Buffer.from((batch.data[slot] as Uint8Array).slice(0, batch.lengths[slot])).toString();
}

interface Deferred<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
}

function defer<T>(): Deferred<T> {
  let resolve: (value: T) => void = () => undefined;
  const promise = new Promise<T>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

/** Lets the event loop go round a few times. */
async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
}
