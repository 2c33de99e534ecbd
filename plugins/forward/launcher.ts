// Hot path. Puts messages of a race under way at upstreams, and draws from what becomes of them what is known of the upstreams.
import {
  type Clock,
  type Counter,
  type Exchange,
  type ExchangeOwner,
  type ExchangePool,
  Failure,
  type Query,
  random32,
  writeQuery,
} from '../../core/plugin.js';
import { MAX_LEGS, type Race } from './race.js';
import type { Upstream } from './upstream.js';

export interface LauncherOptions {
  readonly clock: Clock;
  readonly readTimeoutMs: number;
  /** Counts messages that a limit of our own stopped. */
  readonly overloads: Counter;
}

export class Launcher {
  readonly #owner: ExchangeOwner;
  readonly #upstreams: readonly Upstream[];
  readonly #exchanges: ExchangePool;
  readonly #options: LauncherOptions;

  /** `owner` hears what becomes of the messages. */
  constructor(
    owner: ExchangeOwner,
    upstreams: readonly Upstream[],
    exchanges: ExchangePool,
    options: LauncherOptions,
  ) {
    this.#owner = owner;
    this.#upstreams = upstreams;
    this.#exchanges = exchanges;
    this.#options = options;
  }

  /** An attempt at an upstream: NONE when it is under way. */
  launch(race: Race, index: number): Failure {
    race.attempts++;
    race.triedMask |= 1 << index;
    const x = this.#write(race, index);
    if (x === undefined) return this.#refused(race);
    return this.#launched(race, x, this.send(race, x, race.isStream));
  }

  /** The message of `x` once more, in a datagram of its own; what is under way gets no more time for it. */
  repeat(race: Race, x: Exchange): Failure {
    const y = this.#write(race, x.upstream);
    if (y === undefined) return this.#refused(race);
    const failure = this.send(race, y, false);
    y.deadlineMs = x.deadlineMs;
    return this.#launched(race, y, failure);
  }

  /** Puts the message of `x` under way. In a trial over a connection its case is mixed as well, to see whether that comes back. */
  send(race: Race, x: Exchange, isStream: boolean, isTrial = false): Failure {
    const upstream = this.#upstreams[x.upstream] as Upstream;
    const nowMs = this.#options.clock.nowMs;
    x.isStream = isStream || upstream.isStreamOnly;
    if (x.isStream) x.caseBits = isTrial ? random32() : 0;
    else x.caseBits = upstream.spelling.bits;
    x.sentMs = nowMs;
    x.deadlineMs = Math.min(nowMs + this.#options.readTimeoutMs, race.deadlineMs);
    upstream.latency(x.isStream).sent();
    return upstream.carrier(isStream).send(x);
  }

  /** Remembers why `x` came to nothing, for its query and for the upstream. It is under way no longer. */
  note(race: Race, x: Exchange, failure: Failure): void {
    race.lastFailure = failure;
    race.lastUpstream = x.upstream;
    const upstream = this.#upstreams[x.upstream] as Upstream;
    const latency = upstream.latency(x.isStream);
    if (failure === Failure.LIMIT) {
      this.#options.overloads.inc();
      latency.withdrawn();
      return;
    }
    if (failure === Failure.CASE || failure === Failure.FORGERY) {
      race.lastFailure = Failure.ANSWER;
      latency.withdrawn();
      return;
    }
    latency.failed();
    if (x.isDoubted) {
      // It answers over UDP.
      race.noteStreamless(x.upstream);
      return;
    }
    if (failure === Failure.TIMEOUT) race.timedOutMask |= 1 << x.upstream;
    // While it answers others a message was lost on the way, no more.
    const isLoss = failure === Failure.TIMEOUT && latency.hasAnsweredSince(x.sentMs);
    if (!isLoss) upstream.health.failed(failure);
  }

  /** Takes back the messages that have taken too long. */
  dropOverdue(race: Race): void {
    const { nowMs } = this.#options.clock;
    race.isBusy = true;
    for (let i = race.count - 1; i >= 0; i--) {
      const x = race.leg(i);
      // Taking one back may have failed others, on the same connection.
      if (x === null || x.deadlineMs > nowMs) continue;
      race.remove(x);
      x.carrier?.cancel(x, true);
      this.note(race, x, Failure.TIMEOUT);
      this.#exchanges.give(x);
    }
    race.isBusy = false;
  }

  /** Takes back all messages, because there is nothing left to wait for them with. */
  abandon(race: Race): void {
    race.isBusy = true;
    while (race.count > 0) {
      const x = race.leg(race.count - 1) as Exchange;
      race.remove(x);
      x.carrier?.cancel(x, false);
      this.note(race, x, Failure.LIMIT);
      this.#exchanges.give(x);
    }
    race.isBusy = false;
    race.lastFailure = Failure.LIMIT;
  }

  #write(race: Race, index: number): Exchange | undefined {
    const x = race.count === MAX_LEGS ? undefined : this.#exchanges.take();
    if (x === undefined) return undefined;
    x.owner = this.#owner;
    x.race = race.index;
    x.upstream = index;
    const upstream = this.#upstreams[index] as Upstream;
    writeQuery(x, race.query as Query, !upstream.health.isPlain);
    return x;
  }

  #launched(race: Race, x: Exchange, failure: Failure): Failure {
    if (failure === Failure.NONE) {
      race.add(x);
    } else {
      this.note(race, x, failure);
      this.#exchanges.give(x);
    }
    return failure;
  }

  #refused(race: Race): Failure {
    this.#options.overloads.inc();
    race.lastFailure = Failure.LIMIT;
    return Failure.LIMIT;
  }
}
