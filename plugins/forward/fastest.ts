// Hot path. The policy *fastest*: the quicker of two upstreams, the one that was best and another one drawn at random.
//
// Two choices with a memory (Mitzenmacher, Prabhakar and Shah, 2002) find the best of many as surely as a look at all of them, at the cost of
// one comparison. What is not asked is not known, so now and then a query goes to the one that lost the comparison
// as well: see `explored`.
import { type Query, randomBelow } from '../../core/plugin.js';
import { bitCount, lowest, nth } from './bits.js';
import type { Candidate, Policy } from './candidate.js';

/** An upstream that nobody asked for this long is worth a query to see how it does. */
const EXPLORE_MS = 1000;

export class Fastest implements Policy {
  explored = -1;
  readonly #upstreams: readonly Candidate[];
  readonly #penaltyMs: number;
  #best = 0;

  constructor(upstreams: readonly Candidate[], penaltyMs: number) {
    this.#upstreams = upstreams;
    this.#penaltyMs = penaltyMs;
  }

  pick(candidates: number, _q: Query, isFirst: boolean, isStream: boolean): number {
    this.explored = -1;
    const kept = (candidates & (1 << this.#best)) === 0 ? lowest(candidates) : this.#best;
    const others = candidates & ~(1 << kept);
    if (others === 0) return kept;
    const drawn =
      (others & (others - 1)) === 0 ? lowest(others) : nth(others, randomBelow(bitCount(others)));
    const isDrawnFaster = this.#expectedMs(drawn, isStream) < this.#expectedMs(kept, isStream);
    const best = isDrawnFaster ? drawn : kept;
    if (!isFirst) return best;
    const passedOver = isDrawnFaster ? kept : drawn;
    const latency = this.#upstreams[passedOver]?.latency(isStream);
    if (latency !== undefined && latency.unaskedMs >= EXPLORE_MS) this.explored = passedOver;
    this.#best = best;
    return best;
  }

  #expectedMs(index: number, isStream: boolean): number {
    const upstream = this.#upstreams[index];
    if (upstream === undefined) return Number.POSITIVE_INFINITY;
    return upstream.latency(isStream).expectedMs(this.#penaltyMs) / upstream.weight;
  }
}
