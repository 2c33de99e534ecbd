// Keeps the cache over a restart: when it is read and written, and the metrics of that.
import { createHash } from 'node:crypto';
import { type ControlServices, SnapshotKeeper, type SnapshotSaved } from '../../core/plugin.js';
import type { CacheMemory, PersistOptions } from './options.js';
import { CacheSnapshot } from './snapshot.js';
import { tickOf, ticksOfMs } from './ticks.js';

export class Persistence {
  readonly #keeper: SnapshotKeeper;
  readonly #snapshot: CacheSnapshot;
  readonly #path: string;
  readonly #services: ControlServices;

  /** Throws an Error when another cache is kept in the same file. */
  constructor(
    memory: CacheMemory,
    { path, intervalMs, staleMs, settings }: PersistOptions,
    zones: readonly string[],
    services: ControlServices,
  ) {
    const { block, clock, log, servers } = services;
    const owner = {
      fingerprint: block.fingerprint,
      settings: createHash('sha256').update(settings).digest().readInt32LE(0),
      staleTicks: ticksOfMs(staleMs),
    };
    const listeners = block.listeners.map((i) => servers[i] ?? '').join(' ');
    this.#services = services;
    this.#path = path;
    this.#snapshot = new CacheSnapshot(memory, owner, () => tickOf(clock.nowMs));
    this.#keeper = new SnapshotKeeper({
      path,
      owner: `cache of ${block.zones.join(' ')} on ${listeners}${block.view && ` in ${block.view}`}`,
      intervalMs,
      sections: [this.#snapshot],
      log,
      ...this.#metrics(zones),
    });
  }

  /** Takes in what the last process kept. */
  async load(): Promise<void> {
    const load = await this.#keeper.load();
    const { taken, skipped } = this.#snapshot;
    if (load.outcome !== 'loaded' || taken + skipped === 0) return;
    const seconds = Math.round(load.ageMs / 1000);
    const what = `${taken} entries of ${seconds} s ago from ${this.#path}`;
    this.#services.log.info(`${what}, ${skipped} left out`);
  }

  start(): void {
    this.#keeper.start();
  }

  stop(): Promise<void> {
    return this.#keeper.stop();
  }

  #metrics(zones: readonly string[]): {
    onSaved(saved: SnapshotSaved): void;
    onFailed(): void;
  } {
    const { metrics, block } = this.#services;
    const labels = { zones: zones.join(','), view: block.view };
    const written = metrics.gauge(
      'snapshot_timestamp_seconds',
      'When the last snapshot was written, in seconds since 1970.',
      labels,
    );
    const size = metrics.gauge('snapshot_bytes', 'Size of the last snapshot.', labels);
    const entries = metrics.gauge('snapshot_entries', 'Entries in the last snapshot.', labels);
    const duration = metrics.gauge(
      'snapshot_duration_seconds',
      'How long writing the last snapshot took.',
      labels,
    );
    const failures = metrics.counter(
      'snapshot_failures_total',
      'Snapshots that could not be written.',
      labels,
    );
    return {
      onSaved: ({ bytes, durationMs, wallMs }) => {
        written.set(wallMs / 1000);
        size.set(bytes);
        entries.set(this.#snapshot.written);
        duration.set(durationMs / 1000);
      },
      onFailed: () => failures.inc(),
    };
  }
}
