// The *cache* directive.
import { definePlugin, type Parts, type Services } from '../../core/plugin.js';
import { ALL_FAILURES, type FailureOptions, onlyServfail } from '../negative/failures.js';
import type { NegativeConfig } from '../negative/syntax.js';
import { popularOptions } from '../prefetch/options.js';
import { AMOUNT, MAX_PAUSE_MS, PERCENT, type PrefetchConfig } from '../prefetch/syntax.js';
import { CacheHandler } from './cache.js';
import { allocateCache, CacheControl, type CacheSizes } from './control.js';
import type { CacheMemory, CacheOptions, PersistOptions, PrefetchOptions } from './options.js';
import { type CacheConfig, cacheSyntax, capacityOf, FAILURE_MS, ttlsOf } from './syntax.js';
import type { TtlLimits } from './ttl.js';

export default definePlugin({
  name: 'cache',
  syntax: cacheSyntax,
  setup: (config, services) =>
    new CacheHandler(optionsOf(config, services.block.parts), memoryOf(config, services), services),
  control: (config, services) => {
    const { parts } = services.block;
    const sizes = sizesOf(config, parts);
    const keptNames = prefetchOf(parts)?.persist;
    return new CacheControl(sizes, config.zones, services, persistOf(config, parts), keptNames);
  },
});

/** The configuration, its own and that of its parts, in the units the handler works with. */
export function optionsOf(config: CacheConfig, parts: Parts): CacheOptions {
  const { serve_stale, disable } = config;
  const popular = prefetchOf(parts);
  const disabled = (type: string): readonly string[] =>
    disable.flatMap(([of, zones]) => (of === type ? zones : []));
  return {
    zones: config.zones,
    success: { ttl: ttlsOf(config, 'success'), disabled: disabled('success') },
    denial: { ttl: denialTtls(config, negativeOf(parts)), disabled: disabled('denial') },
    failures: failuresOf(config, negativeOf(parts)),
    cut: negativeOf(parts)?.cut ?? 'off',
    zoneLimit: negativeOf(parts)?.zone_limit ?? undefined,
    keepTtl: config.keepttl,
    networks: config.networks,
    prefetch: onHits(config, popular),
    popular: popular === undefined ? undefined : popularOptions(popular),
    stale:
      serve_stale === undefined || serve_stale.maxMs === 0
        ? undefined
        : {
            ...serve_stale,
            except: config.serve_stale_except,
            prefersPositive: config.serve_stale_policy !== undefined,
          },
  };
}

/** Entries and bytes as configured. */
export function sizesOf({ success, denial, size }: CacheConfig, parts: Parts): CacheSizes {
  const denials = negativeOf(parts)?.capacity ?? denial[0];
  const names = prefetchOf(parts)?.names;
  return { success: capacityOf(success[0]), denial: capacityOf(denials), sizeBytes: size, names };
}

function prefetchOf(parts: Parts): PrefetchConfig | undefined {
  return parts.get('prefetch') as PrefetchConfig | undefined;
}

/** Which hits refresh; undefined when none does, and uses need not be counted. What *prefetch* says goes before what *cache* itself says. */
function onHits(
  { prefetch: own }: CacheConfig,
  part: PrefetchConfig | undefined,
): PrefetchOptions | undefined {
  const amount = part?.amount ?? own?.[0] ?? (part === undefined ? 0 : AMOUNT);
  const maxPauseMs = part?.pause ?? own?.[1] ?? MAX_PAUSE_MS;
  const percent = part?.percentage ?? own?.[2] ?? PERCENT;
  if (amount > 0) return { amount, maxPauseMs, percent };
  if (part === undefined || part.timer === null) return undefined;
  // Never so little is left; the timer needs to know when an entry was used.
  return { amount: 1, maxPauseMs, percent: 0 };
}

function negativeOf(parts: Parts): NegativeConfig | undefined {
  return parts.get('negative') as NegativeConfig | undefined;
}

/** What *negative* says goes before what *cache* itself says. */
function denialTtls(config: CacheConfig, negative: NegativeConfig | undefined): TtlLimits {
  if (negative?.ttl === undefined) return ttlsOf(config, 'denial');
  const [minMs, maxMs] = negative.ttl;
  return { min: Math.ceil(minMs / 1000), max: Math.floor(maxMs / 1000) };
}

function failuresOf(
  { servfail }: CacheConfig,
  negative: NegativeConfig | undefined,
): FailureOptions | undefined {
  if (negative?.failures === null) return undefined;
  if (negative?.failures !== undefined) return { ...negative.failures, isForAll: true };
  if (servfail === 0) return undefined;
  if (negative === undefined) return onlyServfail(servfail ?? FAILURE_MS);
  return servfail === undefined ? ALL_FAILURES : { ...onlyServfail(servfail), isForAll: true };
}

/** Where the cache is kept over a restart, and what entries depend on besides what is behind it. */
export function persistOf(config: CacheConfig, parts: Parts): PersistOptions | undefined {
  if (config.persist === undefined) return undefined;
  const [path, intervalMs] = config.persist;
  const { stale, keepTtl, prefetch, popular, cut, zoneLimit, ...kept } = optionsOf(config, parts);
  return { path, intervalMs, staleMs: stale?.maxMs ?? 0, settings: JSON.stringify(kept) };
}

function memoryOf(config: CacheConfig, services: Services): CacheMemory {
  // Without a control part (a handler by itself) the memory is the worker's own.
  return (
    (services.published as CacheMemory | undefined) ??
    allocateCache(sizesOf(config, services.block.parts))
  );
}
