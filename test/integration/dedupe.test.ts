// *dedupe* in a running server: many clients, one slow upstream.
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect } from 'node:net';
import { type TestContext, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { decode } from 'dns-packet';
import { FakeUpstream } from '../../core/testing.js';
import { queryBytes } from '../lib/client.js';
import { type Heimdall, startHeimdall } from '../lib/heimdall.js';
import { freePort } from '../lib/ports.js';

const CLIENTS = 1000;
const STEP_MS = 20;
const LIMIT_MS = 8000;

interface Scene {
  readonly port: number;
  readonly upstream: FakeUpstream;
  readonly heimdall: Heimdall;
  /** Lets the upstream answer. */
  release(): void;
  /** Waits until so many queries wait in *dedupe*. */
  waitFor(waiters: number): Promise<void>;
}

/** A server with *dedupe* before an upstream that answers when it is released. */
async function start(t: TestContext): Promise<Scene> {
  let release: () => void = () => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const upstream = await FakeUpstream.start(async (query) => {
    await released;
    const name = query.questions?.[0]?.name ?? '';
    return { answers: [{ type: 'A', name, ttl: 60, data: '192.0.2.1' }] };
  });
  t.after(() => upstream.stop());
  const [port, http] = [await freePort(), await freePort()];
  const heimdall = await startHeimdall(
    `.:${port} {
    bind 127.0.0.1
    errors
    prometheus 127.0.0.1:${http}
    dedupe
    forward . ${upstream.address}
}
`,
    { args: ['-workers', '1'] },
  );
  t.after(() => heimdall.stop());
  return {
    port,
    upstream,
    heimdall,
    release,
    async waitFor(waiters) {
      for (let ms = 0; ms < LIMIT_MS; ms += STEP_MS) {
        const text = await (await fetch(`http://127.0.0.1:${http}/metrics`)).text();
        if (text.includes(`\ncoredns_dedupe_waiters ${waiters}\n`)) return;
        await pause(STEP_MS);
      }
      assert.fail(`no ${waiters} queries wait`);
    },
  };
}

/** `slow.example.org` with upper case where `bits` says. */
function cased(bits: number): string {
  return [...'slow.example.org'].map((c, i) => ((bits >> i) & 1 ? c.toUpperCase() : c)).join('');
}

function checkReply(raw: Buffer): number {
  const { id = -1, questions, answers } = decode(raw);
  assert.equal(questions?.[0]?.name, cased(id));
  assert.equal(answers?.length, 1);
  return id;
}

test('dedupe: 1,000 UDP clients that want one uncached name cause one upstream query', async (t) => {
  const scene = await start(t);
  const socket = createSocket({ type: 'udp4', recvBufferSize: 4 << 20 });
  t.after(() => socket.close());
  const got = new Set<number>();
  const all = new Promise<void>((resolve) => {
    socket.on('message', (raw) => {
      got.add(checkReply(raw));
      if (got.size === CLIENTS) resolve();
    });
  });
  for (let id = 0; id < CLIENTS; id++) {
    socket.send(queryBytes(cased(id), 'A', { id }), scene.port, '127.0.0.1');
  }
  await scene.waitFor(CLIENTS - 1);
  assert.equal(got.size, 0);
  scene.release();
  await all;
  assert.equal(scene.upstream.queries.length, 1);
  await scene.waitFor(0);
});

test('dedupe: queries of one TCP connection share an answer too', async (t) => {
  const scene = await start(t);
  const socket = connect(scene.port, '127.0.0.1');
  t.after(() => socket.destroy());
  await once(socket, 'connect');
  for (let id = 0; id < 100; id++) {
    const message = queryBytes(cased(id), 'A', { id });
    socket.write(Buffer.concat([Buffer.of(0, message.length), message]));
  }
  await scene.waitFor(99);
  scene.release();
  const got = new Set<number>();
  let rest = Buffer.alloc(0);
  for await (const chunk of socket) {
    rest = Buffer.concat([rest, chunk as Buffer]);
    while (rest.length >= 2 && rest.length >= 2 + rest.readUInt16BE(0)) {
      const end = 2 + rest.readUInt16BE(0);
      got.add(checkReply(rest.subarray(2, end)));
      rest = rest.subarray(end);
    }
    if (got.size === 100) break;
  }
  assert.equal(got.size, 100);
  assert.equal(scene.upstream.queries.length, 1);
});
