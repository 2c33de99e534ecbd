// What *prefetch* says, in the units that *cache* works with.
import { WHOLE } from './popularity.js';
import type { PrefetchConfig } from './syntax.js';

export interface PopularOptions {
  /** From which share of WHOLE on a name is refreshed on the timer; undefined when none is, and nothing learnt. */
  readonly share: number | undefined;
  /** Names that are learnt, about. */
  readonly names: number;
  /** Refreshes a second, Infinity for no limit. */
  readonly budget: number;
}

export function popularOptions({ timer, names, budget }: PrefetchConfig): PopularOptions {
  return {
    share: timer === null ? undefined : Math.ceil((timer / 100) * WHOLE),
    names,
    budget: budget ?? Number.POSITIVE_INFINITY,
  };
}
