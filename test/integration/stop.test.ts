// A stop while clients wait: what was received is answered, then the process ends.
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import test from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { FakeUpstream } from '../../core/testing.js';
import { queryBytes } from '../lib/client.js';
import { startHeimdall } from '../lib/heimdall.js';
import { freePort } from '../lib/ports.js';

const UDP_QUERIES = 200;
const TCP_QUERIES = 50;
const STOP_LIMIT_MS = 5_000;

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  test(`stop: ${signal} loses no query in flight, over UDP and TCP`, async (t) => {
    const { upstream, allArrived, release } = await startSlowUpstream(UDP_QUERIES + TCP_QUERIES);
    t.after(() => upstream.stop());
    const port = await freePort();
    const heimdall = await startHeimdall(`.:${port} {
    bind 127.0.0.1
    errors
    cache
    dedupe
    forward . ${upstream.address}
}
`);
    t.after(() => heimdall.stop());

    const udp = createSocket('udp4');
    t.after(() => udp.close());
    const overUdp = new Set<number>();
    udp.on('message', (message) => overUdp.add(message.readUInt16BE(0)));
    for (let id = 0; id < UDP_QUERIES; id++) {
      udp.send(queryBytes(`u${id}.example.org`, 'A', { id }), port, '127.0.0.1');
    }
    const tcp = connect(port, '127.0.0.1');
    t.after(() => tcp.destroy());
    const overTcp = collectFrames(tcp);
    for (let id = 0; id < TCP_QUERIES; id++) {
      const message = queryBytes(`t${id}.example.org`, 'A', { id });
      tcp.write(Buffer.concat([Buffer.from([0, message.length]), message]));
    }

    await allArrived;
    const stoppedMs = performance.now();
    const stopped = heimdall.stop(signal);
    // Long enough for the signal to be taken up: the stop has begun when the upstream answers.
    await sleep(200);
    release();
    assert.equal(await stopped, 0);
    assert.ok(performance.now() - stoppedMs < STOP_LIMIT_MS);
    assert.equal(overUdp.size, UDP_QUERIES);
    assert.equal((await overTcp).size, TCP_QUERIES);
  });
}

/** An upstream that answers nothing until `release`; `allArrived` resolves with the last of `count` queries. */
async function startSlowUpstream(count: number): Promise<{
  upstream: FakeUpstream;
  allArrived: Promise<void>;
  release: () => void;
}> {
  let release = (): void => {};
  let arrived = (): void => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const allArrived = new Promise<void>((resolve) => {
    arrived = resolve;
  });
  const upstream = await FakeUpstream.start(async (query) => {
    // Each name once: what is late may have been sent again.
    if (new Set(upstream.queries.map(({ name }) => name)).size >= count) arrived();
    await released;
    const name = query.questions?.[0]?.name ?? '';
    return { answers: [{ name, type: 'A', ttl: 60, data: '192.0.2.1' }] };
  });
  return { upstream, allArrived, release };
}

/** Ids of the framed messages that come until the connection ends. */
async function collectFrames(socket: AsyncIterable<Buffer>): Promise<Set<number>> {
  const ids = new Set<number>();
  let got = Buffer.alloc(0);
  for await (const chunk of socket) {
    got = Buffer.concat([got, chunk]);
    while (got.length >= 4 && got.length >= 2 + got.readUInt16BE(0)) {
      ids.add(got.readUInt16BE(2));
      got = got.subarray(2 + got.readUInt16BE(0));
    }
  }
  return ids;
}
