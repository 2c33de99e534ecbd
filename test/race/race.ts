// The race: a server with two workers, the scripted upstream and clients, each a process of its own; and meanwhile everything that may happen to a cache happens: flushes, lists,
// snapshots, workers that end, the server stopped or killed and started again from its snapshot.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { createRandom } from '../../bench/lib/draw.js';
import { Child } from '../lib/child.js';
import { MAIN } from '../lib/heimdall.js';
import { freePort } from '../lib/ports.js';
import { tempFolder } from '../lib/temp-folder.js';
import { Reasons } from './doubts.js';
import type { LoadOptions, LoadReport, ToLoader } from './loader.js';
import { Questions } from './questions.js';
import { corefileOf, REASONS, rulesOf, ZONES } from './scene.js';
import { nowMs } from './stamp.js';
import type { UpstreamReport } from './upstream.js';

export interface RaceOptions {
  /** At least; it goes on until the clients have met all of `kinds`, and what happens to the server has happened. */
  readonly seconds: number;
  readonly kinds: readonly string[];
  readonly seed: number;
  readonly loaders: number;
  /** See SceneOptions; above 0 the race must be lost. */
  readonly lies: number;
  /** Between two stops or kills of the server; 0 for none. */
  readonly restartMs: number;
  /** Between two workers that end; 0 for none. */
  readonly killMs: number;
  /** Told what happens. */
  say(text: string): void;
}

export interface RaceReport {
  readonly load: LoadReport;
  readonly upstream: UpstreamReport;
  readonly events: Readonly<Record<string, number>>;
  /** The server's own counters, summed over zones and over its lives. */
  readonly metrics: Readonly<Record<string, number>>;
  /** Lines of the server's log that tell a fault. */
  readonly faults: readonly string[];
}

const NAMES = 60;
const FLUSH_MS = 150;
const LIST_MS = 2000;
const MAX_SHOWN = 20;
/** For what is rare on a machine that is busy. */
const MAX_WAIT_S = 60;
/** With the clients at it all the time. */
const START_LIMIT_MS = 60_000;
const METRICS = [
  'coredns_cache_hits_total',
  'coredns_cache_misses_total',
  'coredns_cache_evictions_total',
  'coredns_cache_served_stale_total',
  'coredns_cache_prefetch_total',
  'coredns_cache_nxdomain_cuts_total',
  'coredns_cache_zone_limit_total',
  'coredns_cache_not_stored_total',
  'coredns_cache_removed_total',
  'coredns_dedupe_joined_total',
  'coredns_dedupe_retries_total',
  'coredns_server_worker_restarts_total',
  'coredns_panics_total',
];
/** What no log of the server may have; a worker that ends because it was told to is none. */
const FAULT =
  /^\[(ERROR|WARNING)\] (?!plugin\/(errors|forward|negative|cache: (worker|\S+ more than))|worker \d ended).*$/gm;

export async function race(options: RaceOptions): Promise<RaceReport> {
  const folder = tempFolder();
  const run = new Race(options, folder.path);
  try {
    return await run.run();
  } finally {
    await run.close();
    folder.remove();
  }
}

class Race {
  readonly #options: RaceOptions;
  readonly #folder: string;
  readonly #events: Record<string, number> = {};
  readonly #metrics: Record<string, number> = {};
  readonly #faults: string[] = [];
  readonly #loaders: ChildProcess[] = [];
  readonly #random: () => number;
  #upstream: ChildProcess | undefined;
  #server: Child | undefined;
  #isOver = false;
  #metricsPort = 0;

  constructor(options: RaceOptions, folder: string) {
    this.#options = options;
    this.#folder = folder;
    this.#random = createRandom(options.seed ^ 0x5a17);
  }

  async run(): Promise<RaceReport> {
    this.#upstream = start('upstream.js');
    const { ports: upstreams } = await ask<{ ports: number[] }>(this.#upstream, { ports: 2 });
    const port = await freePort();
    this.#metricsPort = await freePort();
    const { lies } = this.#options;
    const metricsPort = this.#metricsPort;
    const write = (file: string, text: string): void => {
      writeFileSync(`${this.#folder}/${file}`, text);
    };
    write('Corefile', corefileOf({ port, metricsPort, upstreams, folder: this.#folder, lies }));
    write(REASONS, '');
    await this.#startServer();
    const { loaders, seed } = this.#options;
    for (let i = 0; i < loaders; i++) this.#loaders.push(this.#load(port, seed * 100 + i));
    await this.#disturb();
    const reports = await Promise.all(
      this.#loaders.splice(0).map((loader) => ask<LoadReport>(loader, { stop: true })),
    );
    await this.#readMetrics();
    const upstream = await ask<UpstreamReport>(this.#upstream, {});
    await this.#stopServer('SIGTERM');
    const load = this.#resolve(reports.reduce(sum));
    return { load, upstream, events: this.#events, metrics: this.#metrics, faults: this.#faults };
  }

  /** What was in doubt and has no reason is wrong. */
  #resolve(load: LoadReport): LoadReport {
    const reasons = new Reasons(readFileSync(`${this.#folder}/${REASONS}`, 'utf8'));
    const wrong = load.doubts.filter(({ of }) => !reasons.explains(of));
    const shown = wrong.slice(0, MAX_SHOWN);
    const problems = [
      ...load.problems,
      ...shown.map(({ of, problem }) => `${problem}\n    ${reasons.near(of)}`),
    ];
    return { ...load, problems, mismatches: load.mismatches + wrong.length };
  }

  async close(): Promise<void> {
    this.#isOver = true;
    for (const child of [...this.#loaders, this.#upstream]) child?.kill('SIGKILL');
    await this.#server?.stop('SIGKILL').catch(() => {});
  }

  #load(port: number, seed: number): ChildProcess {
    const loader = start('loader.js');
    const load: LoadOptions = {
      port,
      seed,
      rules: rulesOf(),
      zones: ZONES,
      names: NAMES,
      exponent: 1.1,
      random: 0.01,
      sockets: 32,
      connections: 8,
      window: 8,
    };
    loader.send({ start: load } satisfies ToLoader);
    return loader;
  }

  /** Until the race is over. Each of these goes on for itself. */
  async #disturb(): Promise<void> {
    const { restartMs, killMs } = this.#options;
    const every = async (ms: number, act: () => Promise<void>): Promise<void> => {
      while (ms > 0 && !this.#isOver) {
        await pause(ms * (0.5 + this.#random()));
        if (!this.#isOver) await this.#inTurn(act);
      }
    };
    // One after the other: what ends a worker asks the server, which must be there.
    await Promise.all([
      every(FLUSH_MS, () => this.#flush()),
      every(LIST_MS, () => this.#list()),
      every(killMs, () => this.#killWorker()),
      every(restartMs, () => this.#restart()),
      this.#wait(),
    ]);
  }

  /** Until the time is over and all that is wanted was there. */
  async #wait(): Promise<void> {
    const { seconds, kinds, restartMs, killMs } = this.#options;
    await pause(seconds * 1000);
    const wanted = [
      'names flushed',
      ...(restartMs > 0 ? ['restarts'] : []),
      ...(killMs > 0 ? ['workers ended'] : []),
    ];
    for (let left = MAX_WAIT_S; left > 0 && !this.#isOver; left--) {
      const met = new Set(Object.keys(this.#events));
      for (const loader of this.#loaders) {
        const seen = await ask<LoadReport['kinds']>(loader, { progress: true });
        for (const kind of Object.keys(seen)) met.add(kind);
      }
      if ([...kinds, ...wanted].every((what) => met.has(what))) break;
      await pause(1000);
    }
    this.#isOver = true;
  }

  #turn: Promise<void> = Promise.resolve();

  #inTurn(act: () => Promise<void>): Promise<void> {
    const turn = this.#turn.then(act);
    // Whoever comes next is not to fail for the same reason.
    this.#turn = turn.catch(() => {});
    return turn;
  }

  async #flush(): Promise<void> {
    const questions = new Questions({
      seed: Math.floor(this.#random() * 2 ** 31),
      zones: ZONES,
      names: NAMES,
      exponent: 1.1,
      random: 0,
    });
    const isSubtree = this.#random() < 0.2;
    const name = this.#random() < 0.02 ? '.' : questions.popular();
    const startMs = nowMs();
    await this.#command('cache', 'flush', ...(isSubtree ? ['--subtree'] : []), name);
    const endMs = nowMs();
    const flushed = `${isSubtree ? '*.' : ''}${name === '.' ? '' : `${name}.`}`;
    if (name !== '.') this.#tell({ flushed, startMs, endMs });
    this.#count(isSubtree ? 'subtrees flushed' : 'names flushed');
  }

  async #list(): Promise<void> {
    const draw = this.#random();
    if (draw < 0.4) await this.#command('cache', 'list');
    else if (draw < 0.7) await this.#command('cache', 'get', `a1.${ZONES[0]}`);
    else await this.#command('cache', 'stats');
    this.#count('lists');
  }

  async #killWorker(): Promise<void> {
    const startMs = nowMs();
    await this.#command('saboteur', 'kill');
    this.#count('workers ended');
    // Nobody knows when it was that the last query of it was lost.
    this.#tell({ disturbed: { startMs, endMs: nowMs() + 1000 } });
  }

  async #restart(): Promise<void> {
    const isKilled = this.#random() < 0.5;
    const startMs = nowMs();
    await this.#readMetrics();
    // Before: the snapshot that is loaded is from before some of the flushes.
    if (isKilled) this.#tell({ forget: true });
    await this.#stopServer(isKilled ? 'SIGKILL' : 'SIGTERM');
    await this.#startServer();
    if (isKilled) this.#tell({ forget: true });
    this.#tell({ disturbed: { startMs, endMs: nowMs() } });
    this.#count('restarts');
    this.#count(isKilled ? 'kills' : 'stops');
  }

  /** As `heimdall` does, but without a process of its own for each. */
  async #command(command: string, ...args: readonly string[]): Promise<void> {
    const socket = connect(`${this.#folder}/control.sock`);
    let answer = '';
    socket.setEncoding('utf8').on('data', (text: string) => {
      // Of a list the end is enough.
      answer = (answer + text).slice(-1000);
    });
    socket.on('error', () => {});
    socket.write(`${JSON.stringify({ command, args })}\n`);
    await new Promise((resolve) => socket.once('close', resolve));
    const last = answer.trimEnd().split('\n').at(-1) ?? '';
    if (!last.includes('"status":"ok"')) {
      const { isRunning, stdout, stderr } = this.#server as Child;
      const state = isRunning ? 'runs' : 'is gone';
      throw new Error(
        `${command} ${args.join(' ')}: "${last}", the server ${state}: ${stdout}${stderr}`,
      );
    }
  }

  #tell(told: ToLoader): void {
    for (const loader of this.#loaders) loader.send(told);
  }

  #count(event: string): void {
    this.#events[event] = (this.#events[event] ?? 0) + 1;
  }

  /** Each time from the same files: the configuration's fingerprint has the paths of plugins. */
  async #startServer(): Promise<void> {
    const flags = ['-conf', 'Corefile', '-workers', '2', '-control', 'control.sock'];
    const startMs = nowMs();
    this.#server = await Child.start({
      command: [process.execPath, '--enable-source-maps', MAIN, ...flags],
      ready: /^Heimdall-/m,
      cwd: this.#folder,
      startLimitMs: START_LIMIT_MS,
    });
    this.#options.say(`started within ${(nowMs() - startMs).toFixed(0)} ms`);
  }

  async #stopServer(signal: NodeJS.Signals): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    await server.stop(signal).catch((error: unknown) => {
      if (signal !== 'SIGKILL') this.#faults.push((error as Error).message);
    });
    this.#faults.push(
      ...(server.stdout.match(FAULT) ?? []),
      ...server.stderr.split('\n').filter(Boolean),
    );
    for (const line of server.stdout.match(/^\[INFO\] plugin\/cache: \d+ entries of.*$/gm) ?? []) {
      this.#options.say(line);
    }
  }

  async #readMetrics(): Promise<void> {
    const text = await (await fetch(`http://127.0.0.1:${this.#metricsPort}/metrics`)).text();
    for (const name of METRICS) {
      const lines = text.match(new RegExp(`^${name}(\\{[^}]*\\})? \\S+$`, 'gm')) ?? [];
      const value = lines.reduce((all, line) => all + Number(line.split(' ').at(-1)), 0);
      this.#metrics[name] = (this.#metrics[name] ?? 0) + value;
    }
  }
}

function start(script: string): ChildProcess {
  return fork(fileURLToPath(new URL(script, import.meta.url)), [], {
    execArgv: ['--enable-source-maps'],
  });
}

async function ask<T>(child: ChildProcess, told: object): Promise<T> {
  child.send(told);
  const [answer] = (await once(child, 'message')) as [T];
  return answer;
}

function sum(a: LoadReport, b: LoadReport): LoadReport {
  const kinds: Record<string, number> = { ...a.kinds };
  for (const [kind, count] of Object.entries(b.kinds)) kinds[kind] = (kinds[kind] ?? 0) + count;
  return {
    sent: a.sent + b.sent,
    received: a.received + b.received,
    lost: a.lost + b.lost,
    unexpected: a.unexpected + b.unexpected,
    overTcp: a.overTcp + b.overTcp,
    kinds,
    mismatches: a.mismatches + b.mismatches,
    problems: [...a.problems, ...b.problems],
    doubts: [...a.doubts, ...b.doubts],
  };
}
