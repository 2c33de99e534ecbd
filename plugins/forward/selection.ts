// Hot path. Which upstream a query is sent to next: those trusted first, then those suspected, never again one that let this query time out.
import { type Counter, type Query, randomBelow } from '../../core/plugin.js';
import { Budget } from './budget.js';
import type { Policy } from './candidate.js';
import type { Race } from './race.js';
import type { Upstream } from './upstream.js';

/** No upstream is left for this query. */
export const NONE_LEFT = -1;

/** All were tried; attempts have no limit, so the next round begins after a pause. */
export const PAUSE = -2;

/** Share of queries that may go to an upstream just to see how it does, where that is not done with copies: one client in 20 at most pays for it. */
const EXPLORING_SHARE = 0.05;

export interface SelectionOptions {
  /** Attempts per query, 0 for no limit. */
  readonly maxAttempts: number;
  readonly isFailFast: boolean;
  /** Whether copies of queries are sent to upstreams that were not asked lately; else queries themselves are. */
  readonly hasCopies: boolean;
  /** Counts queries that found every upstream down. */
  readonly broken: Counter;
}

export class Selection {
  readonly #upstreams: readonly Upstream[];
  readonly #policy: Policy;
  readonly #all: number;
  readonly #options: SelectionOptions;
  readonly #explorations = new Budget(EXPLORING_SHARE, 1);
  #isTrying = false;

  constructor(upstreams: readonly Upstream[], policy: Policy, options: SelectionOptions) {
    this.#upstreams = upstreams;
    this.#policy = policy;
    // 2 ** 31 - 1 for 31 upstreams.
    this.#all = 2 ** upstreams.length - 1;
    this.#options = options;
  }

  /** Index of the upstream for the next attempt, NONE_LEFT or PAUSE. */
  next(race: Race): number {
    if (this.#isSpent(race)) return NONE_LEFT;
    const candidates = this.#best(this.#all & ~race.triedMask);
    if (candidates !== 0) return this.#pick(race, candidates);
    if (race.triedMask === 0) return this.#anyOfTheDown(race);
    return this.#nextRound(race);
  }

  /** A trusted upstream that was not tried, to be asked besides those under way; NONE_LEFT without. */
  another(race: Race): number {
    if (this.#isSpent(race)) return NONE_LEFT;
    const candidates = this.#trusted(this.#all & ~race.triedMask);
    if (candidates === 0) return NONE_LEFT;
    return this.#policy.pick(candidates, race.query as Query, false, race.isStream);
  }

  /** Whether another upstream than those tried could be asked: it is up, and attempts are left. */
  hasAnother(race: Race): boolean {
    return !this.#isSpent(race) && this.#best(this.#all & ~race.triedMask) !== 0;
  }

  /** After `next` for a first attempt: an upstream that was not asked lately and should get a copy of the query; -1 for none. */
  get explored(): number {
    return this.#policy.explored;
  }

  /** The query is settled: when it was a trial the next one may be. */
  settled(race: Race): void {
    if (race.isTrial) this.#isTrying = false;
  }

  #pick(race: Race, candidates: number): number {
    const policy = this.#policy;
    const isFirst = race.attempts === 0;
    const picked = policy.pick(candidates, race.query as Query, isFirst, race.isStream);
    if (!isFirst || this.#options.hasCopies) return picked;
    this.#explorations.earn();
    return policy.explored >= 0 && this.#explorations.spend() ? policy.explored : picked;
  }

  #isSpent(race: Race): boolean {
    const { maxAttempts } = this.#options;
    return maxAttempts > 0 && race.attempts >= maxAttempts;
  }

  /**
   * With everything down it may be the probes that are broken, says CoreDNS, and asks one of them. One query at a time does so here, drawn at
   * random; the others need not wait for what is known.
   */
  #anyOfTheDown(race: Race): number {
    this.#options.broken.inc();
    if (this.#options.isFailFast || this.#isTrying) return NONE_LEFT;
    this.#isTrying = true;
    race.isTrial = true;
    return randomBelow(this.#upstreams.length);
  }

  /** Those that failed at once may be asked again; those that cost a time-out are not. */
  #nextRound(race: Race): number {
    const candidates = this.#best(this.#all & ~race.timedOutMask);
    if (candidates === 0) return NONE_LEFT;
    race.triedMask = race.timedOutMask;
    return this.#options.maxAttempts === 0 ? PAUSE : this.#pick(race, candidates);
  }

  /** Of these the ones that are trusted, else those that are at least not down. */
  #best(mask: number): number {
    const trusted = this.#trusted(mask);
    if (trusted !== 0) return trusted;
    let up = 0;
    for (let i = 0; i < this.#upstreams.length; i++) {
      const upstream = this.#upstreams[i];
      if ((mask & (1 << i)) !== 0 && upstream?.health.isDown === false) up |= 1 << i;
    }
    return up;
  }

  #trusted(mask: number): number {
    let trusted = 0;
    for (let i = 0; i < this.#upstreams.length; i++) {
      const upstream = this.#upstreams[i];
      if ((mask & (1 << i)) === 0 || upstream === undefined) continue;
      const { health } = upstream;
      if (!health.isDown && !health.isSuspect) trusted |= 1 << i;
    }
    return trusted;
  }
}
