import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSocketLayer, isBatchedIo } from '../../core/system/layer.js';
import { runLoad } from './load-process.js';

const options = { skip: isBatchedIo() ? false : 'no system calls here', timeout: 20_000 };
const QR = 0x80;
const NXDOMAIN = 3;

test('a load counts answers by rcode, and what is lost', options, async (t) => {
  const layer = createSocketLayer();
  t.after(() => layer.stop());
  const batch = layer.createBatch(64, 512);
  let received = 0;
  const server = await layer.listen(undefined, { address: '127.0.0.1', port: 0 }, (socket) => {
    const count = socket.receive(batch);
    for (let i = 0; i < count; i++) {
      const wire = batch.data[i] as Uint8Array;
      wire[2] = QR;
      wire[3] = NXDOMAIN;
      // Every tenth stays without an answer.
      if (++received % 10 !== 0) socket.send(batch, i, 1);
    }
  });
  t.after(() => server.close());
  layer.start();
  const result = await runLoad({
    port: server.localPort,
    seconds: 0.5,
    rate: 2000,
    sockets: 2,
    window: 200,
    timeoutMs: 100,
  });
  assert.ok(result.sent > 500 && result.sent < 1500, `${result.sent} sent`);
  assert.equal(result.rcodes[NXDOMAIN], result.received);
  const unanswered = Math.floor(received / 10);
  assert.ok(result.lost > 0 && result.lost <= unanswered, `${result.lost} of ${unanswered} lost`);
  assert.ok(result.received >= result.sent - unanswered - 400, `${result.received} received`);
  assert.ok(result.p50 > 0 && result.p50 <= result.p99 && result.p99 <= result.max + 1);
});

test(
  'a load of so many queries ends when they are answered, bursts among them',
  options,
  async (t) => {
    const layer = createSocketLayer();
    t.after(() => layer.stop());
    const batch = layer.createBatch(64, 512);
    const server = await layer.listen(undefined, { address: '127.0.0.1', port: 0 }, (socket) => {
      const count = socket.receive(batch);
      for (let i = 0; i < count; i++) (batch.data[i] as Uint8Array)[2] = QR;
      if (count > 0) socket.send(batch, 0, count);
    });
    t.after(() => server.close());
    layer.start();
    const limits = { port: server.localPort, queries: 500, seconds: 15, sockets: 2, window: 100 };
    const full = await runLoad(limits);
    assert.equal(full.sent, 500);
    assert.equal(full.received + full.lost, 500);
    // At this rate alone 500 queries would take over 8 minutes.
    const burst = await runLoad({ ...limits, rate: 1, burst: 250, burstMs: 50 });
    assert.equal(burst.sent, 500);
    assert.ok(burst.seconds < 10, `${burst.seconds} s`);
  },
);
