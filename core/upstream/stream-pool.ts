// TCP and TLS towards one upstream: few connections, many messages on each, answers in any order (RFC 7766, RFC 7858).
//
// A message goes to the connection with the least under way; when that has PIPELINE or more, another is opened, up to CONNECTIONS. Messages
// of one round of the socket layer leave in one write per connection. A connection that ends while messages wait on it is no failure of the
// upstream if it carried an answer before (it was idle too long, or served its share): they are sent once more, on a fresh connection.
import type { Socket } from 'node:net';
import type { Clock, Timers } from '../chain/services.js';
import { FrameReader } from '../server/frame-reader.js';
import type { Endpoint, SocketLayer } from '../system/sockets.js';
import { type Carrier, type Exchange, type ExchangePool, Failure, Link } from './exchange.js';
import { IdTable } from './id-table.js';
import { isReplyTo, stampMessage } from './message.js';
import { openStream, type StreamTls, type TlsMemory } from './stream-socket.js';
import type { CarrierCounters } from './udp-pool.js';

/** Messages under way on a connection before another is opened: servers that answer one at a time then still answer several. */
const PIPELINE = 32;

/** Connections to one upstream; many servers accept no more than ten or so from one client. */
const CONNECTIONS = 8;

/** First size of the buffer that gathers the messages of one round. */
const CHUNK_BYTES = 1024;

const LENGTH_BYTES = 2;
const EMPTY: Buffer = Buffer.alloc(0);

export interface StreamPoolOptions {
  readonly remote: Endpoint;
  /** Source address, undefined for the system's choice. */
  readonly local: string | undefined;
  /** How to speak TLS, undefined for plain TCP. */
  readonly tls: StreamTls | undefined;
  readonly sockets: SocketLayer;
  readonly timers: Timers;
  readonly clock: Clock;
  readonly exchanges: ExchangePool;
  readonly counters: CarrierCounters;
  /** An idle connection is closed after this. */
  readonly expireMs: number;
  /** A connection takes no new messages after this; 0 for no limit. */
  readonly maxAgeMs: number;
  /** Idle connections kept; 0 for no limit but CONNECTIONS. */
  readonly maxIdle: number;
  /** Told why a connection could not be opened or broke. */
  readonly onError: (error: Error) => void;
}

class Connection extends Link {
  readonly place: number;
  readonly socket: Socket;
  readonly openedMs: number;
  /** Framed messages of this round. */
  chunk = EMPTY;
  chunkLength = 0;
  uses = 0;
  answers = 0;
  /** When bytes last came in. */
  heardMs: number;
  idleTimer = 0;
  isClosed = false;

  constructor(place: number, socket: Socket, nowMs: number) {
    super();
    this.place = place;
    this.socket = socket;
    this.openedMs = nowMs;
    this.heardMs = nowMs;
  }
}

export class StreamPool implements Carrier {
  readonly #options: StreamPoolOptions;
  readonly #ids = new IdTable();
  readonly #connections: (Connection | undefined)[] = new Array(CONNECTIONS).fill(undefined);
  readonly #dirty: Connection[] = [];
  readonly #memory: TlsMemory = { session: undefined };
  #isClosed = false;

  constructor(options: StreamPoolOptions) {
    this.#options = options;
    options.sockets.onFlush(this.#flush);
  }

  /** Messages under way. */
  get inFlight(): number {
    return this.#ids.inUse;
  }

  /** Connections open or being opened. */
  get connections(): number {
    return this.#connections.reduce((count, c) => (c === undefined ? count : count + 1), 0);
  }

  send(x: Exchange): Failure {
    if (this.#isClosed) return Failure.NETWORK;
    x.isResent = false;
    return this.#sendOn(this.#choose(), x);
  }

  cancel(x: Exchange, isTimeout: boolean): void {
    const connection = x.link as Connection;
    this.#remove(connection, x);
    // Nothing came for as long as a reply may take: the connection is dead, whatever TCP thinks.
    if (isTimeout && connection.heardMs <= x.sentMs) this.#drop(connection, Failure.TIMEOUT);
    else this.#rest(connection);
  }

  close(): void {
    this.#isClosed = true;
    for (const connection of this.#connections) {
      if (connection !== undefined) this.#drop(connection, Failure.NETWORK);
    }
  }

  #sendOn(connection: Connection, x: Exchange): Failure {
    const id = this.#ids.take(x.index);
    if (id < 0) return Failure.LIMIT;
    const { counters, timers, sockets } = this.#options;
    if (connection.uses++ === 0) counters.misses.inc();
    else counters.hits.inc();
    timers.cancel(connection.idleTimer);
    connection.idleTimer = 0;
    x.id = id;
    x.carrier = this;
    connection.add(x);

    const start = connection.chunkLength;
    const end = start + LENGTH_BYTES + x.length;
    if (end > connection.chunk.length) growChunk(connection, end);
    const chunk = connection.chunk;
    chunk[start] = x.length >> 8;
    chunk[start + 1] = x.length & 255;
    stampMessage(x, id, chunk, start + LENGTH_BYTES);
    connection.chunkLength = end;
    if (start === 0) {
      this.#dirty.push(connection);
      sockets.requestFlush();
    }
    return Failure.NONE;
  }

  /** The connection with the least under way, a new one when there is none or all are busy and there is room. */
  #choose(): Connection {
    let best: Connection | undefined;
    let free = -1;
    for (let place = 0; place < CONNECTIONS; place++) {
      const connection = this.#connections[place];
      if (connection === undefined) {
        free = place;
      } else if (this.#isTooOld(connection)) {
        if (connection.inFlight === 0) {
          this.#end(connection);
          free = place;
        }
      } else if (best === undefined || connection.inFlight < best.inFlight) {
        best = connection;
      }
    }
    if (best !== undefined && (best.inFlight < PIPELINE || free < 0)) return best;
    return this.#open(free < 0 ? this.#makeRoom() : free);
  }

  /** Every place is held by a connection that is too old and waits for replies: the emptiest makes room, its messages move. */
  #makeRoom(): number {
    let emptiest = this.#connections[0] as Connection;
    for (const connection of this.#connections) {
      if (connection !== undefined && connection.inFlight < emptiest.inFlight)
        emptiest = connection;
    }
    this.#connections[emptiest.place] = undefined;
    return emptiest.place;
  }

  #open(place: number): Connection {
    const { remote, local, tls, clock } = this.#options;
    const socket = openStream(remote, local, tls, this.#memory);
    const connection = new Connection(place, socket, clock.nowMs);
    const frames = new FrameReader((wire) => this.#onMessage(connection, wire));
    this.#connections[place] = connection;
    socket.on('data', (chunk: Buffer) => {
      clock.refresh?.();
      connection.heardMs = clock.nowMs;
      if (!connection.isClosed) frames.push(chunk);
    });
    socket.on('end', () => this.#drop(connection, Failure.NETWORK));
    socket.on('close', () => this.#drop(connection, Failure.NETWORK));
    socket.on('error', (error) => {
      // A connection that was used and is idle may be reset at any time.
      if (connection.inFlight > 0 && connection.answers === 0) this.#options.onError(error);
      this.#drop(connection, Failure.NETWORK);
    });
    return connection;
  }

  #onMessage(connection: Connection, wire: Uint8Array): void {
    if (connection.isClosed) return;
    const { counters, exchanges } = this.#options;
    const index =
      wire.length < 2 ? -1 : this.#ids.find(((wire[0] as number) << 8) | (wire[1] as number));
    const x = index < 0 ? undefined : exchanges.at(index);
    if (x === undefined || x.link !== connection) {
      counters.unexpected.inc();
      return;
    }
    const isReply = isReplyTo(x, wire, wire.length);
    if (isReply) connection.answers++;
    else counters.mismatched.inc();
    this.#remove(connection, x);
    this.#rest(connection);
    // On a connection nobody else can write to, a reply to another question is the upstream's own mistake: waiting would be in vain.
    if (isReply) x.owner?.onAnswer(x, wire, wire.length);
    else x.owner?.onFailure(x, Failure.ANSWER);
  }

  readonly #flush = (): void => {
    for (let i = 0; i < this.#dirty.length; i++) {
      const connection = this.#dirty[i] as Connection;
      const bytes = connection.chunk.subarray(0, connection.chunkLength);
      connection.chunkLength = 0;
      if (connection.isClosed) continue;
      connection.socket.write(bytes);
      // What the kernel did not take at once is still read from the buffer, which is the socket's then.
      if (connection.socket.writableLength > 0) connection.chunk = EMPTY;
    }
    this.#dirty.length = 0;
  };

  #remove(connection: Connection, x: Exchange): void {
    this.#ids.release(x.id);
    connection.remove(x);
  }

  /** What becomes of a connection on which nothing is under way. */
  #rest(connection: Connection): void {
    if (connection.inFlight > 0 || connection.isClosed) return;
    const { maxIdle, expireMs, timers } = this.#options;
    const isKept = this.#connections[connection.place] === connection;
    if (!isKept || this.#isTooOld(connection) || (maxIdle > 0 && this.#idle() > maxIdle)) {
      this.#end(connection);
      return;
    }
    if (connection.idleTimer === 0) {
      connection.idleTimer = timers.start(expireMs, this.#expire, connection.place);
    }
  }

  readonly #expire = (place: number): void => {
    const connection = this.#connections[place];
    if (connection === undefined || connection.inFlight > 0) return;
    connection.idleTimer = 0;
    this.#end(connection);
  };

  #idle(): number {
    return this.#connections.reduce((count, c) => (c?.inFlight === 0 ? count + 1 : count), 0);
  }

  #isTooOld(connection: Connection): boolean {
    const { maxAgeMs, clock } = this.#options;
    return maxAgeMs > 0 && clock.nowMs - connection.openedMs >= maxAgeMs;
  }

  /** Closes an idle connection. */
  #end(connection: Connection): void {
    this.#forget(connection);
    connection.socket.end();
    connection.socket.destroySoon();
  }

  /** Takes a broken connection out: its messages are sent once more where that may help, and fail otherwise. */
  #drop(connection: Connection, failure: Failure): void {
    if (connection.isClosed) return;
    this.#forget(connection);
    connection.socket.destroy();
    const wasGood = connection.answers > 0 && !this.#isClosed;
    const waiting: Exchange[] = [];
    while (connection.first !== null) {
      waiting.push(connection.first);
      this.#remove(connection, connection.first);
    }
    let fresh: Connection | undefined;
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

  /** A connection in place of one that broke. */
  #replace(broken: Connection): Connection {
    return this.#connections[broken.place] === undefined
      ? this.#open(broken.place)
      : this.#choose();
  }

  #forget(connection: Connection): void {
    connection.isClosed = true;
    this.#options.timers.cancel(connection.idleTimer);
    connection.idleTimer = 0;
    if (this.#connections[connection.place] === connection) {
      this.#connections[connection.place] = undefined;
    }
  }
}

function growChunk(connection: Connection, size: number): void {
  const chunk = Buffer.allocUnsafe(Math.max(CHUNK_BYTES, size, connection.chunk.length * 2));
  connection.chunk.copy(chunk, 0, 0, connection.chunkLength);
  connection.chunk = chunk;
}
