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

/** Times of a race, in numbers of a row: numbers with a fraction in fields of an object would each lie somewhere else in memory. */
const DEADLINE = 0;
const HEDGE_AT = 1;
const RETRY_AT = 2;
const RETRY_WAIT = 3;
const TIMES = 4;

/** Races that are made together, and share the memory of their times. */
const CHUNK = 64;

export class Race {
  readonly index: number;
  /** Null once it was settled. */
  query: Query | null = null;
  /** Whether it is asked over connections. */
  isStream = false;
  /** Messages under way. */
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
  readonly #times: Float64Array;
  readonly #at: number;
  #first: Exchange | null = null;
  readonly #others: (Exchange | null)[] = [];

  /** `times` has a row for it from `at` on. */
  constructor(index: number, times: Float64Array, at: number) {
    this.index = index;
    this.#times = times;
    this.#at = at;
  }

  get deadlineMs(): number {
    return this.#times[this.#at + DEADLINE] as number;
  }

  set deadlineMs(ms: number) {
    this.#times[this.#at + DEADLINE] = ms;
  }

  /** When another upstream is asked as well. */
  get hedgeAtMs(): number {
    return this.#times[this.#at + HEDGE_AT] as number;
  }

  set hedgeAtMs(ms: number) {
    this.#times[this.#at + HEDGE_AT] = ms;
  }

  /** When what is under way is taken for lost, and how long that took. */
  get retryAtMs(): number {
    return this.#times[this.#at + RETRY_AT] as number;
  }

  set retryAtMs(ms: number) {
    this.#times[this.#at + RETRY_AT] = ms;
  }

  get retryWaitMs(): number {
    return this.#times[this.#at + RETRY_WAIT] as number;
  }

  set retryWaitMs(ms: number) {
    this.#times[this.#at + RETRY_WAIT] = ms;
  }

  /** Whether TCP was tried at this upstream because nothing over UDP is believed, in vain. */
  isStreamless(upstream: number): boolean {
    return (this.streamlessMask & (1 << upstream)) !== 0;
  }

  noteStreamless(upstream: number): void {
    this.streamlessMask |= 1 << upstream;
  }

  /** A message under way, 0 to `count` - 1; null for another number. */
  leg(i: number): Exchange | null {
    return i === 0 ? this.#first : (this.#others[i - 1] ?? null);
  }

  add(x: Exchange): void {
    if (this.count === 0) this.#first = x;
    else this.#others[this.count - 1] = x;
    this.count++;
  }

  remove(x: Exchange): void {
    const last = this.count - 1;
    for (let i = 0; i <= last; i++) {
      if (this.leg(i) !== x) continue;
      if (i < last) this.#set(i, this.leg(last));
      this.#set(last, null);
      this.count = last;
      return;
    }
  }

  #set(i: number, x: Exchange | null): void {
    if (i === 0) this.#first = x;
    else this.#others[i - 1] = x;
  }
}

/** The races of one *forward*, made as they are needed and used again. No more than there can be exchanges. */
export class RacePool {
  readonly #races: Race[] = [];
  readonly #free: Race[] = [];
  readonly #made: Gauge;
  #times = new Float64Array(0);

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
    const index = this.#races.length;
    const place = index % CHUNK;
    if (place === 0) this.#times = new Float64Array(CHUNK * TIMES);
    const race = new Race(index, this.#times, place * TIMES);
    this.#races.push(race);
    this.#made.inc();
    return race;
  }

  /** Takes back a race without legs. */
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
