// Hot path. One query as the chain sees it: offsets into the datagram, never strings. Pooled; one shape for life.
import { MessageBuilder } from '../wire/builder.js';
import {
  ECS_ADDRESS_BYTES,
  EcsAt,
  EcsFamily,
  isPublic,
  MAX_SOURCE_IPV4,
  MAX_SOURCE_IPV6,
  maskAddress,
} from '../wire/ecs.js';
import { formatName } from '../wire/name.js';
import { addressText, copySockaddr, portOf } from '../wire/sockaddr.js';
import type { Chain } from './chain.js';
import type { DnsError } from './errors.js';
import { type Answer, type Continuation, Pending } from './pending.js';
import { Reply } from './reply.js';

/** Where the question name starts in every message (RFC 1035 4.1.1: the header is 12 bytes). */
export const QNAME_OFFSET = 12;

/** Longest name in wire form (RFC 1035 2.3.4), rounded up to whole 32-bit words. */
const FOLDED_BYTES = 256;

/** Bytes of a socket address as the kernel writes it: sockaddr_in is 16, sockaddr_in6 28. */
export const SOCKADDR_BYTES = 28;

/** Room for a deferred query's own copy: any question with an OPT and some options. Longer messages get what they need. */
const OWN_WIRE_BYTES = 384;

/** Room for a socket address, in whole words. */
const ADDRESS_ROOM = 32;

const OWN_BYTES = FOLDED_BYTES + OWN_WIRE_BYTES + 2 * ADDRESS_ROOM + ECS_ADDRESS_BYTES;

const EMPTY = new Uint8Array(0);

/** A socket address of family 0: none. Never written to. */
export const NO_ADDRESS = new Uint8Array(SOCKADDR_BYTES);

export const Transport = { UDP: 0, TCP: 1, TLS: 2, HTTPS: 3 } as const;
export type Transport = (typeof Transport)[keyof typeof Transport];

/** Adds the records of a reply, section by section. */
export type RecordFiller = (builder: MessageBuilder, q: Query) => void;

export interface RecordOptions {
  /** Sets AA: the records are ours, not learnt. */
  readonly authoritative?: boolean;
}

/** One for all: replies are filled one after another. */
const builder = new MessageBuilder();

/** What takes the reply of a query when the chain is done with it: a UDP socket, a TCP connection, an internal caller. */
export interface ReplySink {
  /** Takes the reply of a deferred query; `reply` is borrowed until this returns. */
  deliver(q: Query, reply: Reply): void;
  /** A continuation of a deferred query threw: answers SERVFAIL and logs. */
  fault(q: Query, error: unknown): void;
}

/**
 * A query on its way through the chain. Everything a plugin reads is set by the server before the chain is entered;
 * plugins write nothing here but through the methods. The object and its buffers are reused once the reply is sent:
 * keep nothing of it beyond `observe`.
 */
export class Query {
  /** The message, from its first byte. Borrowed from the receive slot until the query is deferred, then its own copy. */
  wire: Uint8Array;
  /** Length of the message in bytes. */
  length = 0;
  /** Offset of the question name; the same for every query. */
  readonly qnameOffset: number = QNAME_OFFSET;
  /** Offset just past the root label of the question name. */
  qnameEnd = 0;
  qtype = 0;
  qclass = 0;
  /** Labels of the question name, the root not counted. */
  labels = 0;
  /** The question name in wire form with A-Z folded to a-z, `qnameEnd - qnameOffset` bytes, zero-padded to whole words. */
  readonly folded: Uint8Array;
  /** The same bytes as 32-bit words, for hashing and comparing. */
  readonly folded32: Uint32Array;

  /** Offset of the OPT record in `wire`, 0 when the client sent none. */
  optOffset = 0;
  /** What the client can take over UDP: its OPT's size within 512..4096, 512 without OPT (RFC 6891 6.2.3). */
  udpSize = 512;
  /** The DO bit of the client's OPT (RFC 3225). */
  dnssecOk = false;
  /** Offset of the client-subnet option's code in `wire`, 0 when absent (RFC 7871): what the client sent, and gets back with the reply. */
  ecsOffset = 0;
  /**
   * The network that the query is asked for, 0 (NONE) for no network in particular: what upstreams are told, and what the answer may depend on. At
   * first the client's own; *ecs* changes it. `ecsSource` bits count, with zeros behind them; `ecsAddress32` is `ecsAddress` for comparing.
   */
  ecsFamily = 0;
  ecsSource = 0;
  readonly ecsAddress: Uint8Array;
  readonly ecsAddress32: Uint32Array;
  /** The scope prefix length that goes back to a client with the option, unless the reply comes with one of its own. */
  ecsScope = 0;
  /** The client sent edns-tcp-keepalive (RFC 7828). */
  wantsKeepalive = false;
  /** Which set of upstreams it was sent to last: a number that is the same in all workers, 0 for none. Who sends it there writes it. */
  origin = 0;

  transport: Transport = Transport.UDP;
  /** The client's socket address as the kernel gives it (sockaddr_in or sockaddr_in6). Borrowed like `wire`. */
  peer: Uint8Array;
  /** The address it was sent to, as a socket address; family 0 when that is the listener's own. Borrowed like `wire`. */
  local: Uint8Array;
  /** Index of the listener in `services.servers`. */
  server = 0;
  /** Index of the matched zone in `services.block.zones`. */
  zone = 0;
  /** When it was received, on the worker's clock, in milliseconds. */
  receivedMs = 0;
  /** When its reply was sent, on the worker's clock, in milliseconds; set before `observe`. */
  repliedMs = 0;

  /** Where a reply made for this query is written; at least 4096 bytes. */
  out: Uint8Array;
  /** Position in the chain of the last handler entered: after the chain, the one that made the reply. */
  depth = -1;
  /** Who takes the reply when the query was deferred. Owned by the server. */
  sink: ReplySink;
  /** The chain it is in. Owned by the server. */
  chain: Chain | undefined;
  /** The server's own: the place of a deferred query among those waiting. */
  slot = -1;

  readonly #reply: Reply;
  readonly #pending: Pending;
  readonly #continuations: (Continuation | null)[] = [];
  readonly #firstWire: Uint8Array;
  #ownWire: Uint8Array;
  readonly #ownPeer: Uint8Array;
  readonly #ownLocal: Uint8Array;
  #count = 0;
  #next = 0;
  #insertAt = 0;
  #isDeferred = false;

  constructor(sink: ReplySink) {
    // One allocation for all of them: a thousand waiting queries then cost one and a half megabytes, not three and a half.
    const own = new ArrayBuffer(OWN_BYTES);
    this.folded = new Uint8Array(own, 0, FOLDED_BYTES);
    this.folded32 = new Uint32Array(own, 0, FOLDED_BYTES / 4);
    this.#firstWire = new Uint8Array(own, FOLDED_BYTES, OWN_WIRE_BYTES);
    this.#ownWire = this.#firstWire;
    const addresses = FOLDED_BYTES + OWN_WIRE_BYTES;
    this.#ownPeer = new Uint8Array(own, addresses, SOCKADDR_BYTES);
    this.#ownLocal = new Uint8Array(own, addresses + ADDRESS_ROOM, SOCKADDR_BYTES);
    const ecsAt = addresses + 2 * ADDRESS_ROOM;
    this.ecsAddress = new Uint8Array(own, ecsAt, ECS_ADDRESS_BYTES);
    this.ecsAddress32 = new Uint32Array(own, ecsAt, ECS_ADDRESS_BYTES / 4);
    this.wire = EMPTY;
    this.peer = EMPTY;
    this.local = NO_ADDRESS;
    this.out = EMPTY;
    this.sink = sink;
    this.#reply = new Reply(this);
    this.#pending = new Pending(this);
  }

  /** The client's id. */
  get id(): number {
    return ((this.wire[0] as number) << 8) | (this.wire[1] as number);
  }

  /** The 16 header bits after the id (RFC 1035 4.1.1). */
  get flags(): number {
    return ((this.wire[2] as number) << 8) | (this.wire[3] as number);
  }

  get opcode(): number {
    return ((this.wire[2] as number) >> 3) & 15;
  }

  get recursionDesired(): boolean {
    return ((this.wire[2] as number) & 1) !== 0;
  }

  /** CD, checking disabled (RFC 4035 3.2.2). */
  get checkingDisabled(): boolean {
    return ((this.wire[3] as number) & 0x10) !== 0;
  }

  /** AD in a query: the client understands AD in the reply (RFC 6840 5.7). */
  get wantsAuthenticData(): boolean {
    return ((this.wire[3] as number) & 0x20) !== 0;
  }

  /** The client wants no network told to anybody: source prefix length 0 (RFC 7871 7.1.2). */
  get refusesEcs(): boolean {
    return this.ecsOffset !== 0 && this.wire[this.ecsOffset + EcsAt.SOURCE] === 0;
  }

  /**
   * Makes the first `source` bits of the address at `at` the network that the query is asked for; of IPv6 64 at most. False when it is one that
   * nobody outside can know, private or loopback, and the query is asked for none.
   */
  setEcs(family: number, source: number, bytes: Uint8Array, at: number): boolean {
    const bits = Math.min(source, family === EcsFamily.IPV4 ? MAX_SOURCE_IPV4 : MAX_SOURCE_IPV6);
    maskAddress(bytes, at, bits, this.ecsAddress);
    this.ecsSource = bits;
    this.ecsFamily = bits !== 0 && isPublic(family, this.ecsAddress) ? family : EcsFamily.NONE;
    return this.ecsFamily !== EcsFamily.NONE;
  }

  /** Asks for no network in particular; the client still gets its option back. */
  dropEcs(): void {
    this.ecsFamily = EcsFamily.NONE;
  }

  /** Goes on as though the client had sent no option. */
  ignoreEcs(): void {
    this.ecsFamily = EcsFamily.NONE;
    this.ecsOffset = 0;
  }

  /** Says what scope prefix length goes back to a client that sent the option, with a reply that has none of its own. */
  setEcsScope(scope: number): void {
    this.ecsScope = scope;
  }

  /** Asks for the network of `from`, whose message this is a copy of. */
  copyEcs(from: Query): void {
    this.ecsOffset = from.ecsOffset;
    this.ecsFamily = from.ecsFamily;
    this.ecsSource = from.ecsSource;
    this.ecsAddress32.set(from.ecsAddress32);
    this.ecsScope = 0;
  }

  /** The question name as text in the client's case, with its final dot. Allocates: not for the hot path. */
  get qname(): string {
    return formatName(this.wire, this.qnameOffset);
  }

  /** The client's address as text, without port. Allocates: not for the hot path. */
  get clientAddress(): string {
    return addressText(this.peer);
  }

  get clientPort(): number {
    return portOf(this.peer);
  }

  /** A reply with the question, no records and this rcode; `ede` and its text are sent if the client has EDNS (RFC 8914). */
  replyRcode(rcode: number, ede = -1, edeText = ''): Reply {
    const reply = this.#reply;
    reply.begin(rcode);
    reply.ede = ede;
    reply.edeText = edeText;
    return reply;
  }

  /** A reply for an error of the table in core/chain/errors.ts: its rcode and extended error; *errors* logs it. */
  replyError(error: DnsError): Reply {
    const reply = this.replyRcode(error.rcode, error.ede, error.edeText);
    reply.error = error;
    return reply;
  }

  /**
   * A reply with the records that `fill` adds, in `out`. Records that do not fit are left out and the reply is marked truncated. `fill` gets
   * the query, so that one function made in `setup` serves every query; it must not make another reply, and keep nothing.
   */
  replyRecords(rcode: number, fill: RecordFiller, options?: RecordOptions): Reply {
    const reply = this.#reply;
    const out = this.out;
    reply.begin(rcode);
    builder.begin(out, reply.length);
    fill(builder, this);
    reply.length = builder.length;
    reply.touch();
    out[2] =
      (out[2] as number) |
      (options?.authoritative === true ? 0x04 : 0) |
      (builder.isFull ? 0x02 : 0);
    return reply;
  }

  /**
   * A reply that passes on a whole message. `wire` is borrowed until the reply is delivered; id, question, OPT and the bits that
   * belong to this client are put right when it is sent. `optOffset` is 0 when the message is known to hold no OPT, -1 when not known.
   */
  replyWire(wire: Uint8Array, length: number, optOffset = -1): Reply {
    const reply = this.#reply;
    reply.pass(wire, length, optOffset);
    return reply;
  }

  /** Says that the reply comes later: return the result from `serve` and call `settle` exactly once, never before `serve` returned. */
  defer(): Answer {
    this.#isDeferred = true;
    return this.#pending;
  }

  get isDeferred(): boolean {
    return this.#isDeferred;
  }

  /** Gives a deferred query its reply: runs what `whenDone` registered, innermost first, then delivers. */
  settle(reply: Reply): void {
    this.#isDeferred = false;
    try {
      let current = reply;
      while (this.#next < this.#count) {
        const run = this.#continuations[this.#next] as Continuation;
        this.#continuations[this.#next++] = null;
        this.#insertAt = this.#next;
        const answer = run(current, this);
        if (answer instanceof Reply) {
          current = answer;
        } else {
          if (answer !== this.#pending) {
            answer.then(
              (later) => this.settle(later),
              (error: unknown) => this.fail(error),
            );
          }
          return;
        }
      }
      this.#clear();
      this.sink.deliver(this, current);
    } catch (error) {
      this.#clear();
      this.sink.fault(this, error);
    }
  }

  /** Ends a deferred query with a fault: SERVFAIL and one log line. */
  fail(error: unknown): void {
    this.#isDeferred = false;
    this.#clear();
    this.sink.fault(this, error);
  }

  /** Registers what to do with the reply of a deferred query. For `whenDone` and `Pending` only. */
  onSettled(run: Continuation): void {
    // What a running continuation registers belongs before those already waiting: it is deeper in the chain.
    for (let i = this.#count; i > this.#insertAt; i--) {
      this.#continuations[i] = this.#continuations[i - 1] as Continuation | null;
    }
    this.#continuations[this.#insertAt++] = run;
    this.#count++;
  }

  /** Copies message and client address out of the borrowed slots, so that the query outlives them. For the server. */
  retain(): void {
    if (this.#ownWire.length < this.length) this.#ownWire = new Uint8Array(this.length);
    const from = this.wire;
    const to = this.#ownWire;
    if (from === to) return;
    for (let i = 0; i < this.length; i++) to[i] = from[i] as number;
    this.wire = to;
    copySockaddr(this.peer, this.#ownPeer);
    this.peer = this.#ownPeer;
    if (this.local[0] === 0) {
      this.local = NO_ADDRESS;
      return;
    }
    copySockaddr(this.local, this.#ownLocal);
    this.local = this.#ownLocal;
  }

  /** Gives the query another reply buffer, with what it has made so far. For the server. */
  moveOut(to: Uint8Array): void {
    const reply = this.#reply;
    if (reply.wire === this.out && reply.length > 0) {
      to.set(this.out.subarray(0, reply.length));
      reply.wire = to;
    }
    this.out = to;
  }

  /** Forgets the last query. For the server, when it puts a new message into this object. */
  reset(): void {
    this.depth = -1;
    this.origin = 0;
    this.#isDeferred = false;
    // A pooled object does not hold on to what one long message needed.
    this.#ownWire = this.#firstWire;
    if (this.#count !== 0) this.#clear();
  }

  #clear(): void {
    for (let i = this.#next; i < this.#count; i++) this.#continuations[i] = null;
    this.#count = 0;
    this.#next = 0;
    this.#insertAt = 0;
  }
}
