// DNS over HTTPS towards one upstream (RFC 8484), through undici: HTTP/2 where the upstream has it, HTTP/1.1 otherwise.
//
// A connection is one client of undici, which is given a socket that is opened here: so that it goes to the address configured while the
// request names the host, and resumes TLS sessions. undici is loaded when first used.
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Client } from 'undici';
import type { Counter } from '../chain/services.js';
import {
  type ConnectionCounters,
  ConnectionPool,
  type ConnectionPoolOptions,
  PoolConnection,
} from './connection-pool.js';
import { type Exchange, Failure } from './exchange.js';
import { addPadding, paddedLength } from './hop-options.js';
import { Fault, HttpsRequest, type RequestOwner } from './https-request.js';
import { Fit, fitOf } from './message.js';
import { openStream, type TlsMemory } from './stream-socket.js';
import { certifiedName, type StreamTls } from './tls.js';

/** Requests under way: several objects each, so fewer than elsewhere. */
const IN_FLIGHT_LIMIT = 1024;

/** Requests under way on an HTTP/2 connection before another is opened: what most servers allow. */
const STREAMS = 100;

/** Idle connections and slow replies are looked after here. */
const CLIENT_TIMES = { headersTimeout: 0, bodyTimeout: 0, keepAliveTimeout: 3_600_000 } as const;

const ALPN: readonly string[] = ['h2', 'http/1.1'];

/** What else HTTPS counts. */
export interface HttpsCounters extends ConnectionCounters {
  /** Replies of the HTTP server that are no DNS messages. */
  readonly httpErrors: Counter;
  /** Replies longer than a message can be. */
  readonly oversized: Counter;
}

export interface HttpsPoolOptions extends ConnectionPoolOptions {
  readonly counters: HttpsCounters;
  readonly tls: StreamTls;
  /** Path and, if any, query of the URI; `dns=` is added to it for GET. */
  readonly path: string;
  readonly method: 'GET' | 'POST';
}

class HttpsConnection extends PoolConnection {
  /** Set when it is made. */
  socket: Socket | undefined;
  /** Undefined until undici is loaded. */
  client: Client | undefined;
  /** What waits for that. */
  readonly early: HttpsRequest[] = [];
  /** What undici waits for while the connection is being opened. */
  onOpen: (() => void) | undefined;
}

export class HttpsPool extends ConnectionPool<HttpsConnection> implements RequestOwner {
  readonly #options: HttpsPoolOptions;
  readonly #requests = new Map<Exchange, HttpsRequest>();
  readonly #memory: TlsMemory = { session: undefined };
  readonly #origin: string;
  /** Requests that undici has, those that nobody waits for any more among them. */
  #underWay = 0;

  constructor(options: HttpsPoolOptions) {
    super(options);
    this.#options = options;
    const { remote, tls } = options;
    const host = certifiedName(tls, remote.address);
    this.#origin = `https://${host.includes(':') ? `[${host}]` : host}:${remote.port}`;
  }

  /** Messages under way. */
  get inFlight(): number {
    return this.#requests.size;
  }

  onReply(request: HttpsRequest, wire: Uint8Array): void {
    const x = request.exchange as Exchange;
    const connection = x.link as HttpsConnection;
    connection.heardMs = this.#now();
    // Id 0 was sent (RFC 8484 section 4.1), and TLS vouches for the rest.
    const isReply = wire[0] === 0 && wire[1] === 0 && fitOf(x, wire, wire.length) !== Fit.NONE;
    if (isReply) connection.answers++;
    else this.#options.counters.mismatched.inc();
    this.settle(connection, x);
    if (isReply) x.owner?.onAnswer(x, wire, wire.length);
    else x.owner?.onFailure(x, Failure.ANSWER);
  }

  onFault(request: HttpsRequest, fault: Fault, text: string): void {
    const { counters, onError } = this.#options;
    const x = request.exchange as Exchange;
    const connection = x.link as HttpsConnection;
    connection.heardMs = this.#now();
    connection.answers++;
    if (fault === Fault.OVERSIZE) counters.oversized.inc();
    else counters.httpErrors.inc();
    onError(new Error(text));
    // What is left of the reply is read and not kept: over HTTP/1.1 the connection can be used again then.
    request.exchange = null;
    this.#requests.delete(x);
    this.settle(connection, x);
    x.owner?.onFailure(x, Failure.ANSWER);
  }

  onBreak(request: HttpsRequest, error: Error): void {
    const x = request.exchange as Exchange;
    const connection = x.link as HttpsConnection;
    if (!connection.isOpen || connection.socket?.destroyed === true) {
      this.broke(connection, error);
      return;
    }
    // Only this one: the upstream ended its stream.
    this.#options.onError(error);
    request.exchange = null;
    this.settle(connection, x);
    x.owner?.onFailure(x, Failure.NETWORK);
  }

  onEnd(): void {
    this.#underWay--;
  }

  protected override open(place: number, nowMs: number, isAhead: boolean): HttpsConnection {
    const { remote, local, tls } = this.#options;
    const connection = new HttpsConnection(place, nowMs, STREAMS, isAhead);
    const secure = { tls, alpn: ALPN, memory: this.#memory };
    const socket = openStream(remote, local, secure, () => {
      connection.isOpen = true;
      if ((socket as TLSSocket).alpnProtocol !== 'h2') connection.room = 1;
      connection.onOpen?.();
    });
    connection.socket = socket;
    this.watch(connection, socket);
    void this.#attach(connection, socket);
    return connection;
  }

  protected override put(connection: HttpsConnection, x: Exchange): Failure {
    if (this.#underWay >= IN_FLIGHT_LIMIT) return Failure.LIMIT;
    this.#underWay++;
    const request = new HttpsRequest(x, messageOf(x), this);
    this.#requests.set(x, request);
    if (connection.client === undefined) connection.early.push(request);
    else this.#dispatch(connection.client, request);
    return Failure.NONE;
  }

  protected override withdraw(_connection: HttpsConnection, x: Exchange): void {
    this.#requests.get(x)?.abort();
    this.#requests.delete(x);
  }

  protected override end(connection: HttpsConnection): void {
    void connection.client?.destroy();
    connection.socket?.destroySoon();
  }

  protected override destroy(connection: HttpsConnection): void {
    this.#underWay -= connection.early.length;
    connection.early.length = 0;
    void connection.client?.destroy();
    connection.socket?.destroy();
  }

  /** Gives the connection to undici. */
  async #attach(connection: HttpsConnection, socket: Socket): Promise<void> {
    const undici = await import('undici').catch((error: unknown) => {
      this.broke(connection, error as Error);
    });
    if (undici === undefined || connection.isClosed) return;
    const client = new undici.Client(this.#origin, {
      ...CLIENT_TIMES,
      allowH2: true,
      pipelining: STREAMS,
      connect: (_options, callback) => {
        const onOpen = (): void => {
          client.pipelining = connection.room;
          callback(null, socket as TLSSocket);
        };
        // Told at once it would not send what it wanted the connection for.
        if (connection.isOpen) queueMicrotask(onOpen);
        else connection.onOpen = onOpen;
      },
    });
    connection.client = client;
    client.on('disconnect', () => this.drop(connection, Failure.NETWORK));
    for (const request of connection.early) this.#dispatch(client, request);
    connection.early.length = 0;
  }

  #dispatch(client: Client, request: HttpsRequest): void {
    const { path, method } = this.#options;
    client.dispatch(request.optionsFor(path, method), request);
  }

  /** A reply begins with an event of undici's. */
  #now(): number {
    const { clock } = this.#options;
    clock.refresh?.();
    return clock.nowMs;
  }
}

/** The message as it goes into a request: padded, id 0. */
function messageOf(x: Exchange): Buffer {
  const { message, length } = x;
  // 0.21 us; 0.35 with room to spare and views of it, which are objects, too.
  const bytes = Buffer.allocUnsafe(x.hasOpt ? paddedLength(length) : length);
  for (let i = 0; i < length; i++) bytes[i] = message[i] as number;
  if (x.hasOpt) addPadding(bytes, 0, length, x.questionEnd);
  return bytes;
}
