// *dedupe* in a running server: many clients, one slow upstream.
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect } from 'node:net';
import { type TestContext, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { decode, type Packet } from 'dns-packet';
import { FakeUpstream, type Script } from '../../core/testing.js';
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
  metrics(): Promise<string>;
  /** Waits until so many queries wait in *dedupe*. */
  waitFor(waiters: number): Promise<void>;
}

/** In front: tells a client which worker its socket belongs to, and ends a worker as a bug would. */
const SEAT = `
import { definePlugin, directive } from 'heimdall';
const plugin = definePlugin({
  name: 'seat',
  before: 'dedupe',
  syntax: directive({}),
  setup: (_config, { worker }) => ({
    serve(q, next) {
      if (q.qname === 'worker.example.org.') return q.replyRcode(worker);
      if (q.qname === 'exit.example.org.') process.exit(3);
      return next(q);
    },
  }),
});
export { plugin as default };
`;

/** Behind: makes an error of NXDOMAIN. */
const FICKLE = `
import { definePlugin, directive, DnsError, Rcode, whenDone } from 'heimdall';
const FAILURE = new DnsError('ERR_UPSTREAM_NETWORK');
const plugin = definePlugin({
  name: 'fickle',
  after: 'dedupe',
  syntax: directive({}),
  setup: () => ({
    serve: (q, next) =>
      whenDone(next(q), (reply) => (reply.rcode === Rcode.NXDOMAIN ? q.replyError(FAILURE) : reply)),
  }),
});
export { plugin as default };
`;

const answerAll: Script = (query) => {
  const name = query.questions?.[0]?.name ?? '';
  return { answers: [{ type: 'A', name, ttl: 60, data: '192.0.2.1' }] };
};

/** A server with *dedupe* before an upstream that answers, as `script` says, when it is released. Over TCP: a datagram would be repeated after a second. */
async function start(t: TestContext, workers = 1, script = answerAll): Promise<Scene> {
  let release: () => void = () => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const upstream = await FakeUpstream.start(async (query, transport, raw) => {
    await released;
    return script(query, transport, raw) as Packet;
  });
  t.after(() => upstream.stop());
  const [port, http] = [await freePort(), await freePort()];
  const heimdall = await startHeimdall(
    `plugin ./seat.mjs
plugin ./fickle.mjs
.:${port} {
    bind 127.0.0.1
    errors
    prometheus 127.0.0.1:${http}
    seat
    dedupe
    fickle
    forward . ${upstream.address} {
        force_tcp
        read_timeout 5s
    }
}
`,
    { args: ['-workers', String(workers)], files: { 'seat.mjs': SEAT, 'fickle.mjs': FICKLE } },
  );
  t.after(() => heimdall.stop());
  const metrics = async (): Promise<string> =>
    (await fetch(`http://127.0.0.1:${http}/metrics`)).text();
  return {
    port,
    upstream,
    heimdall,
    release,
    metrics,
    async waitFor(waiters) {
      for (let ms = 0; ms < LIMIT_MS; ms += STEP_MS) {
        if ((await metrics()).includes(`\ncoredns_dedupe_waiters ${waiters}\n`)) return;
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

/** A client's socket, and the worker that the kernel gives its queries to. */
interface Client {
  readonly worker: number;
  send(name: string, id: number): void;
}

const CLIENT_SOCKETS = 50;

/** Queries that wait while the worker that leads dies. */
const WAITING = 200;

/** So many sockets that both workers have some; `onReply` gets what comes for queries sent later. */
async function clientsOf(
  t: TestContext,
  scene: Scene,
  onReply: (raw: Buffer) => void,
): Promise<Client[]> {
  const opened = Array.from({ length: CLIENT_SOCKETS }, async (): Promise<Client> => {
    const socket = createSocket({ type: 'udp4', recvBufferSize: 1 << 20 });
    t.after(() => socket.close());
    const send = (name: string, id: number): void => {
      socket.send(queryBytes(name, 'A', { id }), scene.port, '127.0.0.1');
    };
    send('worker.example.org', 1);
    const [raw] = (await once(socket, 'message')) as [Buffer];
    socket.on('message', onReply);
    return { worker: (raw[3] as number) & 15, send };
  });
  return Promise.all(opened);
}

/** The sum of all series of a metric whose line begins like this. */
function seriesValue(text: string, series: string): number {
  const line = text.split('\n').find((l) => l.startsWith(series));
  return Number(line?.split(' ').at(-1));
}

test('dedupe: 1,000 clients of two workers that want one uncached name cause one upstream query', async (t) => {
  const scene = await start(t, 2);
  const got = new Set<number>();
  let done: () => void = () => {};
  const all = new Promise<void>((resolve) => {
    done = resolve;
  });
  const clients = await clientsOf(t, scene, (raw) => {
    got.add(checkReply(raw));
    if (got.size === CLIENTS) done();
  });
  for (let id = 0; id < CLIENTS; id++) clients[id % clients.length]?.send(cased(id), id);
  await scene.waitFor(CLIENTS - 1);
  assert.equal(got.size, 0);
  scene.release();
  await all;
  assert.equal(scene.upstream.queries.length, 1);
  await scene.waitFor(0);
  if (!isShared(scene)) return;
  const text = await scene.metrics();
  assert.ok(
    clients.some(({ worker }) => worker === 0) && clients.some(({ worker }) => worker === 1),
  );
  assert.ok(seriesValue(text, 'coredns_dedupe_joined_total{leader="local"}') > 0);
  assert.ok(seriesValue(text, 'coredns_dedupe_joined_total{leader="remote"}') > 0);
});

test('dedupe: when the leader fails, one more upstream query answers all others of two workers', async (t) => {
  const scene = await start(t, 2, (query, ...rest) =>
    scene.upstream.queries.length === 1 ? { flags: 3 } : answerAll(query, ...rest),
  );
  const rcodes: number[] = [];
  let done: () => void = () => {};
  const all = new Promise<void>((resolve) => {
    done = resolve;
  });
  const clients = await clientsOf(t, scene, (raw) => {
    if (rcodes.push((raw[3] as number) & 15) === CLIENTS) done();
  });
  for (let id = 0; id < CLIENTS; id++) clients[id % clients.length]?.send(cased(id), id);
  await scene.waitFor(CLIENTS - 1);
  scene.release();
  await all;
  assert.equal(scene.upstream.queries.length, 2);
  assert.equal(rcodes.filter((rcode) => rcode === 2).length, 1);
  assert.equal(rcodes.filter((rcode) => rcode === 0).length, CLIENTS - 1);
});

test('dedupe: when the worker that leads dies, the other one asks once for all that wait there', async (t) => {
  const scene = await start(t, 2);
  if (!isShared(scene)) return t.skip('needs SO_REUSEPORT');
  const got = new Set<number>();
  const clients = await clientsOf(t, scene, (raw) => {
    got.add(checkReply(raw));
  });
  const [leader] = clients as [Client];
  const others = clients.filter(({ worker }) => worker !== leader.worker);
  leader.send(cased(0), 0);
  await until(() => scene.upstream.queries.length === 1);
  for (let id = 1; id <= WAITING; id++) others[id % others.length]?.send(cased(id), id);
  await scene.waitFor(WAITING);
  assert.equal(scene.upstream.queries.length, 1);
  leader.send('exit.example.org', 1);
  await until(() => scene.upstream.queries.length === 2);
  scene.release();
  await until(() => got.size === WAITING);
  assert.equal(scene.upstream.queries.length, 2);
  assert.ok(!got.has(0));
  await scene.waitFor(0);
});

/** Whether the workers really have sockets of their own for one port. */
function isShared({ heimdall }: Scene): boolean {
  return /, 2 workers/.test(heimdall.stdout);
}

async function until(isDone: () => boolean): Promise<void> {
  for (let ms = 0; ms < LIMIT_MS; ms += STEP_MS) {
    if (isDone()) return;
    await pause(STEP_MS);
  }
  assert.fail('it did not happen');
}
