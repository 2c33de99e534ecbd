// Load as many clients make it (bench/lib/mixture.ts): from a cold cache, at a rate with bursts, and as fast as it goes, for every server installed.
// Each round starts every server anew. Run: node dist/bench/patterns/run.js [--rounds 3] [--seconds 3] [--rate 20000] [--burst 300] [--names 20000]
// [--only heimdall,unbound].
import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { runLoad } from '../lib/load-process.js';
import type { LoadResult } from '../lib/loader.js';
import { PEERS, type Peer } from '../lib/peers.js';
import { MeasuredProcess } from '../lib/process.js';
import { spreadOf } from '../lib/stats.js';
import { upstreamCount } from '../lib/upstream-count.js';

const SERVER_CPU = 0;
const LOAD_CPU = 1;
const UPSTREAM_PORT = 16_290;
const FIRST_PORT = 16_300;
const START_MS = 1500;
const BURST_MS = 100;
/** What a peer is asked for its metrics on; see bench/lib/peers.ts. */
const METRICS_OFFSET = 1;

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '3' },
    rate: { type: 'string', default: '20000' },
    burst: { type: 'string', default: '300' },
    names: { type: 'string', default: '20000' },
    only: { type: 'string', default: 'heimdall,unbound,dnsdist' },
  },
});
const seconds = Number(values.seconds);
const only = values.only.split(',');

interface Measured {
  readonly load: LoadResult;
  /** Share of the answers that the upstream was not asked for. */
  readonly hitRatio: number;
  /** The same by the server's own counters, where it has some this knows. */
  readonly ownRatio: number | undefined;
}

interface Phase {
  readonly name: string;
  readonly load: Readonly<Record<string, number>>;
}

const phases: readonly Phase[] = [
  { name: 'cold, full', load: {} },
  {
    name: 'bursts',
    load: {
      rate: Number(values.rate),
      burst: Number(values.burst),
      burstMs: BURST_MS,
      window: 512,
    },
  },
  { name: 'warm, full', load: {} },
];

const results = new Map<string, Measured[]>();
const folder = mkdtempSync(join(tmpdir(), 'heimdall-patterns-'));
const authority = new URL('../lib/authority.js', import.meta.url).pathname;
const upstream = new MeasuredProcess(
  [process.execPath, authority, String(UPSTREAM_PORT)],
  LOAD_CPU,
);
try {
  const peers = PEERS.filter((peer) => peer.isEcho !== true && only.includes(peer.name));
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const [i, peer] of peers.entries()) {
      await measure(peer, FIRST_PORT + (round * peers.length + i) * 10, round);
    }
  }
  report(peers);
} finally {
  await upstream.stop();
  rmSync(folder, { recursive: true, force: true });
}

async function measure(peer: Peer, port: number, round: number): Promise<void> {
  const command = peer.command(folder, port, UPSTREAM_PORT);
  if (command === undefined) {
    if (round === 0) console.log(`${peer.name}: not installed`);
    return;
  }
  const server = new MeasuredProcess(command, SERVER_CPU);
  try {
    await pause(START_MS);
    if (!server.isRunning) throw new Error(`${peer.name} did not start`);
    for (const phase of phases) {
      const key = keyOf(peer, phase);
      // Another seed for each phase: other rare names, another order.
      const seed = 1 + round * phases.length + phases.indexOf(phase);
      const measured = await timed(port, { ...phase.load, seed });
      results.set(key, [...(results.get(key) ?? []), measured]);
    }
  } finally {
    await server.stop();
  }
}

async function timed(port: number, load: Readonly<Record<string, number>>): Promise<Measured> {
  const [asked, own] = [await upstreamCount(UPSTREAM_PORT), await ownCounts(port)];
  const result = await runLoad({
    port,
    cpu: LOAD_CPU,
    seconds,
    kind: 'mixture',
    names: Number(values.names),
    ...load,
  });
  const now = await ownCounts(port);
  const missed = (await upstreamCount(UPSTREAM_PORT)) - asked;
  return {
    load: result,
    hitRatio: 1 - missed / Math.max(1, result.received),
    ownRatio:
      own === undefined || now === undefined
        ? undefined
        : (now.hits - own.hits) / (now.requests - own.requests),
  };
}

/** Hits and look-ups of a cache that says so in the words of CoreDNS; undefined when nothing listens there. */
async function ownCounts(port: number): Promise<{ hits: number; requests: number } | undefined> {
  try {
    const response = await fetch(`http://127.0.0.1:${port + METRICS_OFFSET}/metrics`);
    const text = await response.text();
    return {
      hits: sumOf(text, 'coredns_cache_hits_total'),
      requests: sumOf(text, 'coredns_cache_requests_total'),
    };
  } catch {
    return undefined;
  }
}

function sumOf(text: string, metric: string): number {
  return [...text.matchAll(new RegExp(`^${metric}(?:\\{.*\\})? (\\S+)$`, 'gm'))].reduce(
    (sum, [, value]) => sum + Number(value),
    0,
  );
}

function keyOf(peer: Peer, phase: Phase): string {
  return `${phase.name} ${peer.name}`;
}

function report(peers: readonly Peer[]): void {
  const { names, rate, burst, rounds } = values;
  console.log(
    `\n${cpus()[0]?.model}, Node ${process.version}, ${rounds} rounds of ${seconds} s, medians; ${names} names, bursts: ${rate} queries/s and ${burst} more every ${BURST_MS} ms\n`,
  );
  console.log(
    '| phase | server | answers/s | hit ratio | by its metrics | NXDOMAIN | lost | p50 us | p99 us | p99.9 us |',
  );
  console.log('| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |');
  for (const phase of phases) {
    for (const peer of peers) {
      const measured = results.get(keyOf(peer, phase));
      if (measured !== undefined) console.log(row(phase, peer, measured));
    }
  }
}

function row(phase: Phase, peer: Peer, measured: readonly Measured[]): string {
  const median = (value: (m: Measured) => number): number => spreadOf(measured.map(value)).median;
  const percent = (share: number): string => `${(share * 100).toFixed(2)} %`;
  const isCounted = measured.every((m) => m.ownRatio !== undefined);
  const cells = [
    phase.name,
    peer.name,
    Math.round(median((m) => m.load.perSecond)),
    percent(median((m) => m.hitRatio)),
    isCounted ? percent(median((m) => m.ownRatio ?? 0)) : '-',
    percent(median((m) => (m.load.rcodes[3] ?? 0) / Math.max(1, m.load.received))),
    measured.reduce((sum, m) => sum + m.load.lost, 0),
    median((m) => m.load.p50),
    median((m) => m.load.p99),
    Math.round(median((m) => m.load.p999)),
  ];
  return `| ${cells.join(' | ')} |`;
}
