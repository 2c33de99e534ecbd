// Questions that the cache asks by itself, without a client that asked: made of the key that an answer is kept under.
import {
  Query,
  type ReplySink,
  type Services,
  SOCKADDR_BYTES,
  ZoneSet,
} from '../../core/plugin.js';
import { CHECKING_DISABLED, DNSSEC_OK, keyBytes, RECURSION_DESIRED } from './key.js';

const HEADER_BYTES = 12;

/** Bits of the third and fourth header octet (RFC 1035 4.1.1, RFC 4035 3.2). */
const RD = 0x01;
const AD = 0x20;
const CD = 0x10;

/** OPT without options (RFC 6891 6.1.2): the root, type 41, payload size 1232, DO. */
const OPT = Uint8Array.of(0, 0, 41, 0x04, 0xd0, 0, 0, 0x80, 0, 0, 0);
const OPT_PAYLOAD = 1232;
const PLAIN_PAYLOAD = 512;

/** The longest message: name, type and class, OPT. */
const MAX_BYTES = HEADER_BYTES + 255 + 4 + OPT.length;

/** Nobody: the query is copied before it is asked. */
const NO_SINK: ReplySink = { deliver: () => {}, fault: () => {} };

/** One question after another. */
export class OwnQuestion {
  readonly query = new Query(NO_SINK);
  /** Zones of the server block, the longest first, with their index. */
  readonly #zones: readonly { readonly set: ZoneSet; readonly index: number }[];
  readonly #cached: ZoneSet;
  readonly #server: number;
  readonly #wire = new Uint8Array(MAX_BYTES);

  /** `cached` are the zones that the cache keeps replies for. */
  constructor(cached: readonly string[], { block }: Services) {
    this.#zones = block.zones
      .map((zone, index) => ({ set: new ZoneSet([zone]), index, length: zone.length }))
      .sort((one, other) => other.length - one.length);
    this.#cached = new ZoneSet(cached, block.zones);
    this.#server = block.listeners[0] ?? 0;
    this.query.peer = new Uint8Array(SOCKADDR_BYTES);
  }

  /** Makes `query` that of a key with the words `a` and `b` and this name in lower case. False when the server block does not answer for it. */
  set(a: number, b: number, name: Int32Array, nowMs: number): boolean {
    const q = this.query;
    const bytes = keyBytes(b);
    q.reset();
    for (let i = 0; i < q.folded32.length; i++) q.folded32[i] = name[i] ?? 0;
    q.qnameEnd = HEADER_BYTES + bytes;
    q.qtype = a >>> 16;
    q.qclass = a & 0xffff;
    q.labels = labelsOf(q.folded);
    q.dnssecOk = (b & DNSSEC_OK) !== 0;
    q.server = this.#server;
    q.receivedMs = nowMs;
    this.#write(q, b, bytes);
    const zone = this.#zones.find(({ set }) => set.covers(q));
    q.zone = zone?.index ?? 0;
    return zone !== undefined && this.#cached.covers(q);
  }

  #write(q: Query, b: number, bytes: number): void {
    const wire = this.#wire;
    wire.fill(0, 0, HEADER_BYTES);
    wire[2] = (b & RECURSION_DESIRED) === 0 ? 0 : RD;
    wire[3] = AD | ((b & CHECKING_DISABLED) === 0 ? 0 : CD);
    wire[5] = 1;
    for (let i = 0; i < bytes; i++) wire[HEADER_BYTES + i] = q.folded[i] as number;
    const at = q.qnameEnd;
    wire[at] = q.qtype >> 8;
    wire[at + 1] = q.qtype;
    wire[at + 2] = q.qclass >> 8;
    wire[at + 3] = q.qclass;
    q.wire = wire;
    q.length = at + 4;
    q.optOffset = 0;
    q.udpSize = PLAIN_PAYLOAD;
    if (!q.dnssecOk) return;
    wire[11] = 1;
    wire.set(OPT, at + 4);
    q.optOffset = at + 4;
    q.length = at + 4 + OPT.length;
    q.udpSize = OPT_PAYLOAD;
  }
}

function labelsOf(name: Uint8Array): number {
  let labels = 0;
  for (let at = 0; name[at] !== 0; at += (name[at] as number) + 1) labels++;
  return labels;
}
