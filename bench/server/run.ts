// The benchmark of the whole server: hits, misses and latency beside an echo over the same sockets and beside the peers that are installed.
// Server on one core, load and upstream on another, rounds interleaved so that all meet the same machine. See bench/README.md.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { runLoad } from '../lib/load-process.js';
import type { LoadResult } from '../lib/loader.js';
import { PEERS, type Peer } from '../lib/peers.js';
import { MeasuredProcess } from '../lib/process.js';
import { spreadOf } from '../lib/stats.js';

const SERVER_CPU = 0;
const LOAD_CPU = 1;
const FIRST_PORT = 15_300;
const UPSTREAM_PORT = 15_290;

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '2' },
    only: { type: 'string', default: '' },
    save: { type: 'string' },
    baseline: { type: 'string' },
  },
});
const rounds = Number(values.rounds);
const seconds = Number(values.seconds);
const only = values.only === '' ? undefined : values.only.split(',');

interface Contestant {
  readonly peer: Peer;
  readonly port: number;
  readonly process: MeasuredProcess;
  readonly hits: Round[];
  readonly misses: Round[];
  half: LoadResult | undefined;
  rssMb: number;
}

interface Round {
  readonly load: LoadResult;
  readonly cpuUs: number;
}

const folder = mkdtempSync(join(tmpdir(), 'heimdall-bench-'));
const authority = new URL('../lib/authority.js', import.meta.url).pathname;
const upstream = new MeasuredProcess(
  [process.execPath, authority, String(UPSTREAM_PORT)],
  LOAD_CPU,
);
const contestants = startAll();
try {
  await measure();
  report();
} finally {
  await Promise.all([upstream.stop(), ...contestants.map((c) => c.process.stop())]);
  rmSync(folder, { recursive: true, force: true });
}

function startAll(): Contestant[] {
  const started: Contestant[] = [];
  for (const [i, peer] of PEERS.entries()) {
    if (only !== undefined && !only.includes(peer.name)) continue;
    const port = FIRST_PORT + i * 10;
    const own = join(folder, peer.name);
    mkdirSync(own);
    const command = peer.command(own, port, UPSTREAM_PORT);
    if (command === undefined) {
      console.log(`${peer.name}: not installed`);
      continue;
    }
    const process = new MeasuredProcess(command, SERVER_CPU);
    started.push({ peer, port, process, hits: [], misses: [], half: undefined, rssMb: 0 });
  }
  return started;
}

async function measure(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 1500));
  for (const c of contestants) {
    if (!c.process.isRunning) throw new Error(`${c.peer.name} did not start`);
    await runLoad({ port: c.port, cpu: LOAD_CPU, seconds: 3 });
  }
  for (let round = 0; round < rounds; round++) {
    for (const c of contestants) c.hits.push(await timed(c, { seconds }));
    for (const c of contestants) {
      if (c.peer.isEcho === true) continue;
      c.misses.push(await timed(c, { seconds, kind: 'unique', seed: round + 1 }));
    }
  }
  for (const c of contestants) {
    const rate = Math.round(spreadOf(c.hits.map((r) => r.load.perSecond)).median / 2);
    c.half = await runLoad({ port: c.port, cpu: LOAD_CPU, seconds: 5, rate });
    c.rssMb = c.process.rssMb;
  }
}

async function timed(c: Contestant, load: object): Promise<Round> {
  const before = c.process.cpuSeconds;
  const result = await runLoad({ port: c.port, cpu: LOAD_CPU, ...load });
  const cpuUs = ((c.process.cpuSeconds - before) * 1e6) / Math.max(1, result.received);
  return { load: result, cpuUs };
}

function report(): void {
  const echo = contestants.find((c) => c.peer.isEcho === true);
  const limit = echo === undefined ? 0 : hitsOf(echo);
  console.log(
    `\n${cpus()[0]?.model}, Node ${process.version}, ${rounds} rounds of ${seconds} s, medians\n`,
  );
  console.log(
    '| server | hits/s | of echo | us CPU/hit | misses/s | us CPU/miss | lost | p50 us | p99 us | p99.9 us | RSS MB |',
  );
  console.log('| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |');
  for (const c of contestants) console.log(row(c, limit));
  console.log('\nPercentiles at half load.');
  const figures = Object.fromEntries(
    contestants.map((c) => [c.peer.name, { hits: hitsOf(c), misses: missesOf(c) }]),
  );
  if (values.save !== undefined)
    writeFileSync(values.save, `${JSON.stringify(figures, null, 2)}\n`);
  if (values.baseline !== undefined) compare(figures, values.baseline);
}

function row(c: Contestant, limit: number): string {
  const median = (of: Round[], value: (round: Round) => number): string =>
    of.length === 0 ? '-' : spreadOf(of.map(value)).median.toFixed(1);
  const lost = [...c.hits, ...c.misses].reduce((sum, r) => sum + r.load.lost, 0);
  const cells = [
    c.peer.name,
    Math.round(hitsOf(c)),
    limit === 0 ? '-' : (hitsOf(c) / limit).toFixed(2),
    median(c.hits, (r) => r.cpuUs),
    c.misses.length === 0 ? '-' : Math.round(missesOf(c)),
    median(c.misses, (r) => r.cpuUs),
    lost,
    c.half?.p50 ?? '-',
    c.half?.p99 ?? '-',
    c.half?.p999 ?? '-',
    c.rssMb.toFixed(0),
  ];
  return `| ${cells.join(' | ')} |`;
}

function hitsOf(c: Contestant): number {
  return spreadOf(c.hits.map((r) => r.load.perSecond)).median;
}

function missesOf(c: Contestant): number {
  return spreadOf(c.misses.map((r) => r.load.perSecond)).median;
}

/** Ratios to the echo (hits) and plain figures (misses) beside those of a file saved before. */
function compare(figures: Record<string, { hits: number; misses: number }>, file: string): void {
  const before = JSON.parse(readFileSync(file, 'utf8')) as typeof figures;
  console.log(`\nAgainst ${file}, hits as ratios to the echo of the same run:`);
  for (const [name, now] of Object.entries(figures)) {
    const then = before[name];
    if (then === undefined) continue;
    const ratio = (of: typeof figures, hits: number): string =>
      (hits / (of.echo?.hits ?? hits)).toFixed(2);
    console.log(
      `  ${name}: hits ${ratio(before, then.hits)} -> ${ratio(figures, now.hits)}, misses/s ${Math.round(then.misses)} -> ${Math.round(now.misses)}`,
    );
  }
}
