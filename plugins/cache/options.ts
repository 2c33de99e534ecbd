// What the handler is told: the configuration in the units it works with, and the memory that all workers share.
import type { SlabGeometry } from '../../core/plugin.js';
import type { FailureOptions } from '../negative/failures.js';
import type { CutOptions } from '../negative/syntax.js';
import type { PrefetchMemory } from '../prefetch/memory.js';
import type { PopularOptions } from '../prefetch/options.js';
import type { TtlLimits } from './ttl.js';

/** The cache's shared memory, made in the main thread. */
export interface CacheMemory {
  readonly memory: SharedArrayBuffer;
  readonly success: SlabGeometry;
  readonly denial: SlabGeometry;
  /** Of the limit for each zone: see plugins/negative/zone-limit.ts. */
  readonly zoneCells: Int32Array;
  /** Of outages: see plugins/negative/outage.ts. */
  readonly outageCells: Int32Array;
  /** What *prefetch* has: undefined without it. */
  readonly prefetch: PrefetchMemory | undefined;
  /** Of the hash: random, the same in all workers. */
  readonly seed: readonly [number, number];
}

/** What concerns replies of one type. */
export interface TypeOptions {
  readonly ttl: TtlLimits;
  /** Zones whose replies are not kept. */
  readonly disabled: readonly string[];
}

/** An entry is refreshed when it was used `amount` times without a pause over `maxPauseMs` and at most `percent` of its time is left. */
export interface PrefetchOptions {
  readonly amount: number;
  readonly maxPauseMs: number;
  readonly percent: number;
}

export interface StaleOptions {
  /** How long past its time an entry may be used. */
  readonly maxMs: number;
  /** Asks upstream first and uses the stale entry only when that fails. */
  readonly verifies: boolean;
  /** How long a client waits for that, 0 for as long as it takes. */
  readonly timeoutMs: number;
  /** TTL of stale records in seconds. */
  readonly ttl: number;
  /** After a failed refresh none is tried for this long; undefined for longer the longer the entry is past its time. */
  readonly recheckMs: number | undefined;
  /** Zones whose entries are not used past their time. */
  readonly except: readonly string[];
  /** A stale answer is better than a new denial. */
  readonly prefersPositive: boolean;
}

export interface CacheOptions {
  readonly zones: readonly string[];
  readonly success: TypeOptions;
  readonly denial: TypeOptions;
  /** Undefined when no failures are kept. */
  readonly failures: FailureOptions | undefined;
  readonly cut: CutOptions;
  /** Queries a second for unknown names of one zone. */
  readonly zoneLimit: number | undefined;
  readonly keepTtl: boolean;
  /** Networks that one question has answers for, at most, and as many denials (RFC 7871). */
  readonly networks: number;
  readonly prefetch: PrefetchOptions | undefined;
  /** What *prefetch* says beyond that: a budget, and refreshes on a timer. */
  readonly popular: PopularOptions | undefined;
  readonly stale: StaleOptions | undefined;
}

/** How the cache is kept over a restart. */
export interface PersistOptions {
  readonly path: string;
  /** 0 for at the stop alone. */
  readonly intervalMs: number;
  /** How long past its time an entry may be used. */
  readonly staleMs: number;
  /** The settings that decide what is kept and for how long, as text: entries kept under others are not taken. */
  readonly settings: string;
}
