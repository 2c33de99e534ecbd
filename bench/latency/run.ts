// Latency with a million entries in the cache, and what holds the server up: fills the cache with names asked once, loads it at half of what it can,
// evenly over all of them, and prints the pauses of the garbage collector and what the kernel took beside the histogram. The echo gets the same load in
// turn: what it shows as well is the machine's. With --persist it writes a snapshot every so many seconds meanwhile, and is started once more from the last one.
// Run: node dist/bench/latency/run.js [--entries 1000000] [--seconds 20] [--ttl 300] [--rate N] [--persist 0].
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { type ProcessLoad, runLoad } from '../lib/load-process.js';
import type { LoadResult } from '../lib/loader.js';
import { MeasuredProcess } from '../lib/process.js';
import { spreadOf } from '../lib/stats.js';
import { type Pause, pausesIn, type ThreadPauses } from './pauses.js';

const SERVER_CPU = 0;
const LOAD_CPU = 1;
const PORT = 16_140;
const ECHO_PORT = 16_150;
const UPSTREAM_PORT = 16_159;
const START_MS = 1500;
/** Turns of server and echo that the time is divided into. */
const TURNS = 4;
/** Room for names lost on the way, so that none is pushed out. */
const HEADROOM = 1.1;
/** A snapshot is taken in by then, or something is wrong. */
const LOAD_LIMIT_MS = 30_000;
/** Longer than this is what an operator would notice. */
const LONG_MS = 10;

const { values } = parseArgs({
  options: {
    entries: { type: 'string', default: '1000000' },
    seconds: { type: 'string', default: '20' },
    ttl: { type: 'string', default: '300' },
    rate: { type: 'string', default: '0' },
    persist: { type: 'string', default: '0' },
  },
});
const entries = Number(values.entries);
const persist = Number(values.persist);
const turnSeconds = Number(values.seconds) / TURNS;

const here = (path: string): string => new URL(path, import.meta.url).pathname;
const folder = mkdtempSync(join(tmpdir(), 'heimdall-latency-'));
const corefile = join(folder, 'Corefile');
writeFileSync(
  corefile,
  `plugin ${here('./watch-plugin.js')}
.:${PORT} {
  bind 127.0.0.1
  errors
  prometheus 127.0.0.1:${PORT + 1}
  watch
  cache {
    success ${Math.ceil(entries * HEADROOM)}
    ${persist > 0 ? `persist ${join(folder, 'cache')} ${persist}s` : ''}
  }
  forward . 127.0.0.1:${UPSTREAM_PORT}
}
`,
);

let output = '';
const authority = [here('../lib/authority.js'), String(UPSTREAM_PORT), '', values.ttl];
const upstream = new MeasuredProcess([process.execPath, ...authority], LOAD_CPU);
const echoCommand = [process.execPath, here('../lib/echo.js'), String(ECHO_PORT)];
const echo = new MeasuredProcess(echoCommand, SERVER_CPU);
const startServer = (): MeasuredProcess =>
  new MeasuredProcess(
    [
      process.execPath,
      '--trace-gc',
      here('../../bundle/core/main.js'),
      '-conf',
      corefile,
      '-workers',
      '1',
    ],
    SERVER_CPU,
    (text) => {
      output += text;
    },
  );
let server = startServer();
const known: ProcessLoad = { port: PORT, cpu: LOAD_CPU, kind: 'known', names: entries };
try {
  await pause(START_MS);
  if (!server.isRunning) throw new Error('the server did not start');
  await measure();
} finally {
  await Promise.all([upstream.stop(), echo.stop(), server.stop()]);
  rmSync(folder, { recursive: true, force: true });
}

async function measure(): Promise<void> {
  const filled = await runLoad({ ...known, kind: 'unique', queries: entries, seconds: 120 });
  const held = await entriesHeld();
  console.log(
    `filled with ${filled.received} answers in ${filled.seconds.toFixed(1)} s, ${filled.lost} lost; ${held} entries, ${server.rssMb.toFixed(0)} MB resident`,
  );
  const full = await runLoad({ ...known, seconds: 2 });
  const rate = Number(values.rate) > 0 ? Number(values.rate) : Math.round(full.perSecond / 2);
  const outputStart = output.length;
  const loads: LoadResult[] = [];
  const echoes: LoadResult[] = [];
  for (let turn = 0; turn < TURNS; turn++) {
    const options = { ...known, seconds: turnSeconds, rate };
    loads.push(await runLoad(options));
    echoes.push(await runLoad({ ...options, port: ECHO_PORT }));
  }
  await server.stop();
  const text = output.slice(outputStart);
  console.log(
    `\n${cpus()[0]?.model}, Node ${process.version}; ${Math.round(full.perSecond)} hits/s at full load, then ${rate} queries/s, ${TURNS} turns of ${turnSeconds} s each\n`,
  );
  console.log('| | answers | lost | p50 us | p99 us | p99.9 us | max us |');
  console.log('| --- | ---: | ---: | ---: | ---: | ---: | ---: |');
  console.log(row(`${entries} entries`, loads));
  console.log(row('echo', echoes));
  reportPauses(text);
  if (persist > 0) await reportLoad();
}

/** How long the server takes until it serves, and until all of its snapshot is taken in: of a large one the rest comes while it serves. */
async function reportLoad(): Promise<void> {
  const outputStart = output.length;
  const startMs = performance.now();
  const wait = async (said: RegExp): Promise<string> => {
    while (server.isRunning && performance.now() < startMs + LOAD_LIMIT_MS) {
      const [line] = said.exec(output.slice(outputStart)) ?? [];
      if (line !== undefined)
        return `within ${(performance.now() - startMs).toFixed(0)} ms: ${line}`;
      await pause(5);
    }
    return 'not at all';
  };
  server = startServer();
  console.log(`\nstarted again, ${await wait(/Heimdall-.*/)}`);
  console.log(`with the snapshot, ${await wait(/plugin\/cache: .*/)}`);
}

/** Medians of the turns; the maximum is that of all. */
function row(name: string, loads: readonly LoadResult[]): string {
  const median = (value: (load: LoadResult) => number): number =>
    Math.round(spreadOf(loads.map(value)).median);
  const sum = (value: (load: LoadResult) => number): number =>
    loads.reduce((all, load) => all + value(load), 0);
  const cells = [
    name,
    sum((l) => l.received),
    sum((l) => l.lost),
    median((l) => l.p50),
    median((l) => l.p99),
    median((l) => l.p999),
    Math.max(...loads.map((l) => l.max)),
  ];
  return `| ${cells.join(' | ')} |`;
}

function reportPauses(text: string): void {
  console.log('\nPauses of the garbage collector while loaded, by thread (--trace-gc):');
  const threads = pausesIn(text);
  if (threads.length === 0) console.log('  none');
  for (const thread of threads) console.log(`  ${describe(thread)}`);
  const watched = [...text.matchAll(/plugin\/watch: (.*)$/gm)].map((match) => match[1] as string);
  console.log('\nThe threads by their own account:');
  for (const line of watched) console.log(`  ${line}`);
}

function describe({ thread, pauses }: ThreadPauses): string {
  const kinds = new Map<string, Pause[]>();
  for (const p of pauses) kinds.set(p.kind, [...(kinds.get(p.kind) ?? []), p]);
  const texts = [...kinds].map(([kind, of]) => {
    const { median, most } = spreadOf(of.map((p) => p.ms));
    const long = of.filter((p) => p.ms > LONG_MS).length;
    return `${of.length} ${kind}, median ${median} ms, longest ${most} ms, ${long} over ${LONG_MS} ms`;
  });
  return `thread ${thread}: ${texts.join('; ')}`;
}

async function entriesHeld(): Promise<string> {
  // Counted every second.
  await pause(START_MS);
  const metrics = await (await fetch(`http://127.0.0.1:${PORT + 1}/metrics`)).text();
  return /^coredns_cache_entries\{.*type="success".*\} (\S+)$/m.exec(metrics)?.[1] ?? '?';
}
