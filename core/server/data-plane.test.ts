// The server over real sockets, once per socket layer: what a client sees of gate, chain, deferral, faults, TCP and shutdown.
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { type DecodedPacket, decode, encode, type Packet } from 'dns-packet';
import { freePort } from '../../test/lib/ports.js';
import { CoarseClock } from '../chain/clock.js';
import {
  type Answer,
  definePlugin,
  type Handler,
  type Plugin,
  type Query,
  Section,
} from '../plugin.js';
import { createSocketLayer, isBatchedIo } from '../system/layer.js';
import { dupFd, openTcp, openUdp } from '../system/open.js';
import { fakeServices } from '../testing.js';
import { TimerWheel } from '../upstream/timer-wheel.js';
import { DataPlane } from './data-plane.js';

const HOST = '127.0.0.1';

/** A plugin without syntax that is this handler. */
function pluginOf(name: string, handler: Handler): Plugin<unknown> {
  return definePlugin<unknown>({
    name,
    syntax: { occurrence: 'each', properties: [], parse: () => [undefined] },
    setup: () => handler,
  });
}

interface Running {
  readonly port: number;
  readonly plane: DataPlane;
  readonly lines: string[];
  metric(name: string, labels?: Record<string, string>): number;
}

async function start(
  t: TestContext,
  force: 'mmsg' | 'dgram',
  handlers: readonly Handler[],
): Promise<Running> {
  const names = handlers.map((_, i) => `p${i}`);
  const services = fakeServices();
  const sockets = createSocketLayer({ force });
  const clock = new CoarseClock();
  const timers = new TimerWheel(clock);
  const port = await freePort();
  const udp = openUdp({ address: HOST, port });
  const tcp = openTcp({ address: HOST, port }, 128);
  const plane = new DataPlane({
    plan: {
      listeners: [
        {
          scheme: 'dns',
          address: HOST,
          port,
          text: `dns://${HOST}:${port}`,
          routes: [{ zone: 'org.', block: 0, zoneIndex: 0 }],
        },
      ],
      blocks: [
        {
          zones: ['org.'],
          view: '',
          root: '.',
          listeners: [0],
          directives: [],
          steps: names.map((plugin) => ({ plugin, instance: 0 })),
          fingerprints: names.map(() => 1),
        },
      ],
      modules: {},
      isDebug: false,
      withStacks: false,
    },
    modules: new Map(names.map((name, i) => [name, pluginOf(name, handlers[i] as Handler)])),
    sockets,
    timers,
    clock,
    udp: [{ listener: 0, fd: udp, endpoint: { address: HOST, port } }],
    tcp: [{ listener: 0, fd: dupFd(tcp), endpoint: { address: HOST, port } }],
    servicesFor: () => services,
    metrics: services.metrics,
    log: services.log,
  });
  t.after(() => plane.stop());
  await plane.start();
  return {
    port,
    plane,
    lines: services.lines,
    metric: (name, labels) => services.metrics.value(name, labels),
  };
}

function message(packet: Packet & { name?: string }): Buffer {
  return encode({
    type: 'query',
    id: 4711,
    flags: 0x100,
    questions: [{ type: 'A', name: packet.name ?? 'www.example.org', class: 'IN' }],
    ...packet,
  });
}

type Decoded = DecodedPacket & { rcode: string };

/** The reply to raw bytes over UDP, undefined when none comes before `limitMs`. */
async function askUdp(
  port: number,
  wire: Uint8Array,
  limitMs = 2000,
): Promise<Decoded | undefined> {
  const socket = createSocket('udp4');
  try {
    socket.send(wire, port, HOST);
    const signal = AbortSignal.timeout(limitMs);
    const [reply] = (await once(socket, 'message', { signal })) as [Buffer];
    return decode(reply) as Decoded;
  } catch {
    return undefined;
  } finally {
    socket.close();
  }
}

/** Collects the messages of a TCP connection. */
class TcpClient {
  readonly socket: Socket;
  readonly replies: Decoded[] = [];
  #buffer = Buffer.alloc(0);

  constructor(port: number) {
    this.socket = connect(port, HOST);
    this.socket.on('error', () => {});
    this.socket.on('data', (chunk) => {
      this.#buffer = Buffer.concat([this.#buffer, chunk]);
      while (this.#buffer.length >= 2 && this.#buffer.length >= 2 + this.#buffer.readUInt16BE(0)) {
        const end = 2 + this.#buffer.readUInt16BE(0);
        this.replies.push(decode(this.#buffer.subarray(2, end)) as Decoded);
        this.#buffer = this.#buffer.subarray(end);
        this.socket.emit('reply');
      }
    });
  }

  write(...messages: Uint8Array[]): void {
    this.socket.write(Buffer.concat(messages.map(framed)));
  }

  async wait(count: number): Promise<Decoded[]> {
    while (this.replies.length < count) {
      await once(this.socket, 'reply', { signal: AbortSignal.timeout(5000) });
    }
    return this.replies;
  }
}

function framed(wire: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([wire.length >> 8, wire.length & 255]), wire]);
}

const nxdomain: Handler = { serve: (q) => q.replyRcode(3) };

/** Keeps every query until the test answers it. */
class Held implements Handler {
  readonly waiting: Query[] = [];
  serve(q: Query): Answer {
    this.waiting.push(q);
    return q.defer();
  }
}

async function until(condition: () => boolean): Promise<void> {
  const stopMs = performance.now() + 5000;
  while (!condition()) {
    if (performance.now() > stopMs) throw new Error('it did not happen');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

for (const force of ['mmsg', 'dgram'] as const) {
  const options = { skip: force === 'mmsg' && !isBatchedIo() ? 'no recvmmsg here' : false };

  test(`server on ${force}: a query is answered with its id, case and RD`, options, async (t) => {
    const { port } = await start(t, force, [nxdomain]);
    const reply = await askUdp(port, message({ name: 'wWw.ExamplE.org', id: 99 }));
    assert.equal(reply?.id, 99);
    assert.equal(reply?.rcode, 'NXDOMAIN');
    assert.equal(reply?.questions?.[0]?.name, 'wWw.ExamplE.org');
    assert.equal(reply?.flag_rd, true);
  });

  test(`server on ${force}: the gate answers, refuses and ignores`, options, async (t) => {
    const { port, metric } = await start(t, force, [nxdomain]);
    const opcode = message({});
    opcode[2] = 0x28;
    assert.equal((await askUdp(port, opcode))?.rcode, 'NOTIMP');
    const counts = message({});
    counts[5] = 2;
    assert.equal((await askUdp(port, counts))?.rcode, 'FORMERR');
    assert.equal((await askUdp(port, message({ name: 'example.net' })))?.rcode, 'REFUSED');
    const chaos = message({});
    chaos[chaos.length - 1] = 3;
    assert.equal((await askUdp(port, chaos))?.rcode, 'REFUSED');
    const response = message({});
    response[2] = 0x80;
    assert.equal(await askUdp(port, response, 100), undefined);
    assert.equal(metric('rejected_total', { reason: 'ignored' }), 1);
    assert.equal(metric('rejected_total', { reason: 'zone' }), 2);
  });

  test(
    `server on ${force}: a deferred query is answered when it is settled`,
    options,
    async (t) => {
      const held = new Held();
      const { port, plane } = await start(t, force, [held]);
      const replies = [1, 2, 3].map((id) => askUdp(port, message({ id, name: `n${id}.org` })));
      await until(() => held.waiting.length === 3);
      assert.deepEqual(held.waiting.map((q) => q.qname).sort(), ['n1.org.', 'n2.org.', 'n3.org.']);
      for (const q of held.waiting) q.settle(q.replyRcode(3));
      for (const [i, reply] of (await Promise.all(replies)).entries()) {
        assert.equal(reply?.id, i + 1);
        assert.equal(reply?.questions?.[0]?.name, `n${i + 1}.org`);
      }
      assert.deepEqual(plane.notReady(), []);
    },
  );

  test(`server on ${force}: an async handler's reply survives its waits`, options, async (t) => {
    const slow: Handler = {
      async serve(q) {
        const reply = q.replyRcode(q.id);
        await new Promise((resolve) => setImmediate(resolve));
        return reply;
      },
    };
    const { port } = await start(t, force, [slow]);
    const replies = await Promise.all([1, 2, 3, 4].map((id) => askUdp(port, message({ id }))));
    assert.deepEqual(
      replies.map((reply) => reply?.rcode),
      ['FORMERR', 'SERVFAIL', 'NXDOMAIN', 'NOTIMP'],
    );
  });

  test(`server on ${force}: a fault is one SERVFAIL and one line`, options, async (t) => {
    const broken: Handler = {
      serve: (q) => {
        if (q.qname.startsWith('bad')) throw new Error('broken');
        return q.replyRcode(0);
      },
    };
    const { port, lines, metric } = await start(t, force, [broken]);
    for (let i = 0; i < 5; i++) {
      assert.equal((await askUdp(port, message({ name: 'bad.org' })))?.rcode, 'SERVFAIL');
    }
    assert.equal((await askUdp(port, message({ name: 'good.org' })))?.rcode, 'NOERROR');
    assert.equal(lines.length, 1);
    assert.match(lines[0] ?? '', /fault in plugin p0: Error: broken/);
    assert.equal(metric('/panics_total'), 5);
  });

  test(`server on ${force}: a burst of more than a batch is answered whole`, options, async (t) => {
    const { port } = await start(t, force, [nxdomain]);
    const socket = createSocket({ type: 'udp4', recvBufferSize: 1 << 20 });
    t.after(() => socket.close());
    const ids = new Set<number>();
    socket.on('message', (reply) => ids.add(reply.readUInt16BE(0)));
    for (let id = 0; id < 400; id++) socket.send(message({ id }), port, HOST);
    await until(() => ids.size === 400);
  });

  test(`server on ${force}: observers see what was sent`, options, async (t) => {
    const seen: string[] = [];
    const watcher: Handler = {
      serve: (q, next) => next(q),
      observe: (q, reply) => {
        seen.push(`${q.qname} ${reply.rcode} ${reply.length > 12} ${q.repliedMs >= q.receivedMs}`);
      },
    };
    const { port } = await start(t, force, [watcher, nxdomain]);
    await askUdp(port, message({}));
    const client = new TcpClient(port);
    t.after(() => client.socket.destroy());
    client.write(message({}));
    await client.wait(1);
    const line = 'www.example.org. 3 true true';
    assert.deepEqual(seen, [line, line]);
  });

  test(`server on ${force}: stopping waits for what is in flight`, options, async (t) => {
    const held = new Held();
    const { port, plane } = await start(t, force, [held]);
    const client = new TcpClient(port);
    client.write(message({ id: 7 }));
    const udp = askUdp(port, message({ id: 8 }));
    await until(() => held.waiting.length === 2);
    const drained = plane.drain(5000);
    setTimeout(() => {
      for (const q of held.waiting) q.settle(q.replyRcode(0));
    }, 50);
    await drained;
    assert.equal((await udp)?.id, 8);
    assert.equal((await client.wait(1))[0]?.id, 7);
  });
}

test('server over TCP: any split of the stream and pipelining work, answers come as they are ready', async (t) => {
  const held = new Held();
  const first: Handler = {
    serve: (q, next) => (q.qname === 'slow.org.' ? next(q) : q.replyRcode(3)),
  };
  const { port } = await start(t, 'dgram', [first, held]);
  const client = new TcpClient(port);
  t.after(() => client.socket.destroy());
  client.socket.setNoDelay(true);
  const stream = Buffer.concat(
    [message({ id: 1, name: 'slow.org' }), message({ id: 2 }), message({ id: 3 })].map(framed),
  );
  for (const byte of stream) client.socket.write(Buffer.from([byte]));
  await client.wait(2);
  held.waiting[0]?.settle((held.waiting[0] as Query).replyRcode(0));
  const replies = await client.wait(3);
  assert.deepEqual(
    replies.map((reply) => reply.id),
    [2, 3, 1],
  );
});

test('server over TCP: a client that pipelines more than may be in flight gets every answer', async (t) => {
  const held = new Held();
  const { port, metric } = await start(t, 'dgram', [held]);
  const client = new TcpClient(port);
  t.after(() => client.socket.destroy());
  for (let id = 0; id < 1000; id++) client.write(message({ id }));
  await until(() => held.waiting.length === 256);
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.deepEqual([held.waiting.length, metric('limit_total', { limit: 'pipeline' })], [256, 1]);
  const answering = setInterval(() => {
    for (const q of held.waiting.splice(0)) q.settle(q.replyRcode(0));
  }, 1);
  t.after(() => clearInterval(answering));
  const replies = await client.wait(1000);
  assert.equal(new Set(replies.map((reply) => reply.id)).size, 1000);
});

test('server over TCP: a client that takes no answers is not served on, and gets them all when it does', async (t) => {
  let served = 0;
  const owner = Uint8Array.of(1, 0x61, 0);
  const long: Handler = {
    serve: (q) => {
      served++;
      return q.replyRecords(0, (b) => {
        for (let i = 0; i < 100; i++) b.addTxt(Section.ANSWER, owner, 60, 'x'.repeat(250));
      });
    },
  };
  const { port } = await start(t, 'dgram', [long]);
  const client = new TcpClient(port);
  t.after(() => client.socket.destroy());
  client.socket.pause();
  for (let id = 0; id < 1000; id++) client.write(message({ id }));
  let before = -1;
  while (before !== served || served === 0) {
    before = served;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.ok(served < 900, `${served} served`);
  client.socket.resume();
  const replies = await client.wait(1000);
  assert.equal(new Set(replies.map((reply) => reply.id)).size, 1000);
  assert.ok(replies.every((reply) => reply.answers?.length === 100));
});

test('server over TCP: a client that closes its side still gets its answers', async (t) => {
  const held = new Held();
  const { port } = await start(t, 'dgram', [held]);
  const client = new TcpClient(port);
  client.socket.end(framed(message({ id: 5 })));
  await until(() => held.waiting.length === 1);
  await new Promise((resolve) => setTimeout(resolve, 20));
  held.waiting[0]?.settle((held.waiting[0] as Query).replyRcode(0));
  assert.equal((await client.wait(1))[0]?.id, 5);
  await once(client.socket, 'close');
});

test('server over TCP: a message that does not end in time ends its connection', async (t) => {
  const { port, metric } = await start(t, 'dgram', [nxdomain]);
  const client = new TcpClient(port);
  client.socket.write(Buffer.from([0, 50, 1, 2, 3]));
  const began = performance.now();
  await once(client.socket, 'close', { signal: AbortSignal.timeout(6000) });
  assert.deepEqual([performance.now() - began > 2900, metric('limit_total')], [true, 1]);
});
