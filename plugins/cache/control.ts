// The cache's part in the main thread: makes the shared memory, drops what is past its time, counts what is there.
import { randomInt } from 'node:crypto';
import {
  allocateCells,
  type Clock,
  COMMANDS,
  CONTROL_OWNER,
  type Control,
  type ControlServices,
  type Logger,
  METRIC_SOURCE,
  minSlabBytes,
  type SlabGeometry,
  SlabWriter,
  slabBytes,
  slabGeometry,
} from '../../core/plugin.js';
import { OUTAGE_CELLS } from '../negative/outage.js';
import { ZONE_CELLS } from '../negative/zone-limit.js';
import { PrefetchControl } from '../prefetch/control.js';
import { allocatePrefetch } from '../prefetch/memory.js';
import { CACHE_HELP, CacheCommands } from './commands.js';
import { HalfMetrics } from './half-metrics.js';
import { CacheInspector } from './inspect.js';
import { CacheKey } from './key.js';
import type { CacheMemory, PersistOptions } from './options.js';
import { Persistence } from './persistence.js';
import { TICKS_PER_SECOND, tickOf } from './ticks.js';

/** Bytes of shared memory per entry where no `size` is set: most answers take 200 to 400, one with many or signed records 1000 and more. */
const BYTES_PER_ENTRY = 1024;

/** The most for both halves: 4 GiB, less what rounding may add. Past it places in memory would not be small integers any more. */
export const MAX_SIZE_BYTES = 2 ** 32 - 2 ** 24;

/** How often entries are counted, and a part of the shards is swept. */
const PERIOD_MS = 1000;

/** Each shard is swept once in this many periods. */
const SWEEP_PERIODS = 32;

export interface CacheSizes {
  /** Entries. */
  readonly success: number;
  readonly denial: number;
  /** Bytes of both together, undefined for as much as the entries may need. */
  readonly sizeBytes: number | undefined;
  /** Names that *prefetch* learns; undefined without it. */
  readonly names?: number | undefined;
}

/** The least `sizeBytes` for these entries. */
export function minSizeBytes(success: number, denial: number): number {
  return minSlabBytes(success) + minSlabBytes(denial);
}

/** Makes the memory that all workers share. What is not used of it costs nothing. */
export function allocateCache({ success, denial, sizeBytes, names }: CacheSizes): CacheMemory {
  const wanted = sizeBytes ?? Math.min((success + denial) * BYTES_PER_ENTRY, MAX_SIZE_BYTES);
  const size = Math.max(wanted, minSizeBytes(success, denial));
  const spare = size - minSizeBytes(success, denial);
  const share = Math.floor((spare * success) / (success + denial));
  const answers = slabGeometry(success, minSlabBytes(success) + share);
  const answerBytes = slabBytes(answers);
  const denialBytes = minSlabBytes(denial) + spare - share;
  const denials = slabGeometry(denial, denialBytes, answerBytes / Int32Array.BYTES_PER_ELEMENT);
  return {
    memory: new SharedArrayBuffer(answerBytes + slabBytes(denials)),
    success: answers,
    denial: denials,
    outageCells: allocateCells(OUTAGE_CELLS),
    zoneCells: allocateCells(ZONE_CELLS),
    prefetch: names === undefined ? undefined : allocatePrefetch(names),
    seed: [randomInt(2 ** 32), randomInt(2 ** 32)],
  };
}

/** One half as the main thread sees it. */
interface Half {
  readonly writer: SlabWriter;
  readonly metrics: HalfMetrics;
  /** The next shard to sweep. */
  shard: number;
}

export class CacheControl implements Control {
  readonly published: CacheMemory;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #halves: readonly Half[];
  readonly #persistence: Persistence | undefined;
  readonly #prefetch: PrefetchControl | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    sizes: CacheSizes,
    zones: readonly string[],
    services: ControlServices,
    persist?: PersistOptions,
    keptNames?: readonly [path: string, intervalMs: number],
  ) {
    this.published = allocateCache(sizes);
    this.#clock = services.clock;
    this.#log = services.log;
    const { memory, success, denial } = this.published;
    const halfOf = (geometry: SlabGeometry, type: string): Half => {
      const writer = new SlabWriter(memory, geometry, CONTROL_OWNER);
      return { writer, metrics: new HalfMetrics(writer, type, zones, services), shard: 0 };
    };
    this.#halves = [halfOf(success, 'success'), halfOf(denial, 'denial')];
    if (persist !== undefined) {
      this.#persistence = new Persistence(this.published, persist, zones, services);
    }
    const { prefetch, seed } = this.published;
    if (prefetch !== undefined) {
      this.#prefetch = new PrefetchControl(
        {
          memory: prefetch,
          persist: keptNames,
          zones,
          ticksPerSecond: TICKS_PER_SECOND,
          now: () => tickOf(services.clock.nowMs),
          key: new CacheKey(seed, services.block.fingerprint),
        },
        services,
      );
    }
    services.get(COMMANDS).add('cache', CACHE_HELP, this.#commands(zones, services).run);
  }

  async onLoad(): Promise<void> {
    await Promise.all([this.#persistence?.load(), this.#prefetch?.load()]);
  }

  onStart(): void {
    this.#persistence?.start();
    this.#prefetch?.start();
    this.#timer = setInterval(() => this.tick(), PERIOD_MS);
    this.#timer.unref();
  }

  async onStop(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all([this.#persistence?.stop(), this.#prefetch?.stop()]);
  }

  onWorkerExit(worker: number): void {
    let seized = this.#prefetch?.seize(worker + 1) ?? 0;
    for (const { writer } of this.#halves) seized += writer.seize(worker + 1);
    if (seized > 0) this.#log.warning(`worker ${worker} ended while it wrote: a part was emptied`);
  }

  #commands(zones: readonly string[], services: ControlServices): CacheCommands {
    const { block, servers, clock } = services;
    const now = (): number => tickOf(clock.nowMs);
    return new CacheCommands(
      new CacheInspector(this.published, block.fingerprint, now),
      { zones: zones.join(','), view: block.view },
      block.listeners.map((i) => servers[i] ?? ''),
      () => services.get(METRIC_SOURCE),
    );
  }

  /** One period's work; the timer calls it. */
  tick(): void {
    const now = tickOf(this.#clock.nowMs);
    for (const half of this.#halves) {
      const { writer, metrics } = half;
      for (let left = Math.ceil(writer.shards / SWEEP_PERIODS); left > 0; left--) {
        writer.sweep(half.shard, now);
        half.shard = (half.shard + 1) % writer.shards;
      }
      metrics.publish();
    }
    this.#prefetch?.publish();
  }
}
