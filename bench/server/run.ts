// The benchmark of the whole server: hits, misses and latency beside an echo over the same sockets and beside the peers that are installed.
// Server on one core, load and upstream on another, rounds interleaved so that all meet the same machine. See bench/README.md.
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { type Contestant, inArena, LOAD_CPU } from '../lib/arena.js';
import { runLoad } from '../lib/load-process.js';
import type { LoadResult } from '../lib/loader.js';
import { type OwnTimes, readOwnTimes, shareWithin } from '../lib/own-time.js';
import { PEERS } from '../lib/peers.js';
import { spreadOf } from '../lib/stats.js';

const FIRST_PORT = 15_290;
/** At a rate the loader sends few datagrams a call; from about 150,000/s on what it measures is its own backlog, with the echo as well. */
const MAX_RATE = 100_000;

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

interface Result extends Contestant {
  readonly hits: Round[];
  readonly misses: Round[];
  /** At half of the own hits/s. */
  readonly half: LoadResult[];
  /** One query at a time. */
  readonly lone: LoadResult[];
  /** Of each round at half of the own hits/s: the server's own times before and after; of ours alone. */
  readonly own: (readonly [before: OwnTimes, after: OwnTimes])[];
  rssMb: number;
}

interface Round {
  readonly load: LoadResult;
  readonly cpuUs: number;
}

await inArena(
  { peers: PEERS, only, authority: 'authority.js', firstPort: FIRST_PORT },
  async (c) => {
    const results = c.map(
      (one): Result => ({ ...one, hits: [], misses: [], half: [], lone: [], own: [], rssMb: 0 }),
    );
    await measure(results);
    report(results);
  },
);

/** Everything about hits before the first misses, which push names out of the caches. */
async function measure(results: readonly Result[]): Promise<void> {
  for (const c of results) await runLoad({ port: c.port, cpu: LOAD_CPU, seconds: 3 });
  for (let round = 0; round < rounds; round++) {
    for (const c of results) c.hits.push(await timed(c, { seconds }));
  }
  for (let round = 0; round < rounds; round++) {
    for (const c of results) {
      const load = { port: c.port, cpu: LOAD_CPU, seconds };
      const rate = Math.min(MAX_RATE, Math.round(hitsOf(c) / 2));
      const before = await ownTimesOf(c);
      c.half.push(await runLoad({ ...load, rate }));
      const after = await ownTimesOf(c);
      if (before !== undefined && after !== undefined) c.own.push([before, after]);
      c.lone.push(await runLoad({ ...load, sockets: 1, window: 1 }));
    }
  }
  for (let round = 0; round <= rounds; round++) {
    for (const c of results) {
      if (c.peer.isEcho === true) continue;
      const result = await timed(c, { seconds, kind: 'unique', seed: round + 1 });
      // The first round warms up.
      if (round > 0) c.misses.push(result);
    }
  }
  for (const c of results) c.rssMb = c.process.rssMb;
}

/** Of ours: its metrics are beside its port. */
async function ownTimesOf(c: Result): Promise<OwnTimes | undefined> {
  return c.peer.name === 'heimdall' ? await readOwnTimes(c.port + 1) : undefined;
}

async function timed(c: Contestant, load: object): Promise<Round> {
  const before = c.process.cpuSeconds;
  const result = await runLoad({ port: c.port, cpu: LOAD_CPU, ...load });
  const cpuUs = ((c.process.cpuSeconds - before) * 1e6) / Math.max(1, result.received);
  return { load: result, cpuUs };
}

function report(results: readonly Result[]): void {
  const echo = results.find((c) => c.peer.isEcho === true);
  const limit = echo === undefined ? 0 : hitsOf(echo);
  console.log(
    `\n${cpus()[0]?.model}, Node ${process.version}, ${rounds} rounds of ${seconds} s, medians\n`,
  );
  console.log(
    '| server | hits/s | of echo | us CPU/hit | misses/s | us CPU/miss | lost | p50 us | p99 us | p99.9 us | p50 us alone | RSS MB |',
  );
  console.log(
    '| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |',
  );
  for (const c of results) console.log(row(c, limit));
  console.log(
    '\nPercentiles at half of the own hits/s, 100,000/s at most; alone: one query at a time.',
  );
  for (const c of results) reportOwn(c);
  const figures = Object.fromEntries(
    results.map((c) => [c.peer.name, { hits: hitsOf(c), misses: missesOf(c) }]),
  );
  if (values.save !== undefined)
    writeFileSync(values.save, `${JSON.stringify(figures, null, 2)}\n`);
  if (values.baseline !== undefined) compare(figures, values.baseline);
}

function reportOwn({ own, peer }: Result): void {
  if (own.length === 0) return;
  const percent = (seconds: number): string =>
    (100 * spreadOf(own.map((times) => shareWithin(seconds, ...times))).median).toFixed(2);
  console.log(
    `Of these, ${peer.name} itself had ${percent(0.0005)} % for 0.5 ms or less, ${percent(0.002)} % for 2 ms or less, medians of the rounds.`,
  );
}

function row(c: Result, limit: number): string {
  const median = (of: readonly Round[], value: (round: Round) => number): string =>
    of.length === 0 ? '-' : spreadOf(of.map(value)).median.toFixed(1);
  const latency = (of: readonly LoadResult[], value: (load: LoadResult) => number): string =>
    spreadOf(of.map(value)).median.toFixed(0);
  const lost = [...c.hits, ...c.misses].reduce((sum, r) => sum + r.load.lost, 0);
  const cells = [
    c.peer.name,
    Math.round(hitsOf(c)),
    limit === 0 ? '-' : (hitsOf(c) / limit).toFixed(2),
    median(c.hits, (r) => r.cpuUs),
    c.misses.length === 0 ? '-' : Math.round(missesOf(c)),
    median(c.misses, (r) => r.cpuUs),
    lost,
    latency(c.half, (load) => load.p50),
    latency(c.half, (load) => load.p99),
    latency(c.half, (load) => load.p999),
    latency(c.lone, (load) => load.p50),
    c.rssMb.toFixed(0),
  ];
  return `| ${cells.join(' | ')} |`;
}

function hitsOf(c: Result): number {
  return spreadOf(c.hits.map((r) => r.load.perSecond)).median;
}

function missesOf(c: Result): number {
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
