// Hot path. One query and the messages under way for it: usually one, more when an upstream is late or several are raced. Pooled.
//
// A race outlives its query: when one message was answered and the query settled, the others stay under way until they are answered or have
// taken too long, because what becomes of them tells something about their upstreams.
import {
  EXCHANGE_LIMIT,
  type Exchange,
  Failure,
  type Gauge,
  type Query,
} from '../../core/plugin.js';

/** Most messages under way for one query: four upstreams raced, a hedge, and datagrams taken for lost. Past it no further one is sent. */
export const MAX_LEGS = 8;

export class Race {
  readonly index: number;
  /** Null once it was settled. */
  query: Query | null = null;
  /** Whether it is asked over connections. */
  isStream = false;
  readonly legs: (Exchange | null)[] = new Array<Exchange | null>(MAX_LEGS).fill(null);
  count = 0;
  /** Attempts at upstreams so far. Bit n of a mask is upstream n. */
  attempts = 0;
  triedMask = 0;
  timedOutMask = 0;
  lastFailure: Failure = Failure.NONE;
  lastUpstream = -1;
  /** Rcode of a reply that was not taken because another one might be better; -1 for none. */
  rcode = -1;
  /** The upstream that was asked in addition, and the one whose reply the client got; -1 for none. */
  hedge = -1;
  winner = -1;
  /** What the client got. */
  kind = 0;
  /** It tries whether one of the upstreams is back, all of which are down. */
  isTrial = false;
  /** Messages sent again because a reply over UDP would not be believed. */
  doubts = 0;
  /** See `isStreamless`. */
  streamlessMask = 0;
  /** Its legs are being looked through: whoever takes one away leaves the rest to the one who looks. */
  isBusy = false;
  timer = 0;
  deadlineMs = 0;
  /** When another upstream is asked as well, and when what is under way is taken for lost. */
  hedgeAtMs = 0;
  retryAtMs = 0;
  retryWaitMs = 0;

  constructor(index: number) {
    this.index = index;
  }

  /** Whether TCP was tried at this upstream because nothing over UDP is believed, in vain. */
  isStreamless(upstream: number): boolean {
    return (this.streamlessMask & (1 << upstream)) !== 0;
  }

  noteStreamless(upstream: number): void {
    this.streamlessMask |= 1 << upstream;
  }

  add(x: Exchange): void {
    this.legs[this.count++] = x;
  }

  remove(x: Exchange): void {
    for (let i = 0; i < this.count; i++) {
      if (this.legs[i] !== x) continue;
      const last = --this.count;
      this.legs[i] = this.legs[last] as Exchange | null;
      this.legs[last] = null;
      return;
    }
  }
}

/** The races of one *forward*, made as they are needed and used again. No more than there can be exchanges. */
export class RacePool {
  readonly #races: Race[] = [];
  readonly #free: Race[] = [];
  readonly #made: Gauge;

  /** `made` shows how many there are, in use or not. */
  constructor(made: Gauge) {
    this.#made = made;
  }

  at(index: number): Race {
    return this.#races[index] as Race;
  }

  /** A fresh race, undefined when the limit is reached. */
  take(): Race | undefined {
    const free = this.#free.pop();
    if (free !== undefined) return free;
    if (this.#races.length === EXCHANGE_LIMIT) return undefined;
    const race = new Race(this.#races.length);
    this.#races.push(race);
    this.#made.inc();
    return race;
  }

  /** Takes back a race without legs and timer. */
  give(race: Race): void {
    race.query = null;
    race.attempts = 0;
    race.triedMask = 0;
    race.timedOutMask = 0;
    race.lastFailure = Failure.NONE;
    race.lastUpstream = -1;
    race.rcode = -1;
    race.hedge = -1;
    race.winner = -1;
    race.kind = 0;
    race.isTrial = false;
    race.doubts = 0;
    race.streamlessMask = 0;
    this.#free.push(race);
  }
}
