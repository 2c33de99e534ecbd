// Hot path. What there is for a query: in which half, under which key, fresh or past its time.
import { EcsFamily, type Query, ZoneSet } from '../../core/plugin.js';
import { Kind } from './classify.js';
import { Reach, reachOf, scopeOf } from './entry.js';
import { type CacheKey, isForNetwork } from './key.js';
import { type Networks, NO_MORE } from './networks.js';
import type { StaleOptions } from './options.js';
import { Freshness, type Region } from './region.js';
import { ticksOfMs } from './ticks.js';
import type { WholeNames } from './whole-names.js';

export class Finder {
  /** The entry found is past its time. */
  isStale = false;
  /** It need not be refreshed: upstream was asked a moment ago. */
  isSettled = false;
  readonly #success: Region;
  readonly #denial: Region;
  readonly #key: CacheKey;
  readonly #names: WholeNames;
  readonly #networks: Networks;
  readonly #stale: StaleOptions | undefined;
  readonly #staleTicks: number;
  readonly #noStale: ZoneSet;

  /** `key` is set to what is found. */
  constructor(
    success: Region,
    denial: Region,
    key: CacheKey,
    names: WholeNames,
    networks: Networks,
    stale: StaleOptions | undefined,
  ) {
    this.#success = success;
    this.#denial = denial;
    this.#key = key;
    this.#names = names;
    this.#networks = networks;
    this.#stale = stale;
    this.#staleTicks = ticksOfMs(stale?.maxMs ?? 0);
    this.#noStale = new ZoneSet(stale?.except ?? []);
  }

  /** Makes look-ups those of `q`. */
  begin(q: Query): void {
    this.#key.set(q);
    if (this.#noStale.size === 0) return;
    const ticks = this.#noStale.covers(q) ? 0 : this.#staleTicks;
    this.#success.staleTicks = ticks;
    this.#denial.staleTicks = ticks;
  }

  /** The half that has what to answer `q` with, null for none. */
  seek(q: Query, now: number): Region | null {
    return q.ecsFamily === EcsFamily.NONE ? this.#choose(now) : this.#seekNetwork(q, now);
  }

  /** The same for a query that asks for a network: the longest with a fresh answer, what is for all, the longest with a failure or a stale answer. */
  #seekNetwork(q: Query, now: number): Region | null {
    const networks = this.#networks;
    let other = NO_MORE;
    networks.load(q);
    for (let at = networks.first(); at !== NO_MORE; at = networks.after(at)) {
      this.#key.setNetwork(q, at);
      const region = this.#choose(now);
      if (region === null) continue;
      if (!this.isStale && region.kind !== Kind.FAILURE) return withScope(q, region);
      if (other === NO_MORE) other = at;
    }
    this.#key.set(q);
    let region = this.#choose(now);
    if (region !== null && reachOf(region.head0) !== Reach.ALL) region = null;
    if (other !== NO_MORE && (region === null || this.isStale)) {
      this.#key.setNetwork(q, other);
      region = this.#choose(now);
    }
    return withScope(q, region);
  }

  /**
   * The half that has what to answer with under the key, null for none. Answers come first: a denial that is younger has removed them. What stays beside them
   * is a failure, or under `prefer_positive` a denial, and a stale answer is better than either.
   */
  #choose(now: number): Region | null {
    const success = this.#success;
    const denial = this.#denial;
    this.isSettled = false;
    const positive = success.look(this.#key, now);
    this.isStale = positive === Freshness.STALE;
    if (positive === Freshness.FRESH) return success;
    let negative = denial.look(this.#key, now);
    if (negative !== Freshness.FRESH && !isForNetwork(this.#key.b)) {
      const ofName = this.#names.look(this.#key, now);
      // What is of the type alone counts when the name has nothing newer.
      negative =
        ofName === Freshness.FRESH || negative === Freshness.ABSENT
          ? ofName
          : denial.look(this.#key, now);
    }
    if (positive === Freshness.STALE) {
      this.isSettled = negative === Freshness.FRESH;
      if (negative !== Freshness.FRESH || this.#isBetterStale()) return success;
    }
    this.isStale = negative === Freshness.STALE;
    return negative === Freshness.ABSENT ? null : denial;
  }

  /** Whether the stale answer found is better than the fresh denial found. */
  #isBetterStale(): boolean {
    if (this.#denial.kind === Kind.FAILURE) return true;
    return this.#stale?.prefersPositive === true && this.#success.kind === Kind.ANSWER;
  }

  /** What there is for `q`, fresh or stale; null for nothing. */
  find(q: Query, now: number): Region | null {
    this.begin(q);
    return this.seek(q, now);
  }
}

/** Tells the client the scope of what was found for it. */
function withScope(q: Query, region: Region | null): Region | null {
  q.setEcsScope(region === null ? 0 : scopeOf(region.head0));
  return region;
}
