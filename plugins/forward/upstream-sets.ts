// The set of upstreams that a worker asks, and those before it whose queries are not all answered. New queries go to the newest; what is under way ends where
// it began. Upstreams that stay keep their sockets, connections and probes, those that are gone are closed when nobody waits for them any more.
//
// A set that was replaced is idle within BUDGET_MS of attempts.ts, and the control part publishes no more than one set a second: there are never more than a few.
import {
  type Batch,
  createReceiveBatch,
  type Gauge,
  type Services,
  SOCKETS,
  TIMERS,
  type Timers,
} from '../../core/plugin.js';
import { type AttemptOptions, Attempts } from './attempts.js';
import { type InFlightCells, keepOldestSet } from './health-cells.js';
import { type AttemptPools, createPools } from './pools.js';
import type { AddressTarget } from './targets.js';
import { Upstream } from './upstream.js';

/** Between two looks whether an earlier set is idle. */
const LOOK_MS = 1000;

/** What the control part says of a set. */
export interface UpstreamSet {
  /** Counts from 1 on. */
  readonly set: number;
  /** The upstreams in written order; none as long as host names are not looked up. */
  readonly targets: readonly AddressTarget[];
}

interface Member {
  readonly upstream: Upstream;
  /** Sets that it is in. */
  sets: number;
}

interface Asked {
  readonly set: number;
  readonly keys: ReadonlySet<string>;
  readonly attempts: Attempts;
}

export class UpstreamSets {
  readonly #options: AttemptOptions;
  readonly #services: Services;
  readonly #pools: AttemptPools;
  readonly #timers: Timers;
  readonly #earlierSets: Gauge;
  readonly #receiveBatch: Batch;
  readonly #members = new Map<string, Member>();
  #newest: Asked | undefined;
  /** Oldest first. */
  #earlier: Asked[] = [];
  #timer = 0;
  #isBegun = false;

  constructor(
    first: UpstreamSet,
    options: AttemptOptions,
    inFlight: InFlightCells,
    services: Services,
  ) {
    this.#options = options;
    this.#services = services;
    this.#timers = services.get(TIMERS);
    this.#pools = createPools(services.metrics, inFlight);
    this.#receiveBatch = createReceiveBatch(services.get(SOCKETS));
    this.#earlierSets = services.metrics.gauge(
      'earlier_sets',
      'Sets of upstreams that were replaced and have queries under way.',
    );
    this.change(first);
  }

  /** What new queries are given to; undefined as long as there is no upstream. */
  get attempts(): Attempts | undefined {
    return this.#newest?.attempts;
  }

  /** Opens connections ahead of queries, and goes on with the probes of the worker that this one replaces. */
  begin(): void {
    this.#isBegun = true;
    for (const { upstream } of this.#members.values()) upstream.begin();
  }

  /** New queries go to these from now on. */
  change({ set, targets }: UpstreamSet): void {
    const before = this.#newest;
    const upstreams = targets.map((target) => this.#member(target));
    const keys = new Set(targets.map(keyOf));
    for (const key of keys) (this.#members.get(key) as Member).sets++;
    this.#newest = undefined;
    if (targets.length > 0) {
      const attempts = new Attempts(upstreams, this.#options, this.#pools, this.#services);
      this.#newest = { set, keys, attempts };
    }
    if (before !== undefined) {
      this.#earlier.push(before);
      this.#earlierSets.inc();
    }
    this.#noteOldest(set);
    if (this.#timer === 0 && this.#earlier.length > 0) this.#lookLater();
  }

  /** Closes everything; queries that still wait get an error. */
  close(): void {
    this.#timers.cancel(this.#timer);
    this.#newest?.attempts.stop();
    for (const { attempts } of this.#earlier) attempts.stop();
    for (const { upstream } of this.#members.values()) upstream.close();
    this.#earlierSets.inc(-this.#earlier.length);
    this.#earlier = [];
  }

  /** The upstream for a target; one that is named twice is one upstream that is asked twice as often. */
  #member(target: AddressTarget): Upstream {
    const key = keyOf(target);
    const known = this.#members.get(key);
    if (known !== undefined) return known.upstream;
    const { exchanges } = this.#pools;
    const upstream = new Upstream(
      target,
      this.#options.upstream,
      this.#services,
      exchanges,
      this.#receiveBatch,
    );
    this.#members.set(key, { upstream, sets: 0 });
    if (this.#isBegun) upstream.begin();
    return upstream;
  }

  #lookLater(): void {
    this.#timer = this.#timers.start(LOOK_MS, this.#look, 0);
  }

  /** Lets go of the earlier sets that are idle. */
  readonly #look = (): void => {
    this.#timer = 0;
    const idle = this.#earlier.filter(({ attempts }) => attempts.isIdle);
    this.#earlier = this.#earlier.filter((asked) => !idle.includes(asked));
    this.#earlierSets.inc(-idle.length);
    for (const { attempts, keys } of idle) {
      attempts.stop();
      for (const key of keys) this.#leave(key);
    }
    if (this.#newest !== undefined) this.#noteOldest(this.#newest.set);
    if (this.#earlier.length > 0) this.#lookLater();
  };

  #leave(key: string): void {
    const member = this.#members.get(key) as Member;
    if (--member.sets > 0) return;
    this.#members.delete(key);
    member.upstream.close();
  }

  /** Tells the control part which upstreams this worker may still ask. */
  #noteOldest(newest: number): void {
    const oldest = this.#earlier[0]?.set ?? newest;
    keepOldestSet(this.#options.upstream.cells, this.#services.worker, oldest);
  }
}

/** All that makes one upstream another. */
function keyOf(target: AddressTarget): string {
  return JSON.stringify(target);
}
