// What sharing costs: processor time per hit of two workers with one cache beside that of two servers of one worker, which share nothing, under the same
// load; by the kernel's hash, left to the scheduler, and steered by the receiving processor. One worker alone is there for comparison: its batches are larger and its
// processor is its own more often. Server and load share two processors, so time per hit is the figure, not hits/s. `node workers.js [--rounds N]`.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { runLoad } from '../lib/load-process.js';
import { MeasuredProcess } from '../lib/process.js';
import { spreadOf } from '../lib/stats.js';

const CPUS = '0-1';
const FIRST_PORT = 15_400;
const UPSTREAM_PORT = 15_390;
const START_LIMIT_MS = 20_000;
const POLL_MS = 100;

/** The processors that load comes from, two processes on each. */
const LOADS = [
  { name: 'clients on both CPUs', from: [0, 1] },
  { name: 'clients on CPU 0', from: [0] },
] as const;

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '10' },
    seconds: { type: 'string', default: '2' },
    /** Of each client process; many, so that the kernel's hash spreads them evenly. */
    sockets: { type: 'string', default: '32' },
    window: { type: 'string', default: '16' },
    /** Queries/s of each client process; 0 for as many as are answered. */
    rate: { type: 'string', default: '0' },
  },
});
const [rounds, seconds] = [Number(values.rounds), Number(values.seconds)];
const [sockets, window, rate] = [values.sockets, values.window, values.rate].map(Number) as [
  number,
  number,
  number,
];

interface Round {
  readonly cpuUs: number;
  readonly perSecond: number;
  readonly hitRatio: number;
  /** Share of the busiest thread in the time of all, 0.5 when two share evenly. */
  readonly busiest: number;
}

interface Contestant {
  readonly name: string;
  readonly servers: readonly { readonly port: number; readonly process: MeasuredProcess }[];
  /** Which server the client process with this number on this processor asks. */
  readonly target: (client: number, cpu: number) => number;
  readonly rounds: Round[][];
}

const folder = mkdtempSync(join(tmpdir(), 'heimdall-workers-'));
const authority = new URL('../lib/authority.js', import.meta.url).pathname;
const upstream = new MeasuredProcess([process.execPath, authority, String(UPSTREAM_PORT)], CPUS);
let nextPort = FIRST_PORT;
const apart = [start('0', '-workers', '1'), start('1', '-workers', '1')];
const free = start(CPUS, '-workers', '2');
const contestants: readonly Contestant[] = [
  contestant('1 worker', [start(CPUS, '-workers', '1')], () => 0),
  contestant('2 servers', apart, (client) => client),
  contestant('2 workers', [start(CPUS, '-workers', '2')], () => 0),
  contestant('2 workers, not bound', [free], () => 0),
  contestant('2 servers, steered', apart, (_client, cpu) => cpu),
  contestant('2 workers, steered', [start(CPUS, '-workers', '2', '-steer')], () => 0),
];
try {
  for (const { port } of allServers()) await started(port);
  // What the scheduler would do with the same threads.
  execFileSync('taskset', ['-a', '-c', '-p', CPUS, String(free.process.pid)], { stdio: 'ignore' });
  // Twice, so that what the first pass did not draw is in the cache too, and the code is compiled.
  for (const c of contestants) for (const _ of [1, 2]) await load(c, [0, 1]);
  for (let round = 0; round < rounds; round++) {
    for (const [i, { from }] of LOADS.entries()) {
      for (const c of contestants) c.rounds[i]?.push(await load(c, from));
    }
  }
  report();
} finally {
  await Promise.all([upstream.stop(), ...allServers().map((server) => server.process.stop())]);
  rmSync(folder, { recursive: true, force: true });
}

function contestant(
  name: string,
  servers: Contestant['servers'],
  target: Contestant['target'],
): Contestant {
  return { name, servers, target, rounds: LOADS.map(() => []) };
}

function allServers(): Contestant['servers'] {
  return [...new Set(contestants.flatMap(({ servers }) => servers))];
}

function start(on: string, ...args: readonly string[]): Contestant['servers'][number] {
  const port = nextPort;
  nextPort += 10;
  const corefile = join(folder, `Corefile-${port}`);
  writeFileSync(
    corefile,
    `.:${port} {
  bind 127.0.0.1
  errors
  prometheus 127.0.0.1:${port + 1}
  cache {
    success 100000
  }
  forward . 127.0.0.1:${UPSTREAM_PORT}
}
`,
  );
  const server = new URL('../../bundle/core/main.js', import.meta.url).pathname;
  const command = [process.execPath, server, '-conf', corefile, '-quiet', ...args];
  return { port, process: new MeasuredProcess(command, on) };
}

/** Waits until the server shows its metrics: its workers serve then, each where it belongs. */
async function started(port: number): Promise<void> {
  for (let waitedMs = 0; waitedMs < START_LIMIT_MS; waitedMs += POLL_MS) {
    const response = await fetch(`http://127.0.0.1:${port + 1}/metrics`).catch(() => undefined);
    if (response !== undefined) {
      await pause(POLL_MS);
      return;
    }
    await pause(POLL_MS);
  }
  throw new Error(`the server on port ${port} did not start`);
}

async function load(c: Contestant, from: readonly number[]): Promise<Round> {
  const before = c.servers.map((server) => server.process.threadSeconds);
  const cacheBefore = await cacheOf(c);
  const clients = from.flatMap((cpu) => [0, 1].map((client) => ({ client, cpu })));
  const loads = clients.map(({ client, cpu }) => {
    const port = c.servers[c.target(client, cpu)]?.port as number;
    const seed = 1 + client * 2 + cpu;
    return runLoad({ port, cpu, seconds, rate, sockets, window, seed });
  });
  const results = await Promise.all(loads);
  const cacheAfter = await cacheOf(c);
  const spent = c.servers.flatMap(({ process: own }, i) =>
    [...own.threadSeconds].map(([id, s]) => s - (before[i]?.get(id) ?? 0)),
  );
  const total = spent.reduce((sum, s) => sum + s, 0);
  const received = results.reduce((sum, { received: own }) => sum + own, 0);
  const [hits, misses] = [
    cacheAfter.hits - cacheBefore.hits,
    cacheAfter.misses - cacheBefore.misses,
  ];
  return {
    cpuUs: (total * 1e6) / Math.max(1, received),
    perSecond: received / seconds,
    hitRatio: hits / Math.max(1, hits + misses),
    busiest: Math.max(...spent) / Math.max(Number.EPSILON, total),
  };
}

async function cacheOf(c: Contestant): Promise<{ hits: number; misses: number }> {
  const sums = { hits: 0, misses: 0 };
  for (const { port } of c.servers) {
    const text = await (await fetch(`http://127.0.0.1:${port + 1}/metrics`)).text();
    sums.hits += sumOf(text, 'hits');
    sums.misses += sumOf(text, 'misses');
  }
  return sums;
}

/** The sum of all series of one of the cache's counters. */
function sumOf(text: string, what: string): number {
  const lines = text.match(new RegExp(`^coredns_cache_${what}_total\\{.*$`, 'gm')) ?? [];
  return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}

function report(): void {
  const how = `${rounds} rounds of ${seconds} s, medians (least to most)`;
  console.log(`\n${cpus()[0]?.model}, Node ${process.version}, ${how}`);
  for (const [i, { name }] of LOADS.entries()) {
    console.log(`\n${name}\n`);
    console.log(
      '| | us CPU/hit | of one worker | of two servers | hits/s | hit ratio | busiest thread |',
    );
    console.log('| --- | ---: | ---: | ---: | ---: | ---: | ---: |');
    const one = contestants[0]?.rounds[i] ?? [];
    let apartRounds = one;
    for (const c of contestants) {
      const of = c.rounds[i] ?? [];
      const { median, least, most } = spreadOf(of.map((round) => round.cpuUs));
      if (c.servers === apart) apartRounds = of;
      const cells = [
        c.name,
        `${median.toFixed(2)} (${least.toFixed(2)} to ${most.toFixed(2)})`,
        ratioOf(of, one).toFixed(2),
        ratioOf(of, apartRounds).toFixed(2),
        Math.round(medianOf(of, 'perSecond')),
        medianOf(of, 'hitRatio').toFixed(4),
        medianOf(of, 'busiest').toFixed(2),
      ];
      console.log(`| ${cells.join(' | ')} |`);
    }
  }
}

/** The median of the ratios of one round each: whatever else runs meanwhile slows both. */
function ratioOf(of: readonly Round[], to: readonly Round[]): number {
  return spreadOf(of.map(({ cpuUs }, i) => cpuUs / (to[i]?.cpuUs ?? cpuUs))).median;
}

function medianOf(of: readonly Round[], value: keyof Round): number {
  return spreadOf(of.map((round) => round[value])).median;
}
