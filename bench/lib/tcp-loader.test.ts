import assert from 'node:assert/strict';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { FrameReader } from '../../core/server/frame-reader.js';
import { runTcpLoad } from './tcp-loader.js';

const LIMIT = { timeout: 20_000 };
const QR = 0x80;
const NXDOMAIN = 3;

/** A server on loopback that is given each message, length in front; returns its port. */
async function serve(
  t: TestContext,
  onMessage: (frame: Buffer, socket: Socket) => void,
): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    const frames = new FrameReader((wire) => {
      onMessage(Buffer.from([wire.length >> 8, wire.length & 255, ...wire]), socket);
    });
    socket.on('data', (chunk) => frames.push(chunk));
    socket.on('error', () => socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return (server.address() as AddressInfo).port;
}

test(
  'a TCP load keeps its window on every connection and counts answers by rcode',
  LIMIT,
  async (t) => {
    const outstanding = new Map<Socket, number>();
    let most = 0;
    const port = await serve(t, (frame, socket) => {
      const count = (outstanding.get(socket) ?? 0) + 1;
      outstanding.set(socket, count);
      most = Math.max(most, count);
      frame[4] = QR;
      frame[5] = NXDOMAIN;
      setImmediate(() => {
        outstanding.set(socket, (outstanding.get(socket) as number) - 1);
        // Answers may be cut anywhere.
        socket.write(frame.subarray(0, 7));
        socket.write(frame.subarray(7));
      });
    });
    const result = await runTcpLoad({ port, seconds: 0.3, connections: 5, window: 4 });
    assert.equal(outstanding.size, 5);
    assert.equal(most, 4);
    assert.ok(result.received > 20 && result.sent - result.received <= 20, `${result.received}`);
    assert.equal(result.rcodes[NXDOMAIN], result.received);
    assert.equal(result.unexpected, 0);
    assert.ok(result.busy > 0 && result.p50 > 0 && result.p50 <= result.p99);
  },
);

test('a TCP load fails when the server closes a connection', LIMIT, async (t) => {
  const port = await serve(t, (_frame, socket) => socket.destroy());
  await assert.rejects(runTcpLoad({ port, seconds: 5, connections: 2 }), /closed|ECONNRESET/);
});
