// Hot path. One TCP or TLS connection of a StreamPool, with the messages it gathers for one write.
import type { Socket } from 'node:net';
import { PoolConnection } from './connection-pool.js';
import type { Exchange } from './exchange.js';
import { addKeepalive, addPadding, HOP_OPTIONS_BYTES } from './hop-options.js';
import { stampMessage } from './message.js';

/** Messages under way on a connection before another is opened: servers that answer one at a time then still answer several. */
const PIPELINE = 32;

/** First size of the buffer that gathers the messages of one round. */
const CHUNK_BYTES = 1024;

const LENGTH_BYTES = 2;
const EMPTY: Buffer = Buffer.alloc(0);

/** What stands for an id: the connection has not asked yet how long it may be idle, or was told. */
const UNASKED = -2;
const TOLD = -1;

export class StreamConnection extends PoolConnection {
  /** Messages are padded. */
  readonly #isPadded: boolean;
  /** Set when it is made. */
  socket: Socket | undefined;
  /** Framed messages of this round. */
  #chunk = EMPTY;
  #length = 0;
  /** Id of the message that asks how long it may be idle. */
  #keepaliveId = UNASKED;

  constructor(place: number, nowMs: number, isAhead: boolean, isPadded: boolean) {
    super(place, nowMs, PIPELINE, isAhead);
    this.#isPadded = isPadded;
  }

  /** Puts the message of `x` behind those that leave with the next `flush`; true for the first one. */
  append(x: Exchange, id: number): boolean {
    const start = this.#length;
    const at = start + LENGTH_BYTES;
    const most = at + x.length + HOP_OPTIONS_BYTES;
    if (most > this.#chunk.length) this.#grow(most);
    const chunk = this.#chunk;
    stampMessage(x, id, chunk, at);
    let length = x.length;
    if (x.hasOpt) {
      // The first message asks for the others, too.
      if (this.#keepaliveId === UNASKED) {
        this.#keepaliveId = id;
        length = addKeepalive(chunk, at, length, at + x.questionEnd);
      }
      if (this.#isPadded) length = addPadding(chunk, at, length, at + x.questionEnd);
    }
    chunk[start] = length >> 8;
    chunk[start + 1] = length & 255;
    this.#length = at + length;
    return start === 0;
  }

  /** Writes what was gathered. */
  flush(): void {
    const bytes = this.#chunk.subarray(0, this.#length);
    this.#length = 0;
    if (this.isClosed || this.socket === undefined) return;
    this.socket.write(bytes);
    // What the kernel did not take at once is still read from the buffer, which is the socket's then.
    if (this.socket.writableLength > 0) this.#chunk = EMPTY;
  }

  /** Whether the reply with this id may say how long the connection may be idle; true once. */
  takesKeepalive(id: number): boolean {
    if (id !== this.#keepaliveId) return false;
    this.#keepaliveId = TOLD;
    return true;
  }

  #grow(size: number): void {
    const chunk = Buffer.allocUnsafe(Math.max(CHUNK_BYTES, size, this.#chunk.length * 2));
    this.#chunk.copy(chunk, 0, 0, this.#length);
    this.#chunk = chunk;
  }
}
