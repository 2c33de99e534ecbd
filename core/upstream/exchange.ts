// Hot path. One query message on its way to an upstream: what carriers (UDP sockets, connections) and the one who asks share. Pooled.

import type { Gauge } from '../chain/services.js';

/** Room for a query message: header, the longest name, type and class, OPT with the longest client-subnet option. */
export const MESSAGE_BYTES = 320;

/**
 * Most exchanges of one pool. Each holds on to a query, so no more than the queries that a worker lets wait; past it a query is answered
 * SERVFAIL at once. Their index and "none" have to fit 16 bits.
 */
export const EXCHANGE_LIMIT = 16_384;

/** Messages made room for at once. */
const CHUNK = 64;

/** Why an exchange came to nothing. */
export const Failure = {
  /** It did not: the message is under way. */
  NONE: 0,
  TIMEOUT: 1,
  /** The system or the path refused: unreachable, port closed, connection broken, TLS not agreed. */
  NETWORK: 2,
  /** What came back is not a usable reply to the question. */
  ANSWER: 3,
  /** A limit of our own: no id, exchange or timer is left. Says nothing about the upstream. */
  LIMIT: 4,
  /** A reply over UDP that fits but for the case of the question: the upstream does not keep it, or somebody guesses. */
  CASE: 5,
  /** So many messages came that fit nothing that no reply over UDP is believed. */
  FORGERY: 6,
} as const;
export type Failure = (typeof Failure)[keyof typeof Failure];

/** Who asked: told once per `send` that gave NONE, unless it cancels. The exchange has left its carrier by then. */
export interface ExchangeOwner {
  /** A reply with our id and question; `wire` is borrowed until this returns. TC may be set. */
  onAnswer(x: Exchange, wire: Uint8Array, length: number): void;
  onFailure(x: Exchange, failure: Failure): void;
}

/** A way to one upstream. */
export interface Carrier {
  /** Puts the message under way; with anything but NONE it is not. The owner never hears before this returns. */
  send(x: Exchange): Failure;
  /** Takes the message back: a reply that still comes is dropped. `isTimeout` says that the owner waited its full time. */
  cancel(x: Exchange, isTimeout: boolean): void;
  /** Opens a connection ahead of the first message, where that is of use. */
  warm?(): void;
  /** Closes what is open; what is under way fails. */
  close(): void;
}

/** What messages are under way on, a socket or a connection. */
export class Link {
  inFlight = 0;

  add(x: Exchange): void {
    x.link = this;
    this.inFlight++;
  }

  remove(x: Exchange): void {
    x.link = null;
    this.inFlight--;
  }
}

/** A link that knows its messages in the order they were sent: an intrusive list. Beside them in the list lie others, each a wait for memory. */
export class OrderedLink extends Link {
  /** The one sent last. */
  first: Exchange | null = null;

  override add(x: Exchange): void {
    super.add(x);
    x.previous = null;
    x.next = this.first;
    if (this.first !== null) this.first.previous = x;
    this.first = x;
  }

  override remove(x: Exchange): void {
    super.remove(x);
    if (x.previous === null) this.first = x.next;
    else x.previous.next = x.next;
    if (x.next !== null) x.next.previous = x.previous;
    x.next = null;
    x.previous = null;
  }
}

export class Exchange {
  readonly index: number;
  /** The query message, id 0; carriers write the id into what they send. */
  readonly message: Uint8Array;
  length = 0;
  /** Offset just past the question. */
  questionEnd = 0;
  hasOpt = false;
  /** Offset of the client-subnet option, which is the last thing in the message; 0 without one. */
  ecsAt = 0;

  /** Set by the owner before `send`. */
  owner: ExchangeOwner | null = null;
  /** Which letters of the question are sent in the other case, see letter-case.ts; 0 for none, and for a reply in any case. */
  caseBits = 0;
  /** The carrier's, when there is a reply over a connection: its question is not in the case that was sent. */
  isMiscased = false;

  /** The carrier's: id on the wire, where it is under way, neighbours there. */
  id = 0;
  carrier: Carrier | null = null;
  link: Link | null = null;
  next: Exchange | null = null;
  previous: Exchange | null = null;
  /** The carrier sent it a second time already, because the connection it was on had been closed by the other side. */
  isResent = false;

  /** The owner's: what it belongs to there, which upstream it is for, when it was sent and when that has taken too long. */
  race = -1;
  upstream = -1;
  /** Which kind of carrier it is on. */
  isStream = false;
  /** The message was sent again without OPT after the upstream did not understand it. */
  isPlainRetry = false;
  /** It went over a connection because a reply over UDP would not be believed. */
  isDoubted = false;
  /** How often its reply over UDP was right but for its case. */
  miscased = 0;
  sentMs = 0;
  deadlineMs = 0;

  constructor(index: number, message: Uint8Array) {
    this.index = index;
    this.message = message;
  }
}

/** The exchanges of one owner, made as they are needed and used again. */
export class ExchangePool {
  readonly #exchanges: Exchange[] = [];
  readonly #free: Exchange[] = [];
  readonly #limit: number;
  readonly #made: Gauge | undefined;

  /** `made` shows how many there are, in use or not. */
  constructor(limit = EXCHANGE_LIMIT, made?: Gauge) {
    this.#limit = Math.min(limit, EXCHANGE_LIMIT);
    this.#made = made;
  }

  get inUse(): number {
    return this.#exchanges.length - this.#free.length;
  }

  at(index: number): Exchange {
    return this.#exchanges[index] as Exchange;
  }

  /** What is under way on a link, in no order. Looks at all there are: for the end of a link, which is rare. Allocates. */
  on(link: Link): readonly Exchange[] {
    return link.inFlight === 0 ? [] : this.#exchanges.filter((x) => x.link === link);
  }

  /** A fresh exchange, undefined when the limit is reached. */
  take(): Exchange | undefined {
    if (this.#free.length === 0 && !this.#grow()) return undefined;
    return this.#free.pop();
  }

  /** Gives an exchange back; it must be under way nowhere. */
  give(x: Exchange): void {
    x.owner = null;
    x.carrier = null;
    x.isResent = false;
    x.race = -1;
    x.upstream = -1;
    x.isStream = false;
    x.isPlainRetry = false;
    x.isDoubted = false;
    x.miscased = 0;
    x.isMiscased = false;
    x.caseBits = 0;
    this.#free.push(x);
  }

  #grow(): boolean {
    const from = this.#exchanges.length;
    const count = Math.min(CHUNK, this.#limit - from);
    if (count <= 0) return false;
    this.#made?.inc(count);
    const bytes = new ArrayBuffer(count * MESSAGE_BYTES);
    for (let i = count - 1; i >= 0; i--) {
      const message = new Uint8Array(bytes, i * MESSAGE_BYTES, MESSAGE_BYTES);
      this.#exchanges[from + i] = new Exchange(from + i, message);
    }
    for (let i = count - 1; i >= 0; i--) this.#free.push(this.#exchanges[from + i] as Exchange);
    return true;
  }
}
