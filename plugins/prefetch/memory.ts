// What *prefetch* has in memory that all workers share.
import { allocateBudget } from './budget.js';
import { allocateNames, type NameMemory } from './name-table.js';
import { allocateRound } from './round.js';

export interface PrefetchMemory {
  readonly names: NameMemory;
  readonly budget: Int32Array;
  readonly round: Int32Array;
}

/** Memory for so many names. */
export function allocatePrefetch(names: number): PrefetchMemory {
  return { names: allocateNames(names), budget: allocateBudget(), round: allocateRound() };
}
