// What *forward* counts of queries and of the messages sent for them.
import type { Counter, Gauge, Metrics } from '../../core/plugin.js';

export interface AttemptCounts {
  readonly waiting: Gauge;
  /** Objects made for queries and for messages: they are used again and stay. */
  readonly races: Gauge;
  readonly exchanges: Gauge;
  readonly overloads: Counter;
  readonly hedged: Counter;
  readonly hedgeWins: Counter;
  readonly explored: Counter;
  readonly repeated: Counter;
  readonly lame: Counter;
  readonly broken: Counter;
}

export function createCounts(metrics: Metrics): AttemptCounts {
  const made = (of: string): Gauge =>
    metrics.gauge('pooled', 'Objects made for what is under way, in use or not.', { of });
  return {
    races: made('queries'),
    exchanges: made('messages'),
    waiting: metrics.gauge('in_flight', 'Queries that wait for an upstream.'),
    overloads: metrics.counter(
      'overload_total',
      'Messages not sent for want of a message id, socket or slot of this server.',
    ),
    hedged: metrics.counter('hedges_total', 'Late queries sent to a second upstream.'),
    hedgeWins: metrics.counter('hedge_wins_total', 'Queries that the second upstream answered.'),
    explored: metrics.counter(
      'explorations_total',
      'Copies of queries sent to an upstream that was not asked lately.',
    ),
    repeated: metrics.counter(
      'repeats_total',
      'Messages sent because one under way was taken for lost.',
    ),
    lame: metrics.counter('lame_replies_total', 'Replies of upstreams that do not recurse.'),
    broken: metrics.counter('healthcheck_broken_total', 'Queries that found every upstream down.'),
  };
}
