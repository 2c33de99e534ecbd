// What only the batched layer does: wildcard sockets, descriptors of the main thread, worker threads that end.
import assert from 'node:assert/strict';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { needIpv6 } from '../../test/lib/tools.js';
import { decodeAddress } from './address.js';
import { createSocketLayer, isBatchedIo } from './layer.js';
import { closeFd, dupFd, localPortOf, openUdp } from './open.js';
import type { Batch, Endpoint, SocketLayer, UdpSocket } from './sockets.js';

const skip = isBatchedIo() ? false : 'no system calls here';
const options = { skip, timeout: 10_000 };
const ANY: Endpoint = { address: '0.0.0.0', port: 0 };
const LOOPBACK: Endpoint = { address: '127.0.0.1', port: 0 };

test('a wildcard socket answers from the address that was asked', options, async (t) => {
  const layer = layerOf(t);
  const { socket, locals } = await echo(t, layer, undefined, ANY);
  for (const address of ['127.0.0.1', '127.0.0.2', '127.0.0.3']) {
    // A connected client never sees an answer from any other address.
    const client = await clientOf(t, { address, port: socket.localPort });
    client.send(address);
    assert.equal(await textFrom(client), address);
    assert.deepEqual(locals.at(-1), { address, port: socket.localPort });
  }
});

const overIpv6 = { ...options, ...needIpv6() };

test('an IPv6 wildcard socket answers from the address that was asked', overIpv6, async (t) => {
  const layer = layerOf(t);
  const { socket, locals } = await echo(t, layer, undefined, { address: '::', port: 0 });
  const client = await clientOf(t, { address: '::1', port: socket.localPort });
  client.send('six');
  assert.equal(await textFrom(client), 'six');
  assert.deepEqual(locals, [{ address: '::1', port: socket.localPort }]);
});

test('a batch serves wildcard and other sockets in turn', options, async (t) => {
  const layer = layerOf(t);
  const batch = layer.createBatch(4, 64);
  const any = await echo(t, layer, undefined, ANY, batch);
  const one = await echo(t, layer, undefined, LOOPBACK, batch);
  const clients = [
    await clientOf(t, { address: '127.0.0.2', port: any.socket.localPort }),
    await clientOf(t, { ...LOOPBACK, port: one.socket.localPort }),
  ];
  for (let round = 0; round < 3; round++) {
    for (const client of clients) {
      client.send(`${round}`);
      assert.equal(await textFrom(client), `${round}`);
    }
  }
  assert.deepEqual(one.locals, [undefined, undefined, undefined]);
});

test(
  'a socket bound to an address is preferred to the wildcard on its port',
  options,
  async (t) => {
    const layer = layerOf(t);
    const fd = openFor(t, ANY);
    const port = localPortOf(fd);
    const any = await echo(t, layer, fd, { ...ANY, port });
    const one = await echo(t, layer, openFor(t, { ...LOOPBACK, port }), { ...LOOPBACK, port });
    for (const address of ['127.0.0.1', '127.0.0.2']) {
      const client = await clientOf(t, { address, port });
      client.send('x');
      await textFrom(client);
    }
    assert.equal(one.locals.length, 1);
    assert.deepEqual(any.locals, [{ address: '127.0.0.2', port }]);
  },
);

test('closing a socket leaves the descriptor it was given open', options, async (t) => {
  const fd = openFor(t, LOOPBACK);
  const port = localPortOf(fd);
  for (let generation = 0; generation < 3; generation++) {
    const layer = createSocketLayer({ force: 'mmsg' });
    const { socket } = await echo(t, layer, fd, { ...LOOPBACK, port });
    const client = await clientOf(t, { ...LOOPBACK, port });
    client.send('x');
    await textFrom(client);
    socket.close();
    await layer.stop();
  }
  assert.equal(localPortOf(fd), port);
});

test('what a paused socket leaves is for the next owner of the descriptor', options, async (t) => {
  const [first, second] = [layerOf(t), layerOf(t)];
  const fd = openFor(t, LOOPBACK);
  const port = localPortOf(fd);
  const old = await echo(t, first, fd, { ...LOOPBACK, port });
  old.socket.pause();
  const client = await clientOf(t, { ...LOOPBACK, port });
  for (let i = 0; i < 5; i++) client.send('x');
  const copy = dupFd(fd);
  t.after(() => closeFd(copy));
  const fresh = await echo(t, second, copy, { ...LOOPBACK, port });
  await textFrom(client);
  while (fresh.locals.length < 5) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(old.locals.length, 0);
});

test('connect refuses with a code what the kernel refuses', options, (t) => {
  const layer = layerOf(t);
  const connect = (address: string, local?: string) =>
    layer.connect({ address, port: 53 }, local, () => undefined);
  assert.throws(() => connect('255.255.255.255'), {
    code: 'EACCES',
    message: 'cannot connect to 255.255.255.255:53/udp: permission denied (EACCES)',
  });
  assert.throws(() => connect('127.0.0.1', '192.0.2.1'), { code: 'EADDRNOTAVAIL' });
  assert.throws(() => connect('upstream.example.org'), {
    message: '"upstream.example.org" is not an IP address',
  });
});

test('an error that a send meets is given to the owner', options, async (t) => {
  const layer = layerOf(t);
  const closed = openUdp(LOOPBACK);
  const remote = { ...LOOPBACK, port: localPortOf(closed) };
  closeFd(closed);
  const batch = layer.createBatch(2, 64);
  const results: number[] = [];
  const socket = layer.connect(remote, undefined, (s) => results.push(s.receive(batch)));
  t.after(() => socket.close());
  layer.start();
  // On loopback the refusal of the first is there before the second is sent, whose system call takes it from the socket.
  assert.equal(socket.send(batch, 0, 1), 1);
  assert.equal(socket.send(batch, 1, 1), 1);
  while (results.length === 0) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(results[0], -111);
});

test('a layer that is stopped leaves no descriptor and lets its thread end', options, async () => {
  const before = descriptors();
  const worker = startWorker(`
    const socket = await layer.listen(undefined, { address: '127.0.0.1', port: 0 }, () => {});
    const other = layer.connect({ address: '127.0.0.1', port: 53 }, undefined, () => {});
    layer.start();
    await new Promise((resolve) => setTimeout(resolve, 20));
    socket.close();
    other.close();
    await layer.stop();
  `);
  const [code] = await once(worker, 'exit');
  assert.equal(code, 0);
  assert.equal(descriptors(), before);
});

test('a worker that throws while it waits ends, and leaves no descriptor', options, async () => {
  const before = descriptors();
  const worker = startWorker(`
    await layer.listen(undefined, { address: '127.0.0.1', port: 0 }, () => {});
    layer.connect({ address: '127.0.0.1', port: 53 }, undefined, () => {});
    layer.start();
    setTimeout(() => { throw new Error('fault'); }, 50);
  `);
  // Both may come in one turn of the event loop: whoever listens for the second after the first misses it.
  const exited = new Promise((resolve) => worker.once('exit', resolve));
  const error = await new Promise<Error>((resolve) => worker.once('error', resolve));
  assert.equal(error.message, 'fault');
  assert.equal(await exited, 1);
  assert.equal(descriptors(), before);
});

test('an exception in a callback reaches the thread and the layer goes on', options, async (t) => {
  const worker = startWorker(`
    const { parentPort } = await import('node:worker_threads');
    const batch = layer.createBatch(4, 64);
    process.on('uncaughtException', (error) => parentPort.postMessage(error.message));
    const socket = await layer.listen(undefined, { address: '127.0.0.1', port: 0 }, (s) => {
      const count = s.receive(batch);
      if (batch.data[0][0] === 0x21) throw new Error('fault');
      s.send(batch, 0, count);
    });
    layer.start();
    parentPort.postMessage(socket.localPort);
  `);
  t.after(() => worker.terminate());
  const [port] = (await once(worker, 'message')) as [number];
  const client = await clientOf(t, { ...LOOPBACK, port });
  const fault = once(worker, 'message');
  client.send('!');
  assert.deepEqual(await fault, ['fault']);
  client.send('still there');
  assert.equal(await textFrom(client), 'still there');
});

function layerOf(t: TestContext): SocketLayer {
  const layer = createSocketLayer({ force: 'mmsg' });
  t.after(() => layer.stop());
  return layer;
}

function openFor(t: TestContext, endpoint: Endpoint): number {
  const fd = openUdp(endpoint, { reusePort: true });
  t.after(() => closeFd(fd));
  return fd;
}

/** Sends back what it gets and notes the local address of each. */
async function echo(
  t: TestContext,
  layer: SocketLayer,
  fd: number | undefined,
  endpoint: Endpoint,
  batch: Batch = layer.createBatch(4, 64),
): Promise<{ socket: UdpSocket; locals: (Endpoint | undefined)[] }> {
  const locals: (Endpoint | undefined)[] = [];
  const socket = await layer.listen(fd, endpoint, (from) => {
    const count = from.receive(batch);
    for (let i = 0; i < count; i++) locals.push(decodeAddress(batch.locals[i] as Uint8Array));
    from.send(batch, 0, count);
  });
  t.after(() => socket.close());
  layer.start();
  return { socket, locals };
}

async function clientOf(t: TestContext, remote: Endpoint): Promise<Socket> {
  const client = createSocket(remote.address.includes(':') ? 'udp6' : 'udp4');
  t.after(() => client.close());
  client.connect(remote.port, remote.address);
  await once(client, 'connect');
  return client;
}

async function textFrom(socket: Socket): Promise<string> {
  const [bytes] = (await once(socket, 'message')) as [Buffer];
  return bytes.toString();
}

/** A thread that runs `body` with a `layer`. */
function startWorker(body: string): Worker {
  const file = new URL('./layer.js', import.meta.url).href;
  const code = `(async () => {
    const { createSocketLayer } = await import(${JSON.stringify(file)});
    const layer = createSocketLayer({ force: 'mmsg' });
    ${body}
  })();`;
  return new Worker(code, { eval: true });
}

function descriptors(): number {
  return readdirSync('/proc/self/fd').length;
}
