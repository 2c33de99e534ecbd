// Hot path. Which upstream a query is sent to next: those trusted first, then those suspected, never again one that let this query time out.
import type { Counter, Exchange, Query } from '../../core/plugin.js';
import { randomBelow } from '../../core/plugin.js';
import type { Policy } from './candidate.js';
import type { Upstream } from './upstream.js';

/** No upstream is left for this query. */
export const NONE_LEFT = -1;

/** All were tried; attempts have no limit, so the next round begins after a pause. */
export const PAUSE = -2;

export class Selection {
  readonly #upstreams: readonly Upstream[];
  readonly #policy: Policy;
  readonly #all: number;
  readonly #maxAttempts: number;
  readonly #isFailFast: boolean;
  readonly #broken: Counter;

  /** `maxAttempts` is 0 for no limit; `broken` counts queries that found every upstream down. */
  constructor(
    upstreams: readonly Upstream[],
    policy: Policy,
    maxAttempts: number,
    isFailFast: boolean,
    broken: Counter,
  ) {
    this.#upstreams = upstreams;
    this.#policy = policy;
    // 2 ** 31 - 1 for 31 upstreams.
    this.#all = 2 ** upstreams.length - 1;
    this.#maxAttempts = maxAttempts;
    this.#isFailFast = isFailFast;
    this.#broken = broken;
  }

  /** Index of the upstream for the next attempt, over UDP or a connection, NONE_LEFT or PAUSE. */
  next(x: Exchange, isStream: boolean): number {
    if (this.#isSpent(x)) return NONE_LEFT;
    const candidates = this.#best(this.#all & ~x.triedMask);
    if (candidates !== 0) {
      return this.#policy.pick(candidates, x.query as Query, x.attempts === 0, isStream);
    }
    if (x.triedMask === 0) return this.#anyOfTheDown();
    return this.#nextRound(x, isStream);
  }

  /** Whether another upstream than those tried could be asked: it is up, and attempts are left. */
  hasAnother(x: Exchange): boolean {
    return !this.#isSpent(x) && this.#best(this.#all & ~x.triedMask) !== 0;
  }

  #isSpent(x: Exchange): boolean {
    return this.#maxAttempts > 0 && x.attempts >= this.#maxAttempts;
  }

  /** Health is unknown when everything is down: more likely the probes are broken than every upstream, says CoreDNS. */
  #anyOfTheDown(): number {
    this.#broken.inc();
    return this.#isFailFast ? NONE_LEFT : randomBelow(this.#upstreams.length);
  }

  /** Those that failed at once may be asked again; those that cost a time-out are not. */
  #nextRound(x: Exchange, isStream: boolean): number {
    const candidates = this.#best(this.#all & ~x.timedOutMask);
    if (candidates === 0) return NONE_LEFT;
    x.triedMask = x.timedOutMask;
    if (this.#maxAttempts === 0) return PAUSE;
    return this.#policy.pick(candidates, x.query as Query, false, isStream);
  }

  /** Of these the ones that are trusted, else those that are at least not down. */
  #best(mask: number): number {
    let trusted = 0;
    let up = 0;
    for (let i = 0; i < this.#upstreams.length; i++) {
      if ((mask & (1 << i)) === 0) continue;
      const { health } = this.#upstreams[i] as Upstream;
      if (health.isDown) continue;
      up |= 1 << i;
      if (!health.isSuspect) trusted |= 1 << i;
    }
    return trusted === 0 ? up : trusted;
  }
}
