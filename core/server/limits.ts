// What the listeners of a worker count of their limits: how much of each is in use, and how often one was met.
import type { Counter, Gauge, Metrics } from '../chain/services.js';
import type { TimerLimits } from '../upstream/timer-wheel.js';

export interface Limits {
  /** Queries that wait for a reply now. */
  readonly waiting: Gauge;
  /** Query objects made and not given up again. */
  readonly objects: Gauge;
  /** Queries not let wait, because too many did. */
  readonly queries: Counter;
  /** Queries answered because they had waited too long. */
  readonly time: Counter;
  /** Connections refused because there were too many, all of them busy, and idle ones closed for a new one. */
  readonly connections: Counter;
  readonly idleConnections: Counter;
  /** Times a connection was not read because of the queries in flight on it. */
  readonly pipeline: Counter;
  /** Connections closed because a message was not complete in time, or replies were not taken. */
  readonly slowSenders: Counter;
  readonly slowReaders: Counter;
}

/** Registers them; in scope `server`. */
export function limitsOf(metrics: Metrics): Limits {
  const met = (limit: string): Counter => metOf(metrics, limit);
  return {
    waiting: metrics.gauge('waiting_queries', 'Queries that wait for a reply.'),
    objects: metrics.gauge('query_objects', 'Query objects made, in use or kept for reuse.'),
    queries: met('queries'),
    time: met('time'),
    connections: met('connections'),
    idleConnections: met('idle_connections'),
    pipeline: met('pipeline'),
    slowSenders: met('slow_sender'),
    slowReaders: met('slow_reader'),
  };
}

/** Registers those of a worker's timers; in scope `server`. */
export function timerLimitsOf(metrics: Metrics): TimerLimits {
  return {
    slots: metrics.gauge('timer_slots', 'Timers there is room for.'),
    refused: metOf(metrics, 'timers'),
  };
}

function metOf(metrics: Metrics, limit: string): Counter {
  return metrics.counter('limit_total', 'Limits that were met.', { limit });
}
