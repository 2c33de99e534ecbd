// What all sets of upstreams of one *forward* take their objects from, in one worker.
import { EXCHANGE_LIMIT, ExchangePool, type Gauge, type Metrics } from '../../core/plugin.js';
import type { InFlightCells } from './health-cells.js';
import { RacePool } from './race.js';

export interface AttemptPools {
  readonly exchanges: ExchangePool;
  readonly races: RacePool;
  readonly inFlight: InFlightCells;
}

/** Pools that show how many objects they made. */
export function createPools(metrics: Metrics, inFlight: InFlightCells): AttemptPools {
  const made = (of: string): Gauge =>
    metrics.gauge('pooled', 'Objects made for what is under way, in use or not.', { of });
  return {
    exchanges: new ExchangePool(EXCHANGE_LIMIT, made('messages')),
    races: new RacePool(made('queries')),
    inFlight,
  };
}
