// The part of *prefetch* in the main thread: keeps what was learnt over a restart, counts it, answers `heimdall prefetch`.
import {
  COMMANDS,
  CONTROL_OWNER,
  type ControlServices,
  type Gauge,
  SnapshotKeeper,
} from '../../core/plugin.js';
import { Budget } from './budget.js';
import { PREFETCH_HELP, PrefetchCommands } from './commands.js';
import { type KeptKey, LearnedNames } from './learned-names.js';
import type { PrefetchMemory } from './memory.js';
import { NameTable } from './name-table.js';
import { periodOf } from './popularity.js';

export interface PrefetchControlOptions {
  readonly memory: PrefetchMemory;
  /** Where what is learnt is kept, how often it is written, 0 for at the stop alone. */
  readonly persist: readonly [path: string, intervalMs: number] | undefined;
  /** Zones of the cache. */
  readonly zones: readonly string[];
  readonly ticksPerSecond: number;
  /** The tick of this moment. */
  now(): number;
  /** A key of the cache, made with this memory's seed. */
  readonly key: KeptKey;
  /** Milliseconds since 1970. */
  wallMs?(): number;
}

export class PrefetchControl {
  readonly #services: ControlServices;
  readonly #names: NameTable;
  readonly #section: LearnedNames;
  readonly #keeper: SnapshotKeeper | undefined;
  readonly #path: string;
  readonly #known: Gauge;
  readonly #bytes: Gauge;

  /** Throws an Error when somebody else keeps something in the same file. */
  constructor(options: PrefetchControlOptions, services: ControlServices) {
    const { memory, persist, zones, ticksPerSecond, now, key, wallMs = Date.now } = options;
    this.#services = services;
    this.#names = new NameTable(memory.names, CONTROL_OWNER, ticksPerSecond);
    const period = (): number => periodOf(wallMs());
    const budget = new Budget(memory.budget, 0, ticksPerSecond);
    this.#section = new LearnedNames(this.#names, budget, key, now, period);
    const { metrics, block } = services;
    const labels = { zones: zones.join(','), view: block.view };
    this.#known = metrics.gauge('/prefetch_names', 'Names learnt.', labels);
    this.#bytes = metrics.gauge('/prefetch_bytes', 'Memory that learnt names take.', labels);
    this.#path = persist?.[0] ?? '';
    if (persist !== undefined) this.#keeper = this.#createKeeper(...persist, labels);
    const commands = new PrefetchCommands(this.#names, now, period, ticksPerSecond);
    services.get(COMMANDS).add('prefetch', PREFETCH_HELP, commands.run);
  }

  /** Takes in what the last process learnt. */
  async load(): Promise<void> {
    if (this.#keeper === undefined) return;
    const load = await this.#keeper.load();
    const { taken, skipped } = this.#section;
    if (load.outcome !== 'loaded' || taken + skipped === 0) return;
    const seconds = Math.round(load.ageMs / 1000);
    const what = `${taken} popular names of ${seconds} s ago from ${this.#path}`;
    this.#services.log.info(`${what}, ${skipped} left out`);
  }

  start(): void {
    this.#keeper?.start();
  }

  async stop(): Promise<void> {
    await this.#keeper?.stop();
  }

  /** A thread that may have held a lock ended. Returns how many parts of the table were emptied. */
  seize(owner: number): number {
    return this.#names.bucket.seize(owner);
  }

  /** Counts what is there; once a second. */
  publish(): void {
    const { bucket } = this.#names;
    let count = 0;
    for (let i = 0; i < bucket.count; i++) count += bucket.countOf(i);
    this.#known.set(count);
    this.#bytes.set(bucket.usedBytes);
  }

  #createKeeper(
    path: string,
    intervalMs: number,
    labels: Readonly<Record<string, string>>,
  ): SnapshotKeeper {
    const { block, log, metrics, servers } = this.#services;
    const written = metrics.gauge(
      '/prefetch_snapshot_timestamp_seconds',
      'When the last snapshot was written, in seconds since 1970.',
      labels,
    );
    const failures = metrics.counter(
      '/prefetch_snapshot_failures_total',
      'Snapshots that could not be written.',
      labels,
    );
    const listeners = block.listeners.map((i) => servers[i] ?? '').join(' ');
    return new SnapshotKeeper({
      path,
      owner: `prefetch of ${block.zones.join(' ')} on ${listeners}${block.view && ` in ${block.view}`}`,
      intervalMs,
      sections: [this.#section],
      log,
      onSaved: ({ wallMs }) => written.set(wallMs / 1000),
      onFailed: () => failures.inc(),
    });
  }
}
