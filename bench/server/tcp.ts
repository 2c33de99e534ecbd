// The benchmark over TCP: hits for 50 pipelining clients, and misses that an upstream answers over pooled TCP, beside Unbound.
// Server on one core, load and upstream on another, rounds interleaved so that all meet the same machine. See bench/README.md.
import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { type Contestant, inArena, LOAD_CPU } from '../lib/arena.js';
import { runLoad } from '../lib/load-process.js';
import { TCP_PEERS } from '../lib/peers.js';
import { spreadOf } from '../lib/stats.js';
import { runTcpLoad } from '../lib/tcp-loader.js';

const FIRST_PORT = 15_690;
/** A core that is idle for less than this share of the time is a limit of what is measured. */
const LEAST_IDLE = 0.03;
/** Names asked for hits: few enough to be cached by every server. */
const NAMES = 10_000;
/** Misses outstanding at once: 8 sockets with 64 each. */
const MISS_WINDOW = 64;

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '2' },
    window: { type: 'string', default: '32' },
    only: { type: 'string', default: '' },
  },
});
const rounds = Number(values.rounds);
const seconds = Number(values.seconds);
/** Queries that each TCP client keeps outstanding. */
const window = Number(values.window);
const only = values.only === '' ? undefined : values.only.split(',');

interface Round {
  readonly perSecond: number;
  readonly cpuUs: number;
  readonly p50: number;
  readonly p99: number;
  readonly failed: number;
  readonly isLoadLimited: boolean;
}

interface Result extends Contestant {
  readonly hits: Round[];
  readonly misses: Round[];
}

interface Answers {
  readonly received: number;
  readonly perSecond: number;
  readonly rcodes: readonly number[];
  readonly p50: number;
  readonly p99: number;
}

await inArena(
  { peers: TCP_PEERS, only, authority: 'stream-authority.js', firstPort: FIRST_PORT },
  async (contestants) => {
    const results = contestants.map((c): Result => ({ ...c, hits: [], misses: [] }));
    await measure(results);
    report(results);
  },
);

/** Hits in all rounds before the first misses: those would push the names out of some caches. */
async function measure(results: readonly Result[]): Promise<void> {
  for (const c of results) {
    // Over UDP first: a cold cache under pipelining clients makes some servers close connections.
    await runLoad({ port: c.port, cpu: LOAD_CPU, seconds: 3, names: NAMES });
    await hits(c, 2);
  }
  for (let round = 0; round < rounds; round++) {
    for (const c of results) c.hits.push(await hits(c, seconds));
  }
  for (let round = 0; round <= rounds; round++) {
    for (const c of results) {
      const result = await misses(c, round + 1);
      // The first round warms up.
      if (round > 0) c.misses.push(result);
    }
  }
}

function hits(c: Contestant, duration: number): Promise<Round> {
  return timed(c, () =>
    runTcpLoad({ port: c.port, cpu: LOAD_CPU, seconds: duration, names: NAMES, window }),
  );
}

function misses(c: Contestant, seed: number): Promise<Round> {
  return timed(c, () =>
    runLoad({
      port: c.port,
      cpu: LOAD_CPU,
      seconds,
      kind: 'unique',
      seed,
      window: MISS_WINDOW,
    }),
  );
}

async function timed(c: Contestant, load: () => Promise<Answers>): Promise<Round> {
  const cpuBefore = c.process.cpuSeconds;
  const coreBefore = coreTimes();
  const result = await load();
  const core = coreTimes();
  const cpuUs = ((c.process.cpuSeconds - cpuBefore) * 1e6) / Math.max(1, result.received);
  const idle = (core.idle - coreBefore.idle) / Math.max(1, core.total - coreBefore.total);
  return {
    perSecond: result.perSecond,
    cpuUs,
    p50: result.p50,
    p99: result.p99,
    failed: result.received - (result.rcodes[0] ?? 0),
    isLoadLimited: idle < LEAST_IDLE,
  };
}

/** Ticks of the load's core so far. */
function coreTimes(): { idle: number; total: number } {
  const line = new RegExp(`^cpu${LOAD_CPU} (.*)$`, 'm').exec(readFileSync('/proc/stat', 'utf8'));
  const ticks = (line?.[1] ?? '').split(' ').map(Number);
  return { idle: (ticks[3] ?? 0) + (ticks[4] ?? 0), total: ticks.reduce((a, b) => a + b, 0) };
}

function report(results: readonly Result[]): void {
  console.log(
    `\n${cpus()[0]?.model}, Node ${process.version}, ${rounds} rounds of ${seconds} s, medians\n`,
  );
  table(results, `hits for 50 TCP clients, ${window} pipelined`, (c) => c.hits);
  table(results, 'misses over TCP to the upstream', (c) => c.misses);
  console.log('Load limited: rounds in which the core of load and upstream was never idle; there');
  console.log('the rate is the least the server can do, and its processor time tells them apart.');
}

function table(
  results: readonly Result[],
  title: string,
  roundsOf: (c: Result) => readonly Round[],
): void {
  console.log(
    `| ${title} | per s | least | most | us CPU | p50 us | p99 us | failed | load limited |`,
  );
  console.log('| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |');
  for (const c of results) {
    const of = roundsOf(c);
    const median = (value: (round: Round) => number): number => spreadOf(of.map(value)).median;
    const rate = spreadOf(of.map((r) => r.perSecond));
    const cells = [
      c.peer.name,
      Math.round(rate.median),
      Math.round(rate.least),
      Math.round(rate.most),
      median((r) => r.cpuUs).toFixed(2),
      Math.round(median((r) => r.p50)),
      Math.round(median((r) => r.p99)),
      of.reduce((sum, r) => sum + r.failed, 0),
      `${of.filter((r) => r.isLoadLimited).length} of ${of.length}`,
    ];
    console.log(`| ${cells.join(' | ')} |`);
  }
  console.log('');
}
