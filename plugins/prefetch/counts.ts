// What a worker counts of refreshes.
import type { Counter, Labels, Metrics } from '../../core/plugin.js';

export interface PrefetchCounts {
  readonly onHit: Counter;
  readonly onTimer: Counter;
  readonly overBudget: Counter;
  readonly spared: Counter;
  readonly overLimit: Counter;
  readonly used: Counter;
  readonly unused: Counter;
  readonly evicted: Counter;
}

/** `labels` are those of the cache. */
export function prefetchCounts(metrics: Metrics, labels: Labels): PrefetchCounts {
  const begun = (reason: string): Counter =>
    metrics.counter('/prefetch_refreshes_total', 'Refreshes begun.', { reason, ...labels });
  const refused = (reason: string): Counter =>
    metrics.counter('/prefetch_refused_total', 'Refreshes not begun.', { reason, ...labels });
  return {
    onHit: begun('hit'),
    onTimer: begun('timer'),
    overBudget: refused('budget'),
    spared: refused('upstream'),
    overLimit: refused('limit'),
    used: metrics.counter(
      '/prefetch_used_total',
      'Refreshes on the timer that a client made use of.',
      labels,
    ),
    unused: metrics.counter(
      '/prefetch_unused_total',
      'Refreshes on the timer that ended with nobody having asked.',
      labels,
    ),
    evicted: metrics.counter(
      '/prefetch_evictions_total',
      'Names forgotten because another one needed the room.',
      labels,
    ),
  };
}
