// Random names below a zone, by the thousand: what reaches the upstream stays below the limit, and what is in the cache is served as ever.
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import test, { type TestContext } from 'node:test';
import { FakeUpstream, type Script } from '../../core/testing.js';
import { ask, queryBytes } from '../lib/client.js';
import { type Heimdall, startHeimdall } from '../lib/heimdall.js';
import { freePort } from '../lib/ports.js';

const LIMIT = 40;
const NAMES = 2000;
/** Queries sent before replies are waited for, so that no socket buffer is filled. */
const BURST = 100;

const SOA = {
  type: 'SOA',
  name: 'example.org',
  ttl: 300,
  data: {
    mname: 'ns.example.org',
    rname: 'hostmaster.example.org',
    serial: 1,
    refresh: 3600,
    retry: 600,
    expire: 86_400,
    minimum: 300,
  },
} as const;

const LINE = /^\[WARNING\] plugin\/cache: example\.org\.: .*$/m;
const OPTIONS = { timeout: 90_000 };

interface Scene {
  readonly port: number;
  readonly upstream: FakeUpstream;
  readonly heimdall: Heimdall;
  readonly http: number;
}

/** A server in front of an upstream that knows www.example.org and does `otherwise` for all other names. */
async function start(t: TestContext, otherwise: Script): Promise<Scene> {
  const upstream = await FakeUpstream.start((query, transport, raw) =>
    query.questions?.[0]?.name === 'www.example.org'
      ? { answers: [{ type: 'A', name: 'www.example.org', ttl: 300, data: '192.0.2.1' }] }
      : otherwise(query, transport, raw),
  );
  t.after(() => upstream.stop());
  const [port, http] = [await freePort(), await freePort()];
  const heimdall = await startHeimdall(
    `.:${port} {
    bind 127.0.0.1
    errors
    prometheus 127.0.0.1:${http}
    negative {
        zone_limit ${LIMIT}
    }
    forward . ${upstream.address} {
        read_timeout 200ms
    }
}
`,
    { args: ['-workers', '2'] },
  );
  t.after(() => heimdall.stop());
  return { port, upstream, heimdall, http };
}

/** Asks for names that nobody asked for before; rcodes of the replies, by how many, and how many seconds it may have touched. */
async function flood(t: TestContext, port: number): Promise<{ rcodes: number[]; seconds: number }> {
  const socket = createSocket({ type: 'udp4', recvBufferSize: 4 << 20 });
  t.after(() => socket.close());
  const rcodes: number[] = Array.from({ length: 16 }, () => 0);
  let got = 0;
  let wanted = 0;
  let goOn: () => void = () => {};
  socket.on('message', (raw) => {
    const rcode = (raw[3] as number) & 15;
    rcodes[rcode] = (rcodes[rcode] as number) + 1;
    if (++got >= wanted) goOn();
  });
  const startedMs = performance.now();
  for (let i = 0; i < NAMES; ) {
    wanted = i + BURST;
    const answered = new Promise<void>((resolve) => {
      goOn = resolve;
    });
    for (; i < wanted; i++) {
      socket.send(queryBytes(`r${i}.example.org`, 'A', { id: i }), port, '127.0.0.1');
    }
    await answered;
  }
  return { rcodes, seconds: Math.ceil((performance.now() - startedMs) / 1000) + 1 };
}

async function check(t: TestContext, scene: Scene, rcode: number): Promise<void> {
  const { port, upstream, heimdall, http } = scene;
  assert.equal((await ask(port, 'www.example.org', 'A')).rcode, 'NOERROR');
  const { rcodes, seconds } = await flood(t, port);
  // *forward* may repeat a query that may have been lost.
  const asked = upstream.queries.filter(({ name }) => name.startsWith('r')).map((q) => q.name);
  const { size } = new Set(asked);
  t.diagnostic(`${size} of ${NAMES} reached the upstream in at most ${seconds} s`);
  assert.ok(size > 0 && size <= seconds * LIMIT);
  assert.equal((rcodes[2] as number) + (rcodes[rcode] as number) * (rcode === 2 ? 0 : 1), NAMES);
  for (let i = 0; i < 20; i++) {
    assert.equal((await ask(port, 'www.example.org', 'A')).message.answers?.length, 1);
  }
  assert.equal(upstream.queries.filter(({ name }) => name === 'www.example.org').length, 1);
  await heimdall.waitFor(LINE);
  const lines = heimdall.stdout.match(new RegExp(LINE, 'gm')) ?? [];
  // One for each minute that it touched, of which there may be one more than it took.
  assert.ok(lines.length <= 2 + seconds / 60, lines.join('\n'));
  const metrics = await (await fetch(`http://127.0.0.1:${http}/metrics`)).text();
  const refused = /^coredns_cache_zone_limit_total\S* (\d+)$/m.exec(metrics)?.[1];
  assert.equal(Number(refused), NAMES - size);
}

test(
  'water torture: an upstream that denies the names is asked no oftener than the limit',
  OPTIONS,
  async (t) => {
    await check(t, await start(t, () => ({ flags: 3, authorities: [SOA] })), 3);
  },
);

test(
  'water torture: an upstream that never answers is asked no oftener than the limit',
  OPTIONS,
  async (t) => {
    await check(t, await start(t, () => undefined), 2);
  },
);
