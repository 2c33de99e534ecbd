// The *cache* directive.
import { definePlugin, type Services } from '../../core/plugin.js';
import { CacheHandler } from './cache.js';
import { allocateCache, CacheControl, type CacheSizes } from './control.js';
import type { CacheMemory, CacheOptions } from './options.js';
import { type CacheConfig, cacheSyntax, capacityOf, ttlsOf } from './syntax.js';

export default definePlugin({
  name: 'cache',
  syntax: cacheSyntax,
  setup: (config, services) =>
    new CacheHandler(optionsOf(config), memoryOf(config, services), services),
  control: (config, services) => new CacheControl(sizesOf(config), config.zones, services),
});

/** The configuration in the units the handler works with. */
export function optionsOf(config: CacheConfig): CacheOptions {
  const { prefetch, serve_stale, disable } = config;
  const [amount, maxPauseMs, percent] = prefetch;
  const disabled = (type: string): readonly string[] =>
    disable.flatMap(([of, zones]) => (of === type ? zones : []));
  return {
    zones: config.zones,
    success: { ttl: ttlsOf(config, 'success'), disabled: disabled('success') },
    denial: { ttl: ttlsOf(config, 'denial'), disabled: disabled('denial') },
    failureMs: config.servfail,
    keepTtl: config.keepttl,
    prefetch: amount === 0 ? undefined : { amount, maxPauseMs, percent },
    stale:
      serve_stale === undefined || serve_stale.maxMs === 0
        ? undefined
        : { ...serve_stale, prefersPositive: config.serve_stale_policy !== undefined },
  };
}

/** Entries and bytes as configured. */
export function sizesOf({ success, denial, size }: CacheConfig): CacheSizes {
  return { success: capacityOf(success[0]), denial: capacityOf(denial[0]), sizeBytes: size };
}

function memoryOf(config: CacheConfig, services: Services): CacheMemory {
  // Without a control part (a handler by itself) the memory is the worker's own.
  return (services.published as CacheMemory | undefined) ?? allocateCache(sizesOf(config));
}
