// Hot path for misses. Makes an entry of a reply: without OPT, every TTL within limits, and a list of where the TTLs are.
import {
  EdnsOption,
  findOption,
  type Layout,
  optionEnd,
  type Query,
  type Reply,
  RRType,
  shiftPointers,
} from '../../core/plugin.js';
import { Kind } from './classify.js';
import {
  HEADER_BYTES,
  HEADER_WORDS,
  idOctet,
  MAX_EDE_TEXT_BYTES,
  META_COUNT,
  Meta,
  Reach,
  Scratch,
  shapeOf,
} from './entry.js';
import { type CacheKey, NETWORK_WORDS } from './key.js';
import { emptyTtl, keptTtl, readTtl, type TtlLimits, writeTtl } from './ttl.js';

/** Header bits that are kept: RA, AD and the rcode. AA is not ours to claim, TC is never stored, the others are the client's. */
const KEPT_FLAGS = 0xaf;

/** QR, the first bit of the third header octet. */
const QR = 0x80;

const encoder = new TextEncoder();

/** One entry after another; one per worker and cache. */
export class EntryBuilder {
  /** What `build` made: header words, body and how many words of it. */
  readonly meta = new Int32Array(META_COUNT);
  body: Int32Array;
  bodyWords = 0;
  /** Seconds: the least TTL of the reply. */
  ttl = 0;
  /** The number of the upstreams that the reply came from. */
  origin = 0;
  /** A TTL was not within the limits. */
  hasChanged = false;
  readonly #scratch = new Scratch();
  readonly #afterHeader = this.#scratch.words.subarray(HEADER_WORDS);

  constructor() {
    this.body = this.#afterHeader;
  }

  /** Makes the entry of a reply to `q` that is kept as `kind`. The reply has the question of `q`. False when it cannot be done. */
  build(reply: Reply, q: Query, kind: Kind, limits: TtlLimits): boolean {
    const { layout } = reply;
    const end = this.#copyMessage(reply.wire, layout, q);
    if (end < 0) return false;
    const listAt = (end + 3) >> 2;
    const ttls = this.#listTtls(reply.wire, layout, kind, limits, listAt);
    const edeAt = listAt + ((ttls + 1) >> 1);
    const errorWords = this.#putExtendedError(reply, layout, edeAt);
    this.body = this.#afterHeader;
    this.bodyWords = edeAt + errorWords - HEADER_WORDS;
    this.#putHead(reply.wire, layout);
    this.meta[Meta.SHAPE] = shapeOf(end, ttls, kind - Kind.ANSWER, errorWords > 0);
    return true;
  }

  /** Says that what was built is for everybody. */
  tieToAll(): void {
    this.#putReach(Reach.ALL, 0);
  }

  /** Says that what was built is for one network: the first words of `key`. Clients are told `scope`. */
  tieToNetwork(key: CacheKey, scope: number): void {
    this.#putReach(Reach.ONE_NETWORK, scope);
    const { words } = this.#scratch;
    for (let i = 0; i < NETWORK_WORDS; i++) words[i] = key.words[i] as number;
    this.body = words;
    this.bodyWords += NETWORK_WORDS;
  }

  #putReach(reach: Reach, scope: number): void {
    const { bytes, words } = this.#scratch;
    bytes[0] = idOctet(reach, this.origin);
    bytes[1] = scope;
    this.meta[Meta.HEAD] = words[0] as number;
  }

  /** QR, the bits that are kept, and the counts without OPT. */
  #putHead(wire: Uint8Array, layout: Layout): void {
    const { bytes, words } = this.#scratch;
    const additionals = layout.additionals - (layout.optOffset === 0 ? 0 : 1);
    for (let i = 0; i < HEADER_BYTES - 2; i++) bytes[i] = wire[i] as number;
    bytes[0] = idOctet(Reach.NO_NETWORK, this.origin);
    bytes[1] = 0;
    bytes[2] = QR;
    bytes[3] = (wire[3] as number) & KEPT_FLAGS;
    bytes[10] = additionals >> 8;
    bytes[11] = additionals;
    for (let i = 0; i < HEADER_WORDS; i++) this.meta[Meta.HEAD + i] = words[i] as number;
  }

  /** Copies the message without OPT, the question name folded. Returns its length, -1 when it cannot do without what is in OPT. */
  #copyMessage(wire: Uint8Array, layout: Layout, q: Query): number {
    const { bytes } = this.#scratch;
    const { qnameEnd, folded } = q;
    for (let i = HEADER_BYTES; i < qnameEnd; i++) bytes[i] = folded[i - HEADER_BYTES] as number;
    const { end, optOffset: gap } = layout;
    if (gap === 0) {
      for (let i = qnameEnd; i < end; i++) bytes[i] = wire[i] as number;
      return end;
    }
    for (let i = qnameEnd; i < gap; i++) bytes[i] = wire[i] as number;
    const removed = layout.optEnd - gap;
    for (let i = layout.optEnd; i < end; i++) bytes[i - removed] = wire[i] as number;
    for (let i = layout.count - 1; (layout.owners[i] as number) > gap; i--) {
      const owner = (layout.owners[i] as number) - removed;
      const typeAt = (layout.types[i] as number) - removed;
      const next = i + 1 < layout.count ? (layout.owners[i + 1] as number) : end;
      if (!shiftPointers(bytes, owner, typeAt, next - removed, gap, removed)) return -1;
    }
    return end - removed;
  }

  /** Puts the TTLs within limits and lists them from word `at`. Returns how many. */
  #listTtls(wire: Uint8Array, layout: Layout, kind: Kind, limits: TtlLimits, at: number): number {
    const { words, bytes } = this.#scratch;
    const removed = layout.optEnd - layout.optOffset;
    let count = 0;
    this.ttl = emptyTtl(limits);
    this.hasChanged = false;
    for (let i = 0; i < layout.count; i++) {
      const typeAt = layout.types[i] as number;
      if ((((wire[typeAt] as number) << 8) | (wire[typeAt + 1] as number)) === RRType.OPT) continue;
      const ttl = keptTtl(wire, layout, i, kind, limits);
      if (count === 0 || ttl < this.ttl) this.ttl = ttl;
      if (ttl !== readTtl(wire, typeAt + 4)) this.hasChanged = true;
      const ttlAt = typeAt + 4 - (typeAt > layout.optOffset ? removed : 0);
      writeTtl(bytes, ttlAt, ttl);
      const word = at + (count >> 1);
      if ((count & 1) === 0) words[word] = ttlAt;
      else words[word] = (words[word] as number) | (ttlAt << 16);
      count++;
    }
    return count;
  }

  /** Writes the reply's extended error, its own or the first one the upstream sent, at word `at`. Returns how many words. */
  #putExtendedError(reply: Reply, layout: Layout, at: number): number {
    const { words, bytes } = this.#scratch;
    const textAt = (at + 1) * 4;
    // What this server itself says of a failure, it says of the first one only: later it is a cached one.
    if (reply.ede >= 0 && reply.error === undefined) {
      const room = bytes.subarray(textAt, textAt + MAX_EDE_TEXT_BYTES);
      const { written } = encoder.encodeInto(reply.edeText, room);
      words[at] = (reply.ede << 16) | written;
      return 1 + ((written + 3) >> 2);
    }
    if (layout.optOffset === 0) return 0;
    const { wire } = reply;
    const option = findOption(wire, layout.optOffset, EdnsOption.EDE);
    if (option === 0 || optionEnd(wire, option) < option + 6) return 0;
    const from = option + 6;
    const length = wholeCharacters(wire, from, optionEnd(wire, option));
    for (let i = 0; i < length; i++) bytes[textAt + i] = wire[from + i] as number;
    words[at] =
      ((wire[option + 4] as number) << 24) | ((wire[option + 5] as number) << 16) | length;
    return 1 + ((length + 3) >> 2);
  }
}

/** How many bytes of UTF-8 text are kept: none of a character that would be cut. */
function wholeCharacters(wire: Uint8Array, from: number, end: number): number {
  if (end - from <= MAX_EDE_TEXT_BYTES) return end - from;
  let length = MAX_EDE_TEXT_BYTES;
  while (length > 0 && ((wire[from + length] as number) & 0xc0) === 0x80) length--;
  return length;
}
