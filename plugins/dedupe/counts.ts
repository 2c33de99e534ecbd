// What *dedupe* counts.
import type { Counter, Gauge, Services } from '../../core/plugin.js';

export interface DedupeCounts {
  readonly leaders: Counter;
  readonly joinedHere: Counter;
  readonly joinedElsewhere: Counter;
  readonly retries: Counter;
  readonly timeouts: Counter;
  readonly waiting: Gauge;
  readonly flights: Gauge;
  readonly overWaiters: Counter;
  readonly overQuestions: Counter;
  readonly overClaims: Counter;
  readonly overMail: Counter;
}

export function countsOf({ metrics }: Services): DedupeCounts {
  const joinedHelp = "Queries that waited for another one's reply.";
  const limit = (which: string): Counter =>
    metrics.counter('limit_total', 'Queries that met a limit.', { limit: which });
  return {
    leaders: metrics.counter('leaders_total', 'Queries that went on for others to wait for.'),
    joinedHere: metrics.counter('joined_total', joinedHelp, { leader: 'local' }),
    joinedElsewhere: metrics.counter('joined_total', joinedHelp, { leader: 'remote' }),
    retries: metrics.counter('retries_total', 'Waiting queries that asked again.'),
    timeouts: metrics.counter('timeouts_total', 'Leaders that took too long for those that wait.'),
    waiting: metrics.gauge('waiters', 'Queries that wait now.'),
    flights: metrics.gauge('pooled', 'Objects made for questions in flight, in use or not.'),
    overWaiters: limit('waiters'),
    overQuestions: limit('questions'),
    overClaims: limit('claims'),
    overMail: limit('mail'),
  };
}
