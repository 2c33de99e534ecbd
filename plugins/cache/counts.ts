// What the cache counts, per server it is reached through. CoreDNS's names and labels, then ours.
import type { Counter, Labels, Services } from '../../core/plugin.js';
import type { Region } from './region.js';

/** Counters of one server; the last two pairs are by type. */
export interface ServerCounts {
  readonly requests: Counter;
  readonly misses: Counter;
  readonly prefetches: Counter;
  readonly drops: Counter;
  readonly servedStale: Counter;
  readonly success: TypeCounts;
  readonly denial: TypeCounts;
}

export interface TypeCounts {
  readonly hits: Counter;
  /** Of those, on entries in the clock of recency, and of frequency. */
  readonly recencyHits: Counter;
  readonly frequencyHits: Counter;
  readonly evictions: Counter;
}

/** Counters that do not depend on the server. */
export interface CacheCounts {
  /** By index of the server; only those of the server block. */
  readonly servers: readonly ServerCounts[];
  readonly cuts: Counter;
  readonly overZoneLimits: Counter;
  readonly busy: Counter;
  readonly tooLarge: Counter;
  readonly overNetworks: Counter;
  readonly overRefreshes: Counter;
}

export function countsOf(services: Services, zones: readonly string[]): CacheCounts {
  const { metrics, block } = services;
  const cache: Labels = { zones: zones.join(','), view: block.view };
  const servers: ServerCounts[] = [];
  for (const i of block.listeners) servers[i] = serverCounts(services, i, cache);
  const notStored = (reason: string): Counter =>
    metrics.counter('not_stored_total', 'Replies that could not be stored.', { reason, ...cache });
  return {
    servers,
    cuts: metrics.counter(
      'nxdomain_cuts_total',
      'Queries denied because a name above theirs does not exist.',
      cache,
    ),
    overZoneLimits: metrics.counter(
      'zone_limit_total',
      'Queries not sent upstream because of the limit for unknown names of their zone.',
      cache,
    ),
    busy: notStored('busy'),
    tooLarge: notStored('size'),
    overNetworks: notStored('networks'),
    overRefreshes: metrics.counter(
      'refresh_limit_total',
      'Refreshes not begun because too many were in flight.',
      cache,
    ),
  };
}

/** Counts a hit on the entry that `region` found. */
export function countHit(counts: TypeCounts, region: Region): void {
  counts.hits.inc();
  if (region.reader.isFrequent) counts.frequencyHits.inc();
  else counts.recencyHits.inc();
}

/** Labels of one type's series, in the order of CoreDNS. */
export function typeLabels(server: string, type: string, cache: Labels): Labels {
  return { server, type, ...cache };
}

function serverCounts({ metrics, servers }: Services, i: number, cache: Labels): ServerCounts {
  const server = servers[i] ?? '';
  const labels: Labels = { server, ...cache };
  const ofType = (type: string): TypeCounts => {
    const typed = typeLabels(server, type, cache);
    const onList = (list: string): Counter =>
      metrics.counter('list_hits_total', 'Cache hits, by the clock of the entry.', {
        ...typed,
        list,
      });
    return {
      hits: metrics.counter('hits_total', 'Cache hits.', typed),
      recencyHits: onList('recency'),
      frequencyHits: onList('frequency'),
      evictions: metrics.counter(
        'evictions_total',
        'Entries that had to make room before their time.',
        typed,
      ),
    };
  };
  return {
    requests: metrics.counter('requests_total', 'Queries the cache was asked for.', labels),
    misses: metrics.counter('misses_total', 'Cache misses.', labels),
    prefetches: metrics.counter('prefetch_total', 'Entries refreshed in the background.', labels),
    drops: metrics.counter('drops_total', 'Replies not kept: not for the question.', labels),
    servedStale: metrics.counter('served_stale_total', 'Queries answered stale.', labels),
    success: ofType('success'),
    denial: ofType('denial'),
  };
}
