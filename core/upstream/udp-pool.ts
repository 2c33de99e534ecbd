// Hot path. UDP towards one upstream: connected sockets on random source ports, messages sent and received in batches.
//
// The messages of one round of the socket layer go out of one socket, drawn at random, so that one sendmmsg takes them all; the next round
// draws again. A socket is replaced after SOCKET_AGE_MS or SOCKET_USES messages, so that a port that was found out is worth little (RFC 5452
// section 9.2). A replaced socket stays open until the last reply it waits for has come or timed out. The kernel drops what does not come
// from the upstream's address and port; what comes from there must have the id of a message sent from this very socket, and its question in the
// case it was sent in. What fits nothing that ever left from the socket counts as a guess; after GUESS_LIMIT of them the socket is given up,
// and nothing that comes over UDP is believed any more for the messages that were under way on it.
import type { Clock, Counter, Gauge, Timers } from '../chain/services.js';
import type { Batch, Endpoint, SocketLayer } from '../system/sockets.js';
import {
  type Carrier,
  type Exchange,
  type ExchangePool,
  Failure,
  MESSAGE_BYTES,
} from './exchange.js';
import { IdTable } from './id-table.js';
import { Fit, fitOf, stampMessage } from './message.js';
import { GUESS_LIMIT, PoolSocket } from './pool-socket.js';
import { randomBelow } from './random.js';

/** Sockets messages are drawn among. */
const SOCKETS = 8;

/** A socket takes no new messages after this. */
const SOCKET_AGE_MS = 10_000;
const SOCKET_USES = 10_000;

/** Messages of one sendmmsg; a full batch is sent at once. */
const SEND_SLOTS = 256;

/** Replies of one recvmmsg. */
const RECEIVE_SLOTS = 64;

/** Room for a reply: several times the payload size we advertise. A longer one is asked for again over TCP. */
const RECEIVE_BYTES = 4096;

/** Errors that are ours and say nothing about the upstream. */
const OUT_OF_RESOURCES: ReadonlySet<string> = new Set(['EMFILE', 'ENFILE', 'ENOMEM', 'ENOBUFS']);

/** TC in the third octet of the header. */
const TC = 0x02;

/** The receive slots all pools of one owner share: one pool reads at a time. */
export function createReceiveBatch(sockets: SocketLayer): Batch {
  return sockets.createBatch(RECEIVE_SLOTS, RECEIVE_BYTES);
}

/** What a carrier counts. */
export interface CarrierCounters {
  /** Sockets or connections open, or being opened. */
  readonly open: Gauge;
  /** Messages sent on a socket or connection that was open already, and on one opened for it. */
  readonly hits: Counter;
  readonly misses: Counter;
  /** Messages from the upstream that do not fit the question, socket or connection. */
  readonly mismatched: Counter;
  /** Messages that nobody waits for: late, repeated or guessed. */
  readonly unexpected: Counter;
}

export interface UdpCounters extends CarrierCounters {
  /** Messages among `mismatched` and `unexpected` that are neither late nor repeated replies. */
  readonly guessed: Counter;
}

export interface UdpPoolOptions {
  readonly remote: Endpoint;
  /** Source address, undefined for the system's choice. */
  readonly local: string | undefined;
  readonly sockets: SocketLayer;
  readonly timers: Timers;
  readonly clock: Clock;
  readonly exchanges: ExchangePool;
  readonly receiveBatch: Batch;
  readonly counters: UdpCounters;
  /** Told why a socket could not be opened. */
  readonly onError: (error: Error) => void;
  /** Told that a socket is given up because of guesses. */
  readonly onForgery: () => void;
}

export class UdpPool implements Carrier {
  readonly #options: UdpPoolOptions;
  readonly #ids = new IdTable();
  readonly #slots: (PoolSocket | undefined)[] = new Array(SOCKETS).fill(undefined);
  /** Sockets replaced while replies were due. */
  readonly #retired = new Set<PoolSocket>();
  readonly #queue: Batch;
  /** Ids of the queued messages, in queue order, and how many there are. */
  readonly #queuedIds = new Uint16Array(SEND_SLOTS);
  #queued = 0;
  /** The socket of this round. */
  #current: PoolSocket | undefined;
  /** Ids the kernel did not take; told to their owners between rounds, never inside a `send`. */
  readonly #failedIds: number[] = [];
  readonly #unhook: () => void;
  #ageTimer = 0;
  /** Why the last socket could not be opened. */
  #refusal: Failure = Failure.NETWORK;
  #isClosed = false;

  constructor(options: UdpPoolOptions) {
    this.#options = options;
    this.#queue = options.sockets.createBatch(SEND_SLOTS, MESSAGE_BYTES);
    this.#unhook = options.sockets.onFlush(this.#flush);
  }

  /** Messages under way. */
  get inFlight(): number {
    return this.#ids.inUse;
  }

  send(x: Exchange): Failure {
    if (this.#queued === SEND_SLOTS) this.#sendQueued();
    const link = this.#current ?? this.#choose();
    if (link === undefined) return this.#refusal;
    const id = this.#ids.take(x.index);
    if (id < 0) return Failure.LIMIT;
    this.#current = link;
    const counters = this.#options.counters;
    if (link.uses === 0) counters.misses.inc();
    else counters.hits.inc();
    link.use(id);
    x.id = id;
    x.carrier = this;
    link.add(x);

    const slot = this.#queued++;
    stampMessage(x, id, this.#queue.data[slot] as Uint8Array, 0);
    this.#queue.lengths[slot] = x.length;
    this.#queuedIds[slot] = id;
    if (slot === 0) this.#options.sockets.requestFlush();
    return Failure.NONE;
  }

  cancel(x: Exchange): void {
    const link = x.link as PoolSocket;
    this.#ids.release(x.id);
    link.remove(x);
    if (link.isRetired && link.inFlight === 0) this.#closeSocket(link);
  }

  close(): void {
    this.#isClosed = true;
    this.#unhook();
    this.#options.timers.cancel(this.#ageTimer);
    this.#queued = 0;
    this.#current = undefined;
    this.#failAll();
    for (const link of this.#slots) if (link !== undefined) this.#closeSocket(link);
    for (const link of this.#retired) this.#closeSocket(link);
    this.#slots.fill(undefined);
  }

  /** A random socket of the pool, opened if its place is empty; any other when none can be opened. */
  #choose(): PoolSocket | undefined {
    if (this.#isClosed) return undefined;
    const place = randomBelow(SOCKETS);
    const link = this.#slots[place];
    if (link !== undefined && link.uses < SOCKET_USES) return link;
    const fresh = this.#open();
    if (fresh === undefined) return link ?? this.#slots.find((other) => other !== undefined);
    if (link !== undefined) this.#retire(link);
    this.#slots[place] = fresh;
    return fresh;
  }

  #open(): PoolSocket | undefined {
    const { sockets, remote, local, clock, timers } = this.#options;
    const link = new PoolSocket();
    try {
      link.socket = sockets.connect(remote, local, () => this.#read(link));
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? '';
      this.#options.onError(error as Error);
      this.#refusal = OUT_OF_RESOURCES.has(code) ? Failure.LIMIT : Failure.NETWORK;
      return undefined;
    }
    link.openedMs = clock.nowMs;
    this.#options.counters.open.inc();
    if (this.#ageTimer === 0) this.#ageTimer = timers.start(SOCKET_AGE_MS, this.#retireOld, 0);
    return link;
  }

  readonly #retireOld = (): void => {
    const nowMs = this.#options.clock.nowMs;
    let oldestMs = Number.POSITIVE_INFINITY;
    for (let place = 0; place < SOCKETS; place++) {
      const link = this.#slots[place];
      if (link === undefined) continue;
      if (nowMs - link.openedMs >= SOCKET_AGE_MS) {
        this.#slots[place] = undefined;
        this.#retire(link);
      } else {
        oldestMs = Math.min(oldestMs, link.openedMs);
      }
    }
    const isAnyLeft = oldestMs !== Number.POSITIVE_INFINITY;
    this.#ageTimer = isAnyLeft
      ? this.#options.timers.start(oldestMs + SOCKET_AGE_MS - nowMs, this.#retireOld, 0)
      : 0;
  };

  /** Takes a socket out of use; it is closed when nothing is due on it. */
  #retire(link: PoolSocket): void {
    if (link === this.#current) {
      this.#sendQueued();
      if (this.#failedIds.length > 0) this.#options.sockets.requestFlush();
    }
    link.isRetired = true;
    if (link.inFlight === 0) this.#closeSocket(link);
    else this.#retired.add(link);
  }

  #closeSocket(link: PoolSocket): void {
    if (link.isClosed) return;
    link.isClosed = true;
    this.#options.counters.open.inc(-1);
    this.#retired.delete(link);
    link.socket?.close();
  }

  readonly #flush = (): void => {
    if (this.#queued > 0) this.#sendQueued();
    this.#current = undefined;
    while (this.#failedIds.length > 0) {
      const x = this.#waiting(this.#failedIds.pop() as number);
      if (x === undefined) continue;
      this.cancel(x);
      x.owner?.onFailure(x, Failure.NETWORK);
    }
  };

  /** Sends what is queued; what the kernel refuses is failed in the next flush. */
  #sendQueued(): void {
    const count = this.#queued;
    const link = this.#current;
    this.#queued = 0;
    this.#current = undefined;
    if (count === 0 || link?.socket === undefined || link.isClosed) return;
    const sent = Math.max(0, link.socket.send(this.#queue, 0, count));
    if (sent >= count) return;
    for (let i = sent; i < count; i++) this.#failedIds.push(this.#queuedIds[i] as number);
  }

  #read(link: PoolSocket): void {
    const { receiveBatch: batch, clock } = this.#options;
    clock.refresh?.();
    while (!link.isClosed && link.socket !== undefined) {
      const count = link.socket.receive(batch);
      if (count < 0) {
        this.#onSocketError(link);
        return;
      }
      for (let i = 0; i < count; i++) {
        this.#take(link, batch.data[i] as Uint8Array, batch.lengths[i] as number);
      }
      if (count < batch.capacity) return;
    }
  }

  #take(link: PoolSocket, wire: Uint8Array, received: number): void {
    const { mismatched, unexpected } = this.#options.counters;
    const isOversize = received < 0;
    const length = isOversize ? wire.length : received;
    const id = length < 2 ? -1 : ((wire[0] as number) << 8) | (wire[1] as number);
    const x = id < 0 ? undefined : this.#waiting(id);
    if (x === undefined || x.link !== link) {
      (x === undefined ? unexpected : mismatched).inc();
      if (id < 0 || !link.hasUsed(id)) this.#onGuess(link);
      return;
    }
    const fit = fitOf(x, wire, length);
    if (fit !== Fit.WHOLE) {
      mismatched.inc();
      if (fit === Fit.NONE) {
        this.#onGuess(link);
        return;
      }
      this.cancel(x);
      x.owner?.onFailure(x, Failure.CASE);
      return;
    }
    // What did not fit the slot is as good as truncated.
    if (isOversize) wire[2] = (wire[2] as number) | TC;
    this.cancel(x);
    x.owner?.onAnswer(x, wire, length);
  }

  #onGuess(link: PoolSocket): void {
    this.#options.counters.guessed.inc();
    if (++link.guesses !== GUESS_LIMIT) return;
    this.#options.onForgery();
    this.#discard(link);
    const waiting: Exchange[] = [];
    this.#takeBack(link, waiting);
    for (const x of waiting) x.owner?.onFailure(x, Failure.FORGERY);
  }

  /** An ICMP error, most often a closed port: whatever is under way to this upstream will fare no better. */
  #onSocketError(link: PoolSocket): void {
    this.#discard(link);
    this.#failAll();
  }

  /** Takes a socket out of its place, if it still has one. */
  #discard(link: PoolSocket): void {
    const place = this.#slots.indexOf(link);
    if (place < 0) return;
    this.#slots[place] = undefined;
    this.#retire(link);
  }

  #failAll(): void {
    const failed: Exchange[] = [];
    for (const link of this.#slots) if (link !== undefined) this.#takeBack(link, failed);
    for (const link of this.#retired) this.#takeBack(link, failed);
    for (const x of failed) x.owner?.onFailure(x, Failure.NETWORK);
  }

  #takeBack(link: PoolSocket, failed: Exchange[]): void {
    for (const x of this.#options.exchanges.on(link)) {
      failed.push(x);
      this.cancel(x);
    }
  }

  #waiting(id: number): Exchange | undefined {
    const index = this.#ids.find(id);
    return index < 0 ? undefined : this.#options.exchanges.at(index);
  }
}
