// Hot path. Which of several upstreams is asked. A set of upstreams is a bit mask: bit n is upstream n.
import { type Query, randomBelow } from '../../core/plugin.js';
import { bitCount, lowest, nth } from './bits.js';
import type { Candidate, Policy } from './candidate.js';
import { Fastest } from './fastest.js';

/** Most upstreams of one *forward*: what a bit mask of a small integer holds. */
export const MAX_UPSTREAMS = 31;

/** Each as likely as its share of all weights. */
class Random implements Policy {
  readonly explored = -1;
  readonly #upstreams: readonly Candidate[];

  constructor(upstreams: readonly Candidate[]) {
    this.#upstreams = upstreams;
  }

  pick(candidates: number): number {
    let total = 0;
    for (let rest = candidates; rest !== 0; rest &= rest - 1) total += this.#weight(lowest(rest));
    let rest = candidates;
    let left = total > 1 ? randomBelow(total) : 0;
    for (; (rest & (rest - 1)) !== 0; rest &= rest - 1) {
      left -= this.#weight(lowest(rest));
      if (left < 0) break;
    }
    return lowest(rest);
  }

  #weight(index: number): number {
    return this.#upstreams[index]?.weight ?? 1;
  }
}

/** One after the other for new queries, each as often in a row as its weight says; the order written for further attempts. */
class RoundRobin implements Policy {
  readonly explored = -1;
  readonly #upstreams: readonly Candidate[];
  #last = -1;
  #left = 0;

  constructor(upstreams: readonly Candidate[]) {
    this.#upstreams = upstreams;
  }

  pick(candidates: number, _q: Query, isFirst: boolean): number {
    if (!isFirst) return lowest(candidates);
    if (this.#left > 0 && (candidates & (1 << this.#last)) !== 0) {
      this.#left--;
      return this.#last;
    }
    // Bits above the last one used; none left means from the start.
    const above = candidates & ~((2 << this.#last) - 1);
    this.#last = lowest(above === 0 ? candidates : above);
    this.#left = (this.#upstreams[this.#last]?.weight ?? 1) - 1;
    return this.#last;
  }
}

/** Always the first in the order written. */
class Sequential implements Policy {
  readonly explored = -1;
  pick(candidates: number): number {
    return lowest(candidates);
  }
}

/**
 * The same upstream for the same name, as long as it is there (rendezvous hashing: Thaler and Ravishankar, 1998): each upstream draws a number
 * from the name, scaled by its weight, and the highest wins. When one goes, only its names move.
 */
class Hash implements Policy {
  readonly explored = -1;
  readonly #upstreams: readonly Candidate[];

  constructor(upstreams: readonly Candidate[]) {
    this.#upstreams = upstreams;
  }

  pick(candidates: number, q: Query): number {
    if ((candidates & (candidates - 1)) === 0) return lowest(candidates);
    const name = hashName(q);
    let best = -1;
    let highest = Number.NEGATIVE_INFINITY;
    for (let rest = candidates; rest !== 0; rest &= rest - 1) {
      const index = lowest(rest);
      const upstream = this.#upstreams[index];
      if (upstream === undefined) continue;
      // In (0, 1]: its logarithm is finite, and -weight / log u is how weights keep the shares (Schindelhauer and Schomaker, 2005).
      const drawn = (mix(name ^ upstream.seed) + 1) / 2 ** 32;
      const score = upstream.weight / -Math.log(Math.min(drawn, 1 - 2 ** -33));
      if (score > highest) {
        highest = score;
        best = index;
      }
    }
    return best === -1 ? nth(candidates, name % bitCount(candidates)) : best;
  }
}

const POLICIES = {
  fastest: Fastest,
  random: Random,
  round_robin: RoundRobin,
  sequential: Sequential,
  hash: Hash,
} as const;

export type PolicyName = keyof typeof POLICIES;

export const POLICY_NAMES = ['fastest', 'random', 'round_robin', 'sequential', 'hash'] as const;

/** `penaltyMs` is what a query costs that comes to nothing. */
export function createPolicy(
  name: PolicyName,
  upstreams: readonly Candidate[],
  penaltyMs: number,
): Policy {
  return new POLICIES[name](upstreams, penaltyMs);
}

/** 32 bits, not negative, of the question name in lower case (FNV-1a over whole words). */
function hashName(q: Query): number {
  const words = q.folded32;
  const end = (q.qnameEnd - q.qnameOffset + 3) >> 2;
  let hash = 0x811c9dc5;
  for (let i = 0; i < end; i++) hash = Math.imul(hash ^ (words[i] as number), 0x01000193);
  return mix(hash);
}

/** Spreads every bit over all (the last step of MurmurHash3). */
function mix(value: number): number {
  let hash = value;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
