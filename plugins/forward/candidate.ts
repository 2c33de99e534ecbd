// What policies choose among, and what a policy is.
import type { Query } from '../../core/plugin.js';
import type { Latency } from './latency.js';

/** What a policy knows of an upstream. */
export interface Candidate {
  /** How many times as often as one of weight 1 it is asked. */
  readonly weight: number;
  /** A number drawn from what it is called; the same in every process. */
  readonly seed: number;
  /** How fast it is over UDP, or over connections. */
  latency(isStream: boolean): Latency;
}

export interface Policy {
  /** After the `pick` of a first attempt: another upstream that nobody asked lately, whose speed is worth knowing; -1 for none. */
  readonly explored: number;
  /** One upstream out of `candidates`, which is not empty; `isFirst` for the first attempt of a query. */
  pick(candidates: number, q: Query, isFirst: boolean, isStream: boolean): number;
}
