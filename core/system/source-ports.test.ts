// From which ports connected sockets send: what somebody who forges answers has to guess (RFC 5452 section 4.5).
import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import { createSocketLayer, isBatchedIo } from './layer.js';

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
