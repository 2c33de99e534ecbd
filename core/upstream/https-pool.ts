// DNS over HTTPS towards one upstream (RFC 8484), through undici: HTTP/2 where the upstream has it, HTTP/1.1 otherwise. Loaded when first used.
import { isIP } from 'node:net';
import { checkServerIdentity } from 'node:tls';
import type { Dispatcher, Pool } from 'undici';
import type { Clock, Timers } from '../chain/services.js';
import type { Endpoint } from '../system/sockets.js';
import { type Carrier, type Exchange, Failure, Link } from './exchange.js';
import { isReplyTo } from './message.js';
import type { StreamTls } from './stream-socket.js';
import type { CarrierCounters } from './udp-pool.js';

/** Requests under way: a promise and several objects each, so fewer than elsewhere. */
const IN_FLIGHT_LIMIT = 1024;

/** Connections to one upstream; HTTP/2 needs one. */
const CONNECTIONS = 8;

/** The longest message (RFC 1035 4.2.2). */
const MAX_MESSAGE_BYTES = 65_535;

const MEDIA_TYPE = 'application/dns-message';
const PATH = '/dns-query';

export interface HttpsPoolOptions {
  readonly remote: Endpoint;
  readonly local: string | undefined;
  readonly tls: StreamTls;
  readonly method: 'GET' | 'POST';
  readonly timers: Timers;
  readonly clock: Clock;
  readonly counters: CarrierCounters;
  /** Connections are closed when nothing was asked for this long. */
  readonly expireMs: number;
  /** Connections take no new messages after this; 0 for no limit. */
  readonly maxAgeMs: number;
  readonly onError: (error: Error) => void;
}

export class HttpsPool extends Link implements Carrier {
  readonly #options: HttpsPoolOptions;
  /** What takes back the request of each exchange under way. */
  readonly #aborts = new Map<Exchange, AbortController>();
  #pool: Promise<Pool> | undefined;
  #openedMs = 0;
  #idleTimer = 0;
  #isClosed = false;

  constructor(options: HttpsPoolOptions) {
    super();
    this.#options = options;
  }

  send(x: Exchange): Failure {
    if (this.#isClosed) return Failure.NETWORK;
    if (this.inFlight >= IN_FLIGHT_LIMIT) return Failure.LIMIT;
    this.#options.timers.cancel(this.#idleTimer);
    this.#idleTimer = 0;
    const abort = new AbortController();
    this.#aborts.set(x, abort);
    x.carrier = this;
    this.add(x);
    // The exchange may be somebody else's when the connection is there: the message is taken along.
    void this.#run(x, Buffer.from(x.message.subarray(0, x.length)), abort);
    return Failure.NONE;
  }

  cancel(x: Exchange): void {
    this.#aborts.get(x)?.abort();
    this.#take(x);
  }

  close(): void {
    this.#isClosed = true;
    this.#options.timers.cancel(this.#idleTimer);
    while (this.first !== null) {
      const x = this.first;
      this.cancel(x);
      x.owner?.onFailure(x, Failure.NETWORK);
    }
    this.#drop();
  }

  async #run(x: Exchange, message: Buffer, abort: AbortController): Promise<void> {
    const { clock, counters, onError } = this.#options;
    let reply: Uint8Array | undefined;
    let failure: Failure = Failure.ANSWER;
    try {
      reply = await this.#request(message, abort.signal);
    } catch (error) {
      failure = Failure.NETWORK;
      if (!abort.signal.aborted) onError(error as Error);
    }
    clock.refresh?.();
    if (this.#aborts.get(x) !== abort) return;
    this.#take(x);
    // Id 0 was sent (RFC 8484 section 4.1), and TLS vouches for the rest.
    const isReply = reply !== undefined && reply[0] === 0 && reply[1] === 0;
    if (reply !== undefined && isReply && isReplyTo(x, reply, reply.length)) {
      x.owner?.onAnswer(x, reply, reply.length);
      return;
    }
    if (failure === Failure.ANSWER) counters.mismatched.inc();
    x.owner?.onFailure(x, failure);
  }

  /** The reply's message, undefined when what came back is none. */
  async #request(message: Buffer, signal: AbortSignal): Promise<Uint8Array | undefined> {
    const pool = await this.#connect();
    const isGet = this.#options.method === 'GET';
    const response = await pool.request({
      method: this.#options.method,
      path: isGet ? `${PATH}?dns=${message.toString('base64url')}` : PATH,
      headers: isGet ? { accept: MEDIA_TYPE } : { accept: MEDIA_TYPE, 'content-type': MEDIA_TYPE },
      body: isGet ? null : message,
      signal,
    });
    const type = String(response.headers['content-type'] ?? '');
    if (response.statusCode !== 200 || !type.startsWith(MEDIA_TYPE)) {
      await response.body.dump();
      return undefined;
    }
    return readBody(response);
  }

  #connect(): Promise<Pool> {
    const { clock, counters, maxAgeMs } = this.#options;
    if (maxAgeMs > 0 && clock.nowMs - this.#openedMs >= maxAgeMs) this.#drop();
    if (this.#pool === undefined) {
      counters.misses.inc();
      this.#openedMs = clock.nowMs;
      this.#pool = this.#open();
    } else {
      counters.hits.inc();
    }
    return this.#pool;
  }

  async #open(): Promise<Pool> {
    const { remote, local, tls } = this.#options;
    const { Pool } = await import('undici');
    const host = remote.address.includes(':') ? `[${remote.address}]` : remote.address;
    const name = tls.servername === '' ? remote.address : tls.servername;
    return new Pool(`https://${host}:${remote.port}`, {
      allowH2: true,
      connections: CONNECTIONS,
      ...(local !== undefined && { localAddress: local }),
      connect: {
        secureContext: tls.context,
        checkServerIdentity: (_host, certificate) => checkServerIdentity(name, certificate),
        ...(isIP(name) === 0 && { servername: name }),
      },
    });
  }

  #take(x: Exchange): void {
    if (!this.#aborts.delete(x)) return;
    this.remove(x);
    if (this.inFlight > 0 || this.#isClosed) return;
    this.#idleTimer = this.#options.timers.start(this.#options.expireMs, this.#expire, 0);
  }

  readonly #expire = (): void => {
    this.#idleTimer = 0;
    this.#drop();
  };

  /** Lets the connections go; what is under way on them is finished. */
  #drop(): void {
    const pool = this.#pool;
    this.#pool = undefined;
    // One that could not be opened has been reported by the request that wanted it.
    pool?.then((opened) => opened.close()).catch(() => undefined);
  }
}

async function readBody(response: Dispatcher.ResponseData): Promise<Uint8Array | undefined> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response.body as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > MAX_MESSAGE_BYTES) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
