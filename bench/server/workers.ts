// What a second worker costs: processor time per hit with one worker, with two that share a cache, and with two that are steered by the receiving
// processor. Server and load share two processors, so the time per hit is the figure, not the hits per second. `node workers.js [--rounds N]`.
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
const START_MS = 1500;

/** The processors that load comes from, a process on each. */
const LOADS = [
  { name: 'clients on both CPUs', from: [0, 1] },
  { name: 'clients on CPU 0', from: [0] },
] as const;

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '10' },
    seconds: { type: 'string', default: '2' },
    /** Of each client process; many, so that the kernel's hash spreads them evenly. */
    sockets: { type: 'string', default: '64' },
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
  readonly port: number;
  readonly process: MeasuredProcess;
  readonly rounds: Round[][];
}

const folder = mkdtempSync(join(tmpdir(), 'heimdall-workers-'));
const authority = new URL('../lib/authority.js', import.meta.url).pathname;
const upstream = new MeasuredProcess([process.execPath, authority, String(UPSTREAM_PORT)], CPUS);
const contestants = [
  start('1 worker', '-workers', '1'),
  start('2 workers', '-workers', '2'),
  start('2 workers, steered', '-workers', '2', '-steer'),
];
try {
  await pause(START_MS);
  // Twice, so that what the first pass did not draw is in the cache too, and the code is compiled.
  for (const c of contestants) for (const _ of [1, 2]) await load(c, [0, 1]);
  for (let round = 0; round < rounds; round++) {
    for (const [i, { from }] of LOADS.entries()) {
      for (const c of contestants) c.rounds[i]?.push(await load(c, from));
    }
  }
  report();
} finally {
  await Promise.all([upstream.stop(), ...contestants.map((c) => c.process.stop())]);
  rmSync(folder, { recursive: true, force: true });
}

function start(name: string, ...args: readonly string[]): Contestant {
  const port = FIRST_PORT + name.length * 10;
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
  const server = new URL('../../core/main.js', import.meta.url).pathname;
  const command = [process.execPath, server, '-conf', corefile, '-quiet', ...args];
  const process_ = new MeasuredProcess(command, CPUS);
  return { name, port, process: process_, rounds: LOADS.map(() => []) };
}

async function load(c: Contestant, from: readonly number[]): Promise<Round> {
  const before = c.process.threadSeconds;
  const cacheBefore = await cacheOf(c);
  const loads = from.map((cpu) =>
    runLoad({ port: c.port, cpu, seconds, rate, sockets, window, seed: cpu + 1 }),
  );
  const results = await Promise.all(loads);
  const cacheAfter = await cacheOf(c);
  const spent = [...c.process.threadSeconds].map(([id, s]) => s - (before.get(id) ?? 0));
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
  const text = await (await fetch(`http://127.0.0.1:${c.port + 1}/metrics`)).text();
  return { hits: sumOf(text, 'hits'), misses: sumOf(text, 'misses') };
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
    console.log('| | us CPU/hit | of one worker | hits/s | hit ratio | busiest thread |');
    console.log('| --- | ---: | ---: | ---: | ---: | ---: |');
    const one = medianOf(contestants[0]?.rounds[i] ?? [], 'cpuUs');
    for (const c of contestants) {
      const of = c.rounds[i] ?? [];
      const { median, least, most } = spreadOf(of.map((round) => round.cpuUs));
      const cells = [
        c.name,
        `${median.toFixed(2)} (${least.toFixed(2)} to ${most.toFixed(2)})`,
        (median / one).toFixed(2),
        Math.round(medianOf(of, 'perSecond')),
        medianOf(of, 'hitRatio').toFixed(4),
        medianOf(of, 'busiest').toFixed(2),
      ];
      console.log(`| ${cells.join(' | ')} |`);
    }
  }
}

function medianOf(of: readonly Round[], value: keyof Round): number {
  return spreadOf(of.map((round) => round[value])).median;
}
