// Hot path. Which of several upstreams is asked. A set of upstreams is a bit mask: bit n is upstream n.
import { randomBelow } from '../../core/plugin.js';

/** Most upstreams of one *forward*: what a bit mask of a small integer holds. */
export const MAX_UPSTREAMS = 31;

export interface Policy {
  /** One upstream out of `candidates`, which is not empty; `isFirst` for the first attempt of a query. */
  pick(candidates: number, isFirst: boolean): number;
}

/** Each as likely as any other. */
class Random implements Policy {
  pick(candidates: number): number {
    let rest = candidates;
    const skip = rest & (rest - 1) ? randomBelow(bitCount(rest)) : 0;
    for (let i = 0; i < skip; i++) rest &= rest - 1;
    return lowest(rest);
  }
}

/** One after the other for new queries, the order written for further attempts. */
class RoundRobin implements Policy {
  #last = -1;

  pick(candidates: number, isFirst: boolean): number {
    if (!isFirst) return lowest(candidates);
    // Bits above the last one used; none left means from the start.
    const above = candidates & ~((2 << this.#last) - 1);
    this.#last = lowest(above === 0 ? candidates : above);
    return this.#last;
  }
}

/** Always the first in the order written. */
class Sequential implements Policy {
  pick(candidates: number): number {
    return lowest(candidates);
  }
}

const POLICIES = { random: Random, round_robin: RoundRobin, sequential: Sequential } as const;

export type PolicyName = keyof typeof POLICIES;

export const POLICY_NAMES = ['random', 'round_robin', 'sequential'] as const;

export function createPolicy(name: PolicyName): Policy {
  return new POLICIES[name]();
}

/** Index of the lowest bit set; the mask is not empty. */
function lowest(mask: number): number {
  return 31 - Math.clz32(mask & -mask);
}

function bitCount(mask: number): number {
  let count = 0;
  for (let rest = mask; rest !== 0; rest &= rest - 1) count++;
  return count;
}
