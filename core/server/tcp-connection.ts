// One client connection: length-prefixed queries in over any split, replies out in any order (RFC 7766 6.2.1.1, 8).
import type { Socket } from 'node:net';
import type { DnsError } from '../chain/errors.js';
import { finish } from '../chain/finish.js';
import { type Query, SOCKADDR_BYTES, Transport } from '../chain/query.js';
import type { Reply } from '../chain/reply.js';
import { encodeAddress } from '../system/address.js';
import { FrameReader } from './frame-reader.js';
import { FrameWriter } from './frame-writer.js';
import type { Router } from './router.js';
import type { ServerSink, Shared } from './shared.js';
import { FAULT, LATER, NOTHING, serveMessage } from './stream-query.js';
import type { OpenConnection, TcpShared } from './tcp-shared.js';

/** A connection without query or reply is closed after this (RFC 7766 6.2.3; told to clients by edns-tcp-keepalive, RFC 7828). */
const IDLE_LIMIT_MS = 10_000;
/** A message must be complete this long after its first byte. */
const READ_LIMIT_MS = 3_000;
/** A client that takes no replies is disconnected after this. */
const WRITE_LIMIT_MS = 5_000;
/** Queries of one connection in flight; past it nothing more is read from it until half are answered. */
const MAX_IN_FLIGHT = 256;

const MAX_MESSAGE = 65_535;

export class TcpConnection implements ServerSink, OpenConnection {
  readonly #shared: Shared;
  readonly #tcp: TcpShared;
  readonly #listener: number;
  readonly #router: Router;
  readonly #socket: Socket;
  readonly #frames: FrameReader;
  readonly #peer = new Uint8Array(SOCKADDR_BYTES);
  readonly #local = new Uint8Array(SOCKADDR_BYTES);
  /** Replies that came later, until the flush. */
  readonly #late = new FrameWriter();
  #inFlight = 0;
  #activeMs: number;
  #idleTimer: number;
  #readTimer = -1;
  #writeTimer = -1;
  #isDirty = false;
  /** Queries of one read are being served: their replies leave together at its end. */
  #isReading = false;
  #isEnded = false;
  #isDraining = false;
  /** Takes nothing more to write. */
  #isClosing = false;
  #isClosed = false;

  constructor(shared: Shared, tcp: TcpShared, listener: number, router: Router, socket: Socket) {
    this.#shared = shared;
    this.#tcp = tcp;
    this.#listener = listener;
    this.#router = router;
    this.#socket = socket;
    this.#frames = new FrameReader(this.#onMessage);
    this.#activeMs = shared.clock.nowMs;
    this.#idleTimer = tcp.timers.start(IDLE_LIMIT_MS, this.#checkIdle, 0);
    // The peer may be gone already; then there is no address and nothing will be read.
    keepAddress(this.#peer, socket.remoteAddress, socket.remotePort);
    keepAddress(this.#local, socket.localAddress, socket.localPort);
    socket.on('data', this.#onData);
    socket.on('drain', this.#onDrain);
    socket.on('end', this.#onEnd);
    socket.on('error', () => socket.destroy());
    socket.on('close', this.#onClose);
  }

  get isIdle(): boolean {
    return this.#inFlight === 0 && this.#socket.writableLength === 0;
  }

  get hasWork(): boolean {
    return this.#inFlight > 0 || this.#socket.writableLength > 0;
  }

  close(): void {
    if (this.#isClosing) return;
    this.flush();
    this.#isClosing = true;
    this.#socket.end();
    this.#socket.destroySoon();
  }

  drain(): void {
    this.#isDraining = true;
    this.#frames.hold();
    this.#socket.pause();
    this.#endIfDone();
  }

  deliver(q: Query, reply: Reply): void {
    const { parked, pool, scratch } = this.#shared;
    if (parked.remove(q)) {
      q.out = scratch;
      this.#reply(q, reply);
    }
    pool.put(q);
  }

  fault(q: Query, error: unknown): void {
    this.#shared.reportFault(q, error);
    q.out = this.#shared.scratch;
    this.deliver(q, q.replyError(FAULT));
  }

  /** The reply for a query whose plugin did not answer in time; the plugin still holds the object. */
  expire(q: Query, error: DnsError): void {
    q.out = this.#shared.scratch;
    this.#reply(q, q.replyError(error));
  }

  flush(): void {
    this.#isDirty = false;
    this.#write(this.#late);
  }

  /** A client that does not take them is not served until it does. */
  #write(frames: FrameWriter): void {
    if (frames.isEmpty) return;
    if (this.#isClosing || this.#isClosed) {
      frames.clear();
      return;
    }
    if (frames.writeTo(this.#socket) || this.#writeTimer >= 0) return;
    this.#frames.hold();
    this.#socket.pause();
    this.#writeTimer = this.#tcp.timers.start(WRITE_LIMIT_MS, this.#onSlowClient, 0);
  }

  /** Finishes a reply, queues its frame and tells the observers. The query object is the caller's again. */
  #reply(q: Query, reply: Reply): void {
    const length = finish(q, reply, MAX_MESSAGE);
    this.#send(q.out, length);
    const chain = q.chain;
    if (chain === undefined || !chain.hasObservers) return;
    // One look at the clock a read is enough for replies made within it.
    if (!this.#isReading) this.#shared.clock.refresh();
    q.repliedMs = this.#shared.clock.nowMs;
    chain.observe(q, reply);
  }

  /** Queues a finished message, or only settles the account when there is NOTHING to send. */
  #send(out: Uint8Array, length: number): void {
    this.#inFlight--;
    this.#activeMs = this.#shared.clock.nowMs;
    const frames = this.#isReading ? this.#tcp.frames : this.#late;
    if (length !== NOTHING) frames.append(out, length);
    if (frames.isFull) this.#write(frames);
    else if (!this.#isReading && !this.#isDirty) {
      this.#isDirty = true;
      this.#tcp.markDirty(this);
      this.#shared.requestFlush();
    }
    if (this.#frames.isHeld && this.#inFlight <= MAX_IN_FLIGHT / 2) {
      // Not from here: this may run inside the loop that held the reader.
      setImmediate(this.#release);
    }
    if (this.#isEnded || this.#isDraining) setImmediate(this.#endIfDone);
  }

  readonly #release = (): void => {
    if (this.#isClosed || this.#isDraining || this.#writeTimer >= 0) return;
    if (this.#inFlight > MAX_IN_FLIGHT / 2) return;
    this.#read(undefined);
    if (!this.#frames.isHeld) this.#socket.resume();
    if (this.#isEnded) this.#endIfDone();
  };

  readonly #endIfDone = (): void => {
    if (this.#inFlight > 0) return;
    if (this.#isDraining || (this.#isEnded && !this.#frames.isHeld)) this.close();
  };

  readonly #onData = (chunk: Buffer): void => {
    this.#read(chunk);
    if (this.#frames.isHeld) this.#socket.pause();
    const { timers } = this.#tcp;
    if (!this.#frames.isPartial) {
      timers.cancel(this.#readTimer);
      this.#readTimer = -1;
    } else if (this.#readTimer < 0) {
      this.#readTimer = timers.start(READ_LIMIT_MS, this.#onSlowRead, 0);
    }
  };

  /** Serves the messages of `chunk`, or of what was held back; replies that are ready leave in one write. */
  #read(chunk: Buffer | undefined): void {
    this.#shared.clock.refresh();
    this.#activeMs = this.#shared.clock.nowMs;
    this.#isReading = true;
    try {
      if (chunk === undefined) this.#frames.release();
      else this.#frames.push(chunk);
    } finally {
      // The writer is everyone's: whatever happens, these replies are nobody else's.
      this.#isReading = false;
      this.#write(this.#tcp.frames);
    }
  }

  /** One whole message; `wire` is borrowed from the chunk. */
  readonly #onMessage = (wire: Uint8Array): void => {
    const { pool, clock, streamOut } = this.#shared;
    const q = pool.take(this);
    q.reset();
    q.wire = wire;
    q.length = wire.length;
    q.peer = this.#peer;
    q.local = this.#local;
    q.out = streamOut;
    q.transport = Transport.TCP;
    q.server = this.#listener;
    q.receivedMs = clock.nowMs;
    q.chain = undefined;
    this.#inFlight++;
    if (this.#inFlight >= MAX_IN_FLIGHT) {
      this.#shared.limits.pipeline.inc();
      this.#frames.hold();
    }
    const reply = serveMessage(this.#shared, this.#router, q);
    if (reply === LATER) return;
    if (typeof reply !== 'number') this.#reply(q, reply);
    else this.#send(q.out, reply);
    // A plugin that deferred before it threw may still hold the object.
    if (!q.isDeferred) pool.put(q);
  };

  readonly #checkIdle = (): void => {
    const idleMs = this.#shared.clock.nowMs - this.#activeMs;
    if (this.#inFlight === 0 && idleMs >= IDLE_LIMIT_MS) {
      this.#idleTimer = -1;
      this.close();
      return;
    }
    const restMs = Math.max(IDLE_LIMIT_MS - idleMs, 100);
    this.#idleTimer = this.#tcp.timers.start(restMs, this.#checkIdle, 0);
  };

  readonly #onSlowRead = (): void => {
    this.#shared.limits.slowSenders.inc();
    this.#readTimer = -1;
    this.#socket.destroy();
  };

  readonly #onSlowClient = (): void => {
    this.#shared.limits.slowReaders.inc();
    this.#writeTimer = -1;
    this.#socket.destroy();
  };

  readonly #onDrain = (): void => {
    this.#tcp.timers.cancel(this.#writeTimer);
    this.#writeTimer = -1;
    this.#release();
  };

  readonly #onEnd = (): void => {
    this.#isEnded = true;
    this.#endIfDone();
  };

  readonly #onClose = (): void => {
    this.#isClosed = true;
    const { timers } = this.#tcp;
    timers.cancel(this.#idleTimer);
    timers.cancel(this.#readTimer);
    timers.cancel(this.#writeTimer);
    this.#tcp.remove(this);
  };
}

/** Writes where a connection comes from or leads to. A link-local address loses its interface where that is gone in this moment. */
function keepAddress(into: Uint8Array, address = '0.0.0.0', port = 0): void {
  try {
    encodeAddress({ address, port }, into);
  } catch {
    encodeAddress({ address: address.replace(/%.*$/, ''), port }, into);
  }
}
