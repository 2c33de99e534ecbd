// From which ports connected sockets send: what somebody who forges answers has to guess (RFC 5452 section 4.5). And whom they hear.
import assert from 'node:assert/strict';
import { createSocket, Socket } from 'node:dgram';
import { once } from 'node:events';
import test, { type TestContext } from 'node:test';
import { addressBytes } from './address.js';
import { createSocketLayer, isBatchedIo } from './layer.js';
import { requireLibc } from './libc.js';
import { closeFd, localPortOf, openUdp } from './open.js';

const FIRST_PORT = 1024;
const PORTS = 64_512;
const BUCKETS = 16;
const SOCKETS = 640;

/** The ports of sockets to one address, opened one after the other and closed again, as a pool that replaces them does. */
async function drawPorts(t: TestContext, force: 'mmsg' | 'dgram'): Promise<readonly number[]> {
  const layer = createSocketLayer({ force });
  t.after(() => layer.stop());
  const ports: number[] = [];
  for (let i = 0; i < SOCKETS; i++) {
    const socket = layer.connect({ address: '127.0.0.1', port: 53 }, undefined, () => {});
    while (socket.localPort === 0) await new Promise((resolve) => setImmediate(resolve));
    ports.push(socket.localPort);
    socket.close();
  }
  return ports;
}

for (const force of ['mmsg', 'dgram'] as const) {
  const skip = force === 'mmsg' && !isBatchedIo() ? 'no system calls here' : false;
  test(`source ports: ${force}: all above 1023 are equally likely, none tells the next`, {
    skip,
    timeout: 60_000,
  }, async (t) => {
    const ports = await drawPorts(t, force);
    const counts = new Array<number>(BUCKETS).fill(0);
    for (const port of ports) {
      assert.ok(port >= FIRST_PORT);
      const bucket = Math.floor(((port - FIRST_PORT) * BUCKETS) / PORTS);
      counts[bucket] = (counts[bucket] as number) + 1;
    }
    // 40 each with a deviation of 6: 12 or 75 come about once in a million runs.
    for (const count of counts) assert.ok(count > 12 && count < 75, counts.join(' '));
    // Two ports are less than 1024 apart in 1 case of 32, so 20 of these with a deviation of 4.4.
    const near = ports.slice(1).filter((port, i) => Math.abs(port - (ports[i] as number)) < 1024);
    assert.ok(near.length < 50, String(near.length));
    // Some three pairs of 640 are the same by chance.
    assert.ok(new Set(ports).size > SOCKETS - 20);
  });
}

/** Makes every socket that is connected hear from a stranger first: between the two calls that bind and connect it. */
function strangersBefore(t: TestContext, force: 'mmsg' | 'dgram'): void {
  if (force === 'mmsg') {
    const libc = requireLibc();
    const { connect } = libc;
    const stranger = openUdp({ address: '127.0.0.1', port: 0 });
    t.after(() => {
      libc.connect = connect;
      closeFd(stranger);
    });
    libc.connect = (fd, address, length) => {
      const to = addressBytes({ address: '127.0.0.1', port: localPortOf(fd) });
      for (let i = 0; i < 3; i++) libc.sendto(stranger, Buffer.from('x'), 1, 0, to, to.length);
      return connect(fd, address, length);
    };
    return;
  }
  const stranger = createSocket('udp4');
  // As it is called here: port, address, what to do then.
  const prototype = Socket.prototype as {
    connect(port: number, address: string, done: () => void): void;
  };
  const { connect } = prototype;
  t.after(() => {
    prototype.connect = connect;
    stranger.close();
  });
  prototype.connect = function (this: Socket, port, address, done): void {
    this.once('message', () => connect.call(this, port, address, done));
    stranger.send('x', this.address().port, '127.0.0.1');
  };
}

for (const force of ['mmsg', 'dgram'] as const) {
  const skip = force === 'mmsg' && !isBatchedIo() ? 'no system calls here' : false;
  test(`source ports: ${force}: what came before a socket was connected is not heard`, {
    skip,
    timeout: 60_000,
  }, async (t) => {
    const server = createSocket('udp4');
    server.bind(0, '127.0.0.1');
    await once(server, 'listening');
    t.after(() => server.close());
    server.on('message', (raw, from) => server.send(raw, from.port, from.address));
    strangersBefore(t, force);
    const layer = createSocketLayer({ force });
    const batch = layer.createBatch(8, 64);
    const heard: string[] = [];
    const remote = { address: '127.0.0.1', port: server.address().port };
    const socket = layer.connect(remote, undefined, (from) => {
      const count = from.receive(batch);
      for (let i = 0; i < count; i++) {
        heard.push(Buffer.from(batch.data[i]?.slice(0, batch.lengths[i]) ?? []).toString());
      }
    });
    t.after(async () => {
      socket.close();
      await layer.stop();
    });
    layer.start();
    const question = batch.data[0] as Uint8Array;
    question.set(Buffer.from('question'));
    batch.lengths[0] = 8;
    assert.equal(socket.send(batch, 0, 1), 1);
    while (heard.length === 0) await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(heard, ['question']);
  });
}
