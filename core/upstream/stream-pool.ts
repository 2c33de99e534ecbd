// Hot path. TCP and TLS towards one upstream: few connections, many messages on each, answers in any order (RFC 7766, RFC 7858). Messages of
// one round of the socket layer leave in one write per connection.
//
// The first message on a connection asks how long the upstream keeps it when idle (RFC 7828); it is closed a little before that. Messages
// over TLS are padded.
import { FrameReader } from '../server/frame-reader.js';
import type { SocketLayer } from '../system/sockets.js';
import { ConnectionPool, type ConnectionPoolOptions } from './connection-pool.js';
import { type Exchange, type ExchangePool, Failure } from './exchange.js';
import { keepaliveMs } from './hop-options.js';
import { IdTable } from './id-table.js';
import { Fit, fitOf } from './message.js';
import { StreamConnection } from './stream-connection.js';
import { openStream, type TlsMemory } from './stream-socket.js';
import type { StreamTls } from './tls.js';

/** So much before the upstream a connection is closed whose time-out it told us, or a tenth of that: no query may meet its closing. */
const KEEPALIVE_MARGIN_MS = 1000;

/** RFC 7858 section 3.1. */
const ALPN: readonly string[] = ['dot'];

export interface StreamPoolOptions extends ConnectionPoolOptions {
  /** How to speak TLS, undefined for plain TCP. */
  readonly tls: StreamTls | undefined;
  readonly sockets: SocketLayer;
  readonly exchanges: ExchangePool;
  /** The longest that an idle connection is kept because the upstream said so. */
  readonly maxExpireMs: number;
}

export class StreamPool extends ConnectionPool<StreamConnection> {
  readonly #options: StreamPoolOptions;
  readonly #ids = new IdTable();
  readonly #dirty: StreamConnection[] = [];
  readonly #memory: TlsMemory = { session: undefined };
  readonly #unhook: () => void;

  constructor(options: StreamPoolOptions) {
    super(options);
    this.#options = options;
    this.#unhook = options.sockets.onFlush(this.#flush);
  }

  override close(): void {
    this.#unhook();
    super.close();
  }

  /** Messages under way. */
  get inFlight(): number {
    return this.#ids.inUse;
  }

  protected override open(place: number, nowMs: number, isAhead: boolean): StreamConnection {
    const { remote, local, tls, clock } = this.#options;
    const connection = new StreamConnection(place, nowMs, isAhead, tls !== undefined);
    const frames = new FrameReader((wire) => this.#onMessage(connection, wire));
    const secure = tls === undefined ? undefined : { tls, alpn: ALPN, memory: this.#memory };
    const socket = openStream(remote, local, secure, () => {
      connection.isOpen = true;
    });
    connection.socket = socket;
    socket.on('data', (chunk: Buffer) => {
      clock.refresh?.();
      if (!connection.isClosed) frames.push(chunk);
    });
    this.watch(connection, socket);
    return connection;
  }

  protected override put(connection: StreamConnection, x: Exchange): Failure {
    const id = this.#ids.take(x.index);
    if (id < 0) return Failure.LIMIT;
    x.id = id;
    if (connection.append(x, id)) {
      this.#dirty.push(connection);
      this.#options.sockets.requestFlush();
    }
    return Failure.NONE;
  }

  protected override withdraw(_connection: StreamConnection, x: Exchange): void {
    this.#ids.release(x.id);
  }

  protected override end(connection: StreamConnection): void {
    connection.socket?.end();
    connection.socket?.destroySoon();
  }

  protected override destroy(connection: StreamConnection): void {
    connection.socket?.destroy();
  }

  #onMessage(connection: StreamConnection, wire: Uint8Array): void {
    if (connection.isClosed) return;
    const { counters, exchanges, clock } = this.#options;
    connection.heardMs = clock.nowMs;
    const id = wire.length < 2 ? -1 : ((wire[0] as number) << 8) | (wire[1] as number);
    const index = id < 0 ? -1 : this.#ids.find(id);
    const x = index < 0 ? undefined : exchanges.at(index);
    if (x === undefined || x.link !== connection) {
      counters.unexpected.inc();
      return;
    }
    const fit = fitOf(x, wire, wire.length);
    const isReply = fit !== Fit.NONE;
    x.isMiscased = fit === Fit.MISCASED;
    if (isReply) connection.answers++;
    else counters.mismatched.inc();
    if (connection.takesKeepalive(id)) this.#keepFor(connection, keepaliveMs(wire));
    this.settle(connection, x);
    // On a connection nobody else can write to, a reply to another question is the upstream's own mistake: waiting would be in vain.
    if (isReply) x.owner?.onAnswer(x, wire, wire.length);
    else x.owner?.onFailure(x, Failure.ANSWER);
  }

  /** How long the upstream keeps an idle connection; -1 when it did not say. */
  #keepFor(connection: StreamConnection, ms: number): void {
    if (ms < 0) return;
    const margin = Math.min(KEEPALIVE_MARGIN_MS, ms / 10);
    connection.idleMs = Math.min(ms - margin, this.#options.maxExpireMs);
    // RFC 7828 section 3.4: no more queries, and closed once all replies are there.
    connection.isSpent = ms === 0;
  }

  readonly #flush = (): void => {
    // Emptying even an empty array is a call into the runtime.
    if (this.#dirty.length === 0) return;
    for (let i = 0; i < this.#dirty.length; i++) (this.#dirty[i] as StreamConnection).flush();
    this.#dirty.length = 0;
  };
}
