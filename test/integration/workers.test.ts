// Several workers are one server: one cache, one set of counters, each on a processor of its own where there are enough.
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { readdirSync, readFileSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { allowedCpus, pinThread } from '../../core/system/affinity.js';
import { placeWorkers, readMachine } from '../../core/system/topology.js';
import { FakeUpstream } from '../../core/testing.js';
import { ask, queryBytes } from '../lib/client.js';
import { type Heimdall, startHeimdall } from '../lib/heimdall.js';
import { freePort } from '../lib/ports.js';

/** With two workers, so many clients all land on one with a chance of 2^-39. */
const CLIENTS = 40;

/** Half of them would go elsewhere by the hash. */
const STEERED = 12;

/** Tells which worker a query came to, and can end it as a bug would. */
const SEAT = `
import { definePlugin, directive } from 'heimdall';
const plugin = definePlugin({
  name: 'seat',
  before: 'cache',
  syntax: directive({}),
  setup: (_config, { log, worker }) => ({
    serve(q, next) {
      if (q.qname === 'exit.example.org.') process.exit(3);
      log.info('worker ' + worker + ' ' + q.qname);
      return next(q);
    },
  }),
});
export { plugin as default };
`;

/** Two CPUs, however many there are: what is started from here may run on no others. Empty where threads cannot be bound. */
const cpus = allowedCpus().slice(0, 2);
const isBound = cpus.length === 2 && pinThread(...cpus);
const pinning = { skip: isBound ? false : 'needs system calls and two CPUs' };

function maskIn(file: string): string {
  return /^Cpus_allowed_list:\s*(\S+)$/m.exec(readFileSync(file, 'utf8'))?.[1] ?? '';
}

/** The processor lists of all threads of a process. */
function masksOf(pid: number): string[] {
  const threads = readdirSync(`/proc/${pid}/task`);
  return threads.map((thread) => maskIn(`/proc/${pid}/task/${thread}/status`));
}

/** What each thread that may not run everywhere is bound to, sorted. */
function boundTo(pid: number): string[] {
  const everywhere = maskIn('/proc/self/status');
  return masksOf(pid)
    .filter((mask) => mask !== everywhere)
    .sort((a, b) => Number(a) - Number(b));
}

async function start(
  t: TestContext,
  port: number,
  block: string,
  ...args: readonly string[]
): Promise<Heimdall> {
  const corefile = `plugin ./seat.mjs\n.:${port} {\n    bind 127.0.0.1\n    seat\n${block}}\n`;
  const heimdall = await startHeimdall(corefile, { files: { 'seat.mjs': SEAT }, args });
  t.after(() => heimdall.stop());
  return heimdall;
}

test('workers: what one resolved is a hit in the other, and counters are summed', async (t) => {
  const upstream = await FakeUpstream.start((query) => ({
    answers: [{ type: 'A', name: query.questions?.[0]?.name ?? '', ttl: 300, data: '192.0.2.1' }],
  }));
  t.after(() => upstream.stop());
  const [port, http] = [await freePort(), await freePort()];
  const block = `    prometheus 127.0.0.1:${http}\n    cache\n    forward . ${upstream.address}\n`;
  const heimdall = await start(t, port, block, '-workers', '2');

  for (let client = 0; client < CLIENTS; client++) {
    assert.equal((await ask(port, 'shared.example.org', 'A')).rcode, 'NOERROR');
  }
  assert.equal(upstream.queries.length, 1);
  const isShared = /, 2 workers/.test(heimdall.stdout);
  for (const worker of isShared ? [0, 1] : [0]) {
    await heimdall.waitFor(new RegExp(`worker ${worker} shared\\.example\\.org\\.`));
  }
  const text = await (await fetch(`http://127.0.0.1:${http}/metrics`)).text();
  assert.equal(sumOf(text, 'coredns_cache_hits_total'), CLIENTS - 1);
  assert.equal(sumOf(text, 'coredns_cache_misses_total'), 1);
  assert.equal(sumOf(text, 'coredns_dns_requests_total'), CLIENTS);
});

/** The sum of all series of a counter. */
function sumOf(text: string, name: string): number {
  const values = text.match(new RegExp(`^${name}\\{[^}]*\\} \\d+$`, 'gm')) ?? [];
  return values.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}

test(
  'workers: as many as CPUs have one each; every other thread runs anywhere',
  pinning,
  async (t) => {
    const port = await freePort();
    const heimdall = await start(t, port, '    whoami\n', '-workers', '2');
    assert.match(heimdall.stdout, /2 workers on CPUs [\d,-]+, batched/);
    assert.deepEqual(boundTo(heimdall.pid), cpus.map(String));
    assert.ok(masksOf(heimdall.pid).length > 6, 'pool and helpers are there');
  },
);

test('workers: one that replaces another gets its CPU', pinning, async (t) => {
  const port = await freePort();
  const heimdall = await start(t, port, '    whoami\n', '-workers', '2');
  const socket = createSocket('udp4');
  t.after(() => socket.close());
  socket.send(queryBytes('exit.example.org', 'A'), port, '127.0.0.1');
  await heimdall.waitFor(/serves again/);
  assert.deepEqual(boundTo(heimdall.pid), cpus.map(String));
});

for (const workers of [1, 3]) {
  test(`workers: ${workers} on two CPUs run anywhere`, pinning, async (t) => {
    const port = await freePort();
    const heimdall = await start(t, port, '    whoami\n', '-workers', String(workers));
    assert.deepEqual(boundTo(heimdall.pid), []);
    assert.doesNotMatch(heimdall.stdout, /on CPUs/);
  });
}

test(
  'workers: with -steer the CPU that received a query chooses the worker',
  pinning,
  async (t) => {
    const port = await freePort();
    const heimdall = await start(t, port, '    whoami\n', '-workers', '2', '-steer');
    assert.match(heimdall.stdout, /2 workers on CPUs [\d,-]+, steered, batched/);
    t.after(() => pinThread(...cpus));
    for (const [worker, cpu] of placeWorkers(2, readMachine(cpus)).entries()) {
      // On loopback the CPU of the sender receives.
      assert.ok(pinThread(cpu));
      for (let i = 0; i < STEERED; i++) await ask(port, `${i}.from${cpu}.example.org`, 'A');
      for (let i = 0; i < STEERED; i++) {
        await heimdall.waitFor(new RegExp(`worker ${worker} ${i}\\.from${cpu}\\.example\\.org\\.`));
      }
    }
  },
);

test('workers: -steer with workers that have no CPU of their own says so', pinning, async (t) => {
  const port = await freePort();
  const heimdall = await start(t, port, '    whoami\n', '-workers', '1', '-steer');
  await heimdall.waitFor(/\[WARNING\] -steer has no effect: workers have no CPU of their own/);
  assert.equal((await ask(port, 'example.org', 'A')).rcode, 'NOERROR');
});
