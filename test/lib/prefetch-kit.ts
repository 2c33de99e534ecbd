// What tests of *prefetch* need of *cache*: its keys, and its part in the main thread with a time of day that is set.
import { fakeServices } from '../../core/testing.js';
import { CacheKey } from '../../plugins/cache/key.js';
import { TICKS_PER_SECOND, tickOf } from '../../plugins/cache/ticks.js';
import { PrefetchControl } from '../../plugins/prefetch/control.js';
import type { PrefetchMemory } from '../../plugins/prefetch/memory.js';
import type { CacheBench } from './cache-bench.js';

/** A key of a cache with this seed, to be set to a query. */
export function keyWith(seed: number): CacheKey {
  return new CacheKey([seed, 2], 3);
}

export interface PrefetchRig {
  readonly control: PrefetchControl;
  readonly services: ReturnType<typeof fakeServices>;
}

/** The main thread's part over the memory of a bench that has a *prefetch*. */
export function prefetchControl(
  { clock, control }: CacheBench,
  wallMs: () => number,
  path?: string,
): PrefetchRig {
  const services = fakeServices({ clock });
  const { prefetch, seed } = control.published;
  const options = {
    memory: prefetch as PrefetchMemory,
    persist: path === undefined ? undefined : ([path, 0] as const),
    zones: ['.'],
    ticksPerSecond: TICKS_PER_SECOND,
    now: () => tickOf(clock.nowMs),
    key: new CacheKey(seed, 1),
    wallMs,
  };
  return { control: new PrefetchControl(options, services), services };
}
