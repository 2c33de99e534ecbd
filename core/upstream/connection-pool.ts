// Connections towards one upstream: which of them a message goes to, when they are opened, closed and given up. What is said over them is up
// to StreamPool and HttpsPool.
//
// A message goes to the connection with the least under way; when that has no room, another is opened, up to CONNECTIONS. A connection
// that ends while messages wait on it is no failure of the upstream if it carried an answer before (it was idle too long, or served its
// share): they are sent once more, on a fresh connection.
//
// With `keepsWarm`, the last connection whose idle time is over is followed by one that is opened ahead of need. One that was not needed
// is followed by none, so that an idle pool comes to rest.
import type { Socket } from 'node:net';
import type { Clock, Counter, Timers } from '../chain/services.js';
import type { Endpoint } from '../system/sockets.js';
import { type Carrier, type Exchange, Failure, OrderedLink } from './exchange.js';
import { inWords } from './tls.js';
import type { CarrierCounters } from './udp-pool.js';

/** Connections to one upstream; many servers accept no more than ten or so from one client. */
const CONNECTIONS = 8;

/** What a carrier over connections counts. */
export interface ConnectionCounters extends CarrierCounters {
  /** Connections opened before a message wanted them. */
  readonly ahead: Counter;
}

export interface ConnectionPoolOptions {
  readonly remote: Endpoint;
  /** Source address, undefined for the system's choice. */
  readonly local: string | undefined;
  readonly timers: Timers;
  readonly clock: Clock;
  readonly counters: ConnectionCounters;
  /** An idle connection is closed after this, unless the upstream said how long it keeps one. */
  readonly expireMs: number;
  /** A connection takes no new messages after this; 0 for no limit. */
  readonly maxAgeMs: number;
  /** Idle connections kept; 0 for no limit but CONNECTIONS. */
  readonly maxIdle: number;
  /** Whether connections are opened ahead of need. */
  readonly keepsWarm: boolean;
  /** Told why a connection could not be opened or broke. */
  readonly onError: (error: Error) => void;
}

/** One connection, with the messages under way on it. */
export class PoolConnection extends OrderedLink {
  readonly place: number;
  readonly openedMs: number;
  /** It was opened before any message wanted it. */
  readonly isAhead: boolean;
  /** Messages under way before another connection is opened. */
  room: number;
  uses = 0;
  answers = 0;
  /** When a whole reply last came in. Single bytes do not count: they may drip for ever. */
  heardMs: number;
  /** How long it may be idle. */
  idleMs = 0;
  idleTimer = 0;
  isOpen = false;
  /** It was open when the first message came: if it breaks then, it was idle for too long. */
  wasReady = false;
  /** The upstream wants no more messages on it. */
  isSpent = false;
  isClosed = false;

  constructor(place: number, nowMs: number, room: number, isAhead: boolean) {
    super();
    this.place = place;
    this.openedMs = nowMs;
    this.heardMs = nowMs;
    this.room = room;
    this.isAhead = isAhead;
  }

  /** Whether its end is no fault of the upstream: it carried an answer, or could have. */
  get isProven(): boolean {
    return this.answers > 0 || this.wasReady;
  }
}

export abstract class ConnectionPool<C extends PoolConnection> implements Carrier {
  readonly #options: ConnectionPoolOptions;
  /** Those that take messages. */
  readonly #places: (C | undefined)[] = new Array(CONNECTIONS).fill(undefined);
  readonly #open = new Set<C>();
  #isClosed = false;

  constructor(options: ConnectionPoolOptions) {
    this.#options = options;
  }

  /** Begins to open a connection. */
  protected abstract open(place: number, nowMs: number, isAhead: boolean): C;
  /** Puts the message of `x` on it, or says why not. */
  protected abstract put(connection: C, x: Exchange): Failure;
  /** The message of `x` is waited for no longer. */
  protected abstract withdraw(connection: C, x: Exchange): void;
  /** Closes one on which nothing is under way. */
  protected abstract end(connection: C): void;
  /** Closes one at once. */
  protected abstract destroy(connection: C): void;

  /** Connections open or being opened. */
  get connections(): number {
    return this.#open.size;
  }

  /** Opens a connection if there is none. It waits for messages as long as an idle one. */
  warm(): void {
    const { keepsWarm, counters } = this.#options;
    if (!keepsWarm || this.#isClosed || this.#open.size > 0) return;
    counters.ahead.inc();
    this.#rest(this.#openAt(0, true));
  }

  send(x: Exchange): Failure {
    if (this.#isClosed) return Failure.NETWORK;
    x.isResent = false;
    return this.#sendOn(this.#choose(), x);
  }

  cancel(x: Exchange, isTimeout: boolean): void {
    const connection = x.link as C;
    this.#remove(connection, x);
    // No reply came for as long as one may take: the connection is dead, whatever TCP thinks.
    if (isTimeout && connection.heardMs <= x.sentMs) this.drop(connection, Failure.TIMEOUT);
    else this.#rest(connection);
  }

  close(): void {
    this.#isClosed = true;
    for (const connection of this.#open) this.drop(connection, Failure.NETWORK);
  }

  /** Ties the life of a connection to that of its socket. */
  protected watch(connection: C, socket: Socket): void {
    const drop = (): void => this.drop(connection, Failure.NETWORK);
    socket.on('end', drop);
    socket.on('close', drop);
    socket.on('error', (error) => this.broke(connection, error));
  }

  /** The connection broke: said where that is of note. */
  protected broke(connection: C, error: Error): void {
    // One that was used and is idle may be reset at any time.
    const isOfNote = !connection.isOpen || (connection.inFlight > 0 && !connection.isProven);
    if (isOfNote && !connection.isClosed) this.#options.onError(inWords(error));
    this.drop(connection, Failure.NETWORK);
  }

  /** What `x` waits for has come, or will not: it leaves the connection. */
  protected settle(connection: C, x: Exchange): void {
    this.#remove(connection, x);
    this.#rest(connection);
  }

  /** Takes a broken connection out: its messages are sent once more where that may help, and fail otherwise. */
  protected drop(connection: C, failure: Failure): void {
    if (connection.isClosed) return;
    this.#forget(connection);
    this.destroy(connection);
    const wasGood = connection.isProven && !this.#isClosed;
    if (wasGood && connection.inFlight === 0) this.#follow(connection);
    const waiting: Exchange[] = [];
    while (connection.first !== null) {
      waiting.push(connection.first);
      this.#remove(connection, connection.first);
    }
    let fresh: C | undefined;
    // The list has the newest first.
    for (const x of waiting.reverse()) {
      if (wasGood && !x.isResent) {
        x.isResent = true;
        fresh ??= this.#replace(connection);
        if (this.#sendOn(fresh, x) === Failure.NONE) continue;
      }
      x.owner?.onFailure(x, failure);
    }
  }

  #sendOn(connection: C, x: Exchange): Failure {
    const failure = this.put(connection, x);
    if (failure !== Failure.NONE) {
      this.#rest(connection);
      return failure;
    }
    const { counters, timers } = this.#options;
    const isFirst = connection.uses++ === 0;
    if (isFirst) connection.wasReady = connection.isOpen;
    if (isFirst && !connection.isAhead) counters.misses.inc();
    else counters.hits.inc();
    timers.cancel(connection.idleTimer);
    connection.idleTimer = 0;
    x.carrier = this;
    connection.add(x);
    return Failure.NONE;
  }

  /** The connection with the least under way, a new one when there is none or all are busy and there is room. */
  #choose(): C {
    let best: C | undefined;
    let spent: C | undefined;
    let free = -1;
    const agedMs = this.#agedMs;
    for (let place = 0; place < CONNECTIONS; place++) {
      const connection = this.#places[place];
      if (connection === undefined) {
        free = place;
      } else if (connection.openedMs <= agedMs) {
        if (connection.inFlight === 0) {
          this.#finish(connection);
          free = place;
        }
      } else if (connection.isSpent) {
        if (spent === undefined || connection.inFlight < spent.inFlight) spent = connection;
      } else if (best === undefined || connection.inFlight < best.inFlight) {
        best = connection;
      }
    }
    if (best !== undefined && (best.inFlight < best.room || free < 0)) return best;
    if (free >= 0) return this.#openAt(free, false);
    // An upstream that wants a connection for each message gets no more of them at once for it.
    return spent ?? this.#openAt(this.#makeRoom(), false);
  }

  /** Every place is held by a connection that is too old and waits for replies: the emptiest leaves its place. */
  #makeRoom(): number {
    let emptiest = this.#places[0] as C;
    for (const connection of this.#places) {
      if (connection !== undefined && connection.inFlight < emptiest.inFlight)
        emptiest = connection;
    }
    this.#places[emptiest.place] = undefined;
    return emptiest.place;
  }

  #openAt(place: number, isAhead: boolean): C {
    const { clock, counters, expireMs } = this.#options;
    const connection = this.open(place, clock.nowMs, isAhead);
    connection.idleMs = expireMs;
    this.#places[place] = connection;
    this.#open.add(connection);
    counters.open.inc();
    return connection;
  }

  #remove(connection: C, x: Exchange): void {
    this.withdraw(connection, x);
    connection.remove(x);
  }

  /** What becomes of a connection on which nothing is under way. */
  #rest(connection: C): void {
    if (connection.inFlight > 0 || connection.isClosed) return;
    const { maxIdle, timers } = this.#options;
    const isKept = this.#places[connection.place] === connection && !connection.isSpent;
    if (!isKept || connection.openedMs <= this.#agedMs || (maxIdle > 0 && this.#idle() > maxIdle)) {
      this.#finish(connection);
      return;
    }
    if (connection.idleTimer === 0) {
      connection.idleTimer = timers.start(connection.idleMs, this.#expire, connection.place);
    }
  }

  readonly #expire = (place: number): void => {
    const connection = this.#places[place];
    if (connection === undefined || connection.inFlight > 0) return;
    connection.idleTimer = 0;
    this.#finish(connection);
    this.#follow(connection);
  };

  /** Opens a connection in place of one whose idle time is over, if that was of use and the last one. */
  #follow(connection: C): void {
    if (connection.uses > 0 && !connection.isSpent) this.warm();
  }

  #idle(): number {
    return this.#places.reduce((count, c) => (c?.inFlight === 0 ? count + 1 : count), 0);
  }

  /** Connections opened then or before are too old for new messages. */
  get #agedMs(): number {
    const { maxAgeMs, clock } = this.#options;
    return maxAgeMs > 0 ? clock.nowMs - maxAgeMs : Number.NEGATIVE_INFINITY;
  }

  /** Closes an idle connection. */
  #finish(connection: C): void {
    this.#forget(connection);
    this.end(connection);
  }

  /** A connection in place of one that broke. */
  #replace(broken: C): C {
    return this.#places[broken.place] === undefined
      ? this.#openAt(broken.place, false)
      : this.#choose();
  }

  #forget(connection: C): void {
    connection.isClosed = true;
    this.#open.delete(connection);
    this.#options.counters.open.inc(-1);
    this.#options.timers.cancel(connection.idleTimer);
    connection.idleTimer = 0;
    if (this.#places[connection.place] === connection) {
      this.#places[connection.place] = undefined;
    }
  }
}
