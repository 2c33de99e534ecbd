// The UDP pool against raw sockets on loopback, over both socket layers: only the right answer is taken.
import assert from 'node:assert/strict';
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { once } from 'node:events';
import test, { type TestContext } from 'node:test';
import { createSocketLayer } from '../system/layer.js';
import { FakeClock, FakeTimers } from '../testing/clock.js';
import { type Outcome, TestOwner } from '../testing/exchanges.js';
import { FakeMetrics } from '../testing/services.js';
import { Failure } from './exchange.js';
import { GUESS_LIMIT } from './pool-socket.js';
import { createReceiveBatch, UdpPool } from './udp-pool.js';

type Answer = (query: Buffer, from: RemoteInfo, server: Socket) => void;

interface Rig {
  readonly owner: TestOwner;
  readonly pool: UdpPool;
  readonly clock: FakeClock;
  readonly metrics: FakeMetrics;
  readonly errors: string[];
  /** Ports that queries came from, in order. */
  readonly ports: number[];
  ask(name: string): Promise<Outcome>;
}

/** A reply that never comes must not hang the run. */
const LIMIT = { timeout: 30_000 };

const LAYERS = ['mmsg', 'dgram'] as const;

async function rig(t: TestContext, force: (typeof LAYERS)[number], answer: Answer): Promise<Rig> {
  const server = createSocket('udp4');
  const ports: number[] = [];
  server.on('message', (query, from) => {
    ports.push(from.port);
    answer(query, from, server);
  });
  server.bind(0, '127.0.0.1');
  await once(server, 'listening');
  const r = poolTo(t, force, server.address().port);
  t.after(() => server.close());
  return { ...r, ports };
}

function poolTo(
  t: TestContext,
  force: (typeof LAYERS)[number],
  port: number,
  local?: string,
): Omit<Rig, 'ports'> {
  const layer = createSocketLayer({ force });
  const clock = new FakeClock();
  const timers = new FakeTimers(clock);
  const metrics = new FakeMetrics();
  const owner = new TestOwner();
  const errors: string[] = [];
  const pool = new UdpPool({
    remote: { address: '127.0.0.1', port },
    local,
    sockets: layer,
    timers,
    clock,
    exchanges: owner.pool,
    receiveBatch: createReceiveBatch(layer),
    counters: {
      open: metrics.gauge('open', ''),
      hits: metrics.counter('hits', ''),
      misses: metrics.counter('misses', ''),
      mismatched: metrics.counter('mismatched', ''),
      unexpected: metrics.counter('unexpected', ''),
      guessed: metrics.counter('guessed', ''),
    },
    onError: (error) => errors.push(error.message),
    onForgery: () => errors.push('forgery'),
  });
  layer.start();
  t.after(async () => {
    pool.close();
    await layer.stop();
  });
  const ask = (name: string): Promise<Outcome> => {
    const x = owner.make(name);
    const failure = pool.send(x);
    return failure === Failure.NONE ? owner.outcome(x) : Promise.resolve(failure);
  };
  return { owner, pool, clock, metrics, errors, ask };
}

/** The reply to a query: the same message with QR. */
function replyTo(query: Buffer, change: (reply: Buffer) => void = () => {}): Buffer {
  const reply = Buffer.from(query);
  reply[2] = (reply[2] as number) | 0x80;
  change(reply);
  return reply;
}

for (const force of LAYERS) {
  const name = (claim: string): string => `udp pool: ${force}: ${claim}`;

  test(name('a reply comes back to who asked'), LIMIT, async (t) => {
    const r = await rig(t, force, (query, from, server) => {
      server.send(replyTo(query), from.port, from.address);
    });
    // More at once than a test server's buffer holds would be lost.
    for (let round = 0; round < 6; round++) {
      const names = Array.from({ length: 100 }, (_, i) => `n${round}x${i}`);
      const outcomes = await Promise.all(names.map((n) => r.ask(`${n}.example.org`)));
      for (const [i, outcome] of outcomes.entries()) {
        assert.ok(outcome instanceof Buffer);
        assert.ok(outcome.includes(names[i] as string));
      }
    }
    assert.equal(r.pool.inFlight, 0);
    assert.equal(r.metrics.value('hits') + r.metrics.value('misses'), 600);
  });

  test(name('the case of the question may differ, nothing else'), LIMIT, async (t) => {
    const r = await rig(t, force, (query, from, server) => {
      const send = (reply: Buffer): void => server.send(reply, from.port, from.address);
      send(replyTo(query, (m) => m.writeUInt16BE(m.readUInt16BE(0) ^ 1)));
      send(replyTo(query, (m) => m.write('x', 13)));
      send(replyTo(query, (m) => m.writeUInt16BE(28, m.length - 4)));
      send(replyTo(query, (m) => m.writeUInt16BE(3, m.length - 2)));
      send(replyTo(query, (m) => m.writeUInt8((m[2] as number) | 0x28, 2)));
      send(replyTo(query, (m) => m.writeUInt16BE(2, 4)));
      send(replyTo(query, (m) => m.writeUInt16BE(0, 4)));
      send(query);
      send(query.subarray(0, 11));
      send(Buffer.alloc(0));
      send(replyTo(query, (m) => m.write('WWW.eXAMPLE', 13, 'latin1')).fill(7, 16, 17));
    });
    const outcome = await r.ask('www.example.org');
    assert.ok(outcome instanceof Buffer);
    assert.equal(outcome.toString('latin1', 13, 16), 'WWW');
    assert.equal(r.metrics.value('mismatched'), 8);
    assert.equal(r.metrics.value('unexpected'), 2);
  });

  test(name('a question that is sent in mixed case has to come back so'), LIMIT, async (t) => {
    let isFolding = true;
    const r = await rig(t, force, (query, from, server) => {
      const reply = replyTo(query, (m) => {
        if (isFolding) m.write(m.toString('latin1', 12, 29).toLowerCase(), 12, 'latin1');
      });
      server.send(reply, from.port, from.address);
    });
    const ask = (): Promise<Outcome> => {
      const x = r.owner.make('wWw.example.org');
      x.caseBits = 0x2aaa_aaaa;
      assert.equal(r.pool.send(x), Failure.NONE);
      return r.owner.outcome(x);
    };
    assert.equal(await ask(), Failure.CASE);
    assert.equal(r.pool.inFlight, 0);
    assert.equal(r.metrics.value('mismatched'), 1);
    isFolding = false;
    const outcome = await ask();
    assert.ok(outcome instanceof Buffer);
    assert.equal(outcome.toString('latin1', 13, 16), 'wWw');
    // The one who takes the failure decides what it means.
    assert.equal(r.metrics.value('guessed'), 0);
  });

  test(name('guesses are told from late and repeated replies'), LIMIT, async (t) => {
    const r = await rig(t, force, (query, from, server) => {
      const send = (reply: Buffer): void => server.send(reply, from.port, from.address);
      for (let i = 1; i < GUESS_LIMIT; i++) {
        send(replyTo(query, (m) => m.writeUInt16BE(m.readUInt16BE(0) ^ i)));
      }
      for (let i = 0; i < 2 * GUESS_LIMIT; i++) send(replyTo(query));
    });
    assert.ok((await r.ask('www.example.org')) instanceof Buffer);
    const late = 2 * GUESS_LIMIT - 1;
    await waitFor(() => r.metrics.value('unexpected') === late + GUESS_LIMIT - 1);
    assert.equal(r.metrics.value('guessed'), GUESS_LIMIT - 1);
    assert.deepEqual(r.errors, []);
  });

  test(
    name('a socket that is flooded is given up, with all that waits on it'),
    LIMIT,
    async (t) => {
      let isFlooding = true;
      const r = await rig(t, force, (query, from, server) => {
        const send = (reply: Buffer): void => server.send(reply, from.port, from.address);
        for (let i = 1; isFlooding && i <= GUESS_LIMIT; i++) {
          send(replyTo(query, (m) => m.writeUInt16BE(m.readUInt16BE(0) ^ i)));
        }
        send(replyTo(query));
      });
      for (let i = 0; i < 3; i++) assert.equal(await r.ask('www.example.org'), Failure.FORGERY);
      assert.deepEqual(r.errors, ['forgery', 'forgery', 'forgery']);
      assert.equal(new Set(r.ports).size, 3);
      assert.equal(r.pool.inFlight, 0);
      isFlooding = false;
      assert.ok((await r.ask('www.example.org')) instanceof Buffer);
    },
  );

  test(name('what comes from elsewhere is not heard'), LIMIT, async (t) => {
    const elsewhere = createSocket('udp4');
    t.after(() => elsewhere.close());
    const r = await rig(t, force, (query, from, server) => {
      const forged = replyTo(query, (m) => m.writeUInt8(3, 3));
      elsewhere.send(forged, from.port, from.address, () => {
        server.send(replyTo(query), from.port, from.address);
      });
    });
    const outcome = await r.ask('www.example.org');
    assert.ok(outcome instanceof Buffer);
    assert.equal((outcome[3] as number) & 15, 0);
    assert.equal(r.metrics.value('mismatched') + r.metrics.value('unexpected'), 0);
  });

  test(name('a reply on another socket than the query left from is dropped'), LIMIT, async (t) => {
    const seen: { query: Buffer; from: RemoteInfo }[] = [];
    let isDone = false;
    const r = await rig(t, force, (query, from, server) => {
      seen.push({ query, from });
      const first = seen[0];
      if (first === undefined || first.from.port === from.port || isDone) return;
      isDone = true;
      // The first query's reply to the second one's socket, then both as they should be.
      server.send(
        replyTo(first.query, (m) => m.writeUInt8(3, 3)),
        from.port,
        from.address,
      );
      for (const one of [first, { query, from }]) {
        server.send(replyTo(one.query), one.from.port, one.from.address);
      }
    });
    const first = r.ask('first.example.org');
    const others: Promise<Outcome>[] = [];
    while (new Set(r.ports).size < 2) {
      others.push(r.ask('other.example.org'));
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    const outcome = await first;
    assert.ok(outcome instanceof Buffer);
    assert.equal((outcome[3] as number) & 15, 0);
    assert.equal(r.metrics.value('mismatched'), 1);
  });

  test(name('late and repeated replies are dropped'), LIMIT, async (t) => {
    let late: () => void = () => {};
    const r = await rig(t, force, (query, from, server) => {
      const send = (): void => void server.send(replyTo(query), from.port, from.address);
      if (query.includes('late')) late = send;
      else for (let i = 0; i < 3; i++) send();
    });
    const x = r.owner.make('late.example.org');
    r.pool.send(x);
    assert.ok((await r.ask('now.example.org')) instanceof Buffer);
    r.pool.cancel(x);
    r.owner.pool.give(x);
    late();
    assert.ok((await r.ask('again.example.org')) instanceof Buffer);
    await waitFor(() => r.metrics.value('unexpected') === 5);
  });

  test(name('a closed port fails what is under way at once'), LIMIT, async (t) => {
    const probe = createSocket('udp4');
    probe.bind(0, '127.0.0.1');
    await once(probe, 'listening');
    const { port } = probe.address();
    probe.close();
    const r = poolTo(t, force, port);
    const outcomes = await Promise.all([1, 2, 3].map((i) => r.ask(`n${i}.example.org`)));
    assert.deepEqual(outcomes, [Failure.NETWORK, Failure.NETWORK, Failure.NETWORK]);
    assert.equal(r.pool.inFlight, 0);
  });

  test(name('a reply that is longer than a slot counts as truncated'), LIMIT, async (t) => {
    const r = await rig(t, force, (query, from, server) => {
      server.send(Buffer.concat([replyTo(query), Buffer.alloc(8000)]), from.port, from.address);
    });
    const outcome = await r.ask('big.example.org');
    assert.ok(outcome instanceof Buffer);
    assert.equal((outcome[2] as number) & 2, 2);
  });

  test(name('source ports change with age'), LIMIT, async (t) => {
    const r = await rig(t, force, (query, from, server) => {
      server.send(replyTo(query), from.port, from.address);
    });
    for (let i = 0; i < 40; i++) await r.ask(`n${i}.example.org`);
    const young = new Set(r.ports);
    assert.ok(young.size > 1 && young.size <= 8, String(young.size));
    r.ports.length = 0;
    r.clock.advance(10_000);
    for (let i = 0; i < 20; i++) await r.ask(`m${i}.example.org`);
    for (const port of r.ports) assert.ok(!young.has(port));
    // Those that were replaced are closed.
    assert.ok(r.metrics.value('open') <= 8);
    r.pool.close();
    assert.equal(r.metrics.value('open'), 0);
  });

  test(name('a socket that is replaced still takes the replies it waits for'), LIMIT, async (t) => {
    let release: () => void = () => {};
    const r = await rig(t, force, (query, from, server) => {
      const send = (): void => void server.send(replyTo(query), from.port, from.address);
      if (query.includes('slow')) release = send;
      else send();
    });
    const slow = r.ask('slow.example.org');
    await r.ask('quick.example.org');
    r.clock.advance(10_000);
    release();
    assert.ok((await slow) instanceof Buffer);
  });

  test(name('closing fails what is under way'), LIMIT, async (t) => {
    const r = await rig(t, force, () => {});
    const outcome = r.ask('www.example.org');
    r.pool.close();
    assert.equal(await outcome, Failure.NETWORK);
    assert.equal(await r.ask('www.example.org'), Failure.NETWORK);
  });
}

test(
  'udp pool: a source address that is not ours fails the query, with the reason',
  LIMIT,
  async (t) => {
    const r = poolTo(t, 'mmsg', 53, '192.0.2.1');
    assert.equal(await r.ask('www.example.org'), Failure.NETWORK);
    assert.match(r.errors[0] ?? '', /EADDRNOTAVAIL/);
  },
);

test('udp pool: the queries of one round leave from one port', LIMIT, async (t) => {
  const r = await rig(t, 'mmsg', (query, from, server) => {
    server.send(replyTo(query), from.port, from.address);
  });
  await Promise.all(Array.from({ length: 100 }, (_, i) => r.ask(`n${i}.example.org`)));
  assert.equal(new Set(r.ports).size, 1);
});

test('udp pool: a socket is replaced after many uses', LIMIT, async (t) => {
  const r = await rig(t, 'mmsg', (query, from, server) => {
    server.send(replyTo(query), from.port, from.address);
  });
  for (let round = 0; round < 900; round++) {
    await Promise.all(Array.from({ length: 100 }, () => r.ask('n.example.org')));
  }
  assert.ok(new Set(r.ports).size > 8);
});

async function waitFor(isTrue: () => boolean): Promise<void> {
  for (let i = 0; i < 200 && !isTrue(); i++) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.ok(isTrue());
}
