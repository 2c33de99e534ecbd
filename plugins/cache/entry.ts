// How a reply lies in the slab. The entry's header has six words of ours, three of which are the message's own 12 header bytes; the body has the rest of
// the message, then where its TTLs are, then the extended error:
//
//   | question name (folded), type, class | records ... | pad | TTL offsets, two in a word | code, length | text ... |
//
// An entry that is for one network has the network in front of that, as long as a header: when the body is copied to the beginning of a reply, the header
// goes over it. The id of a message in memory, which is each client's own, has for whom the entry is (Reach, two bits), which upstreams it came from (a number
// of plugins/prefetch/budget.ts, six bits) and the scope prefix length of RFC 7871.

/** Words of user data in an entry's header. */
export const Meta = {
  /** The message's header as it lies in memory: three words from here on. In place of the id are reach and scope. */
  HEAD: 0,
  /** Bits 0 to 15 length of the message, 16 to 28 number of TTLs, 29 and 30 kind less ANSWER, 31 whether there is an extended error. */
  SHAPE: 3,
  /** Tick at which it was stored. */
  STORED: 4,
  /** Ticks for which it is fresh. */
  LIFETIME: 5,
} as const;

export const META_COUNT = 6;

/** Bytes of a message's header (RFC 1035 4.1.1), and words. */
export const HEADER_BYTES = 12;
export const HEADER_WORDS = HEADER_BYTES / 4;

/** The longest message (RFC 1035 4.2.2), and room for the offsets of its 5956 records and an extended error. */
const MAX_BODY_BYTES = 65_536 + 12_288;

/** Longest text of an extended error that is kept. */
export const MAX_EDE_TEXT_BYTES = 64;

/** Room for a whole entry, as words and as bytes of a message. */
export class Scratch {
  readonly words = new Int32Array(MAX_BODY_BYTES / 4);
  readonly bytes = new Uint8Array(this.words.buffer);
}

export function messageLength(shape: number): number {
  return shape & 0xffff;
}

export function ttlCount(shape: number): number {
  return (shape >>> 16) & 0x1fff;
}

/** The kind less ANSWER. */
export function kindBits(shape: number): number {
  return (shape >>> 29) & 3;
}

/** ANSWER without extended error. */
export function isPlainAnswer(shape: number): boolean {
  return shape >>> 29 === 0;
}

export function hasExtendedError(shape: number): boolean {
  return shape < 0;
}

export function shapeOf(length: number, ttls: number, kind: number, withEde: boolean): number {
  return length | (ttls << 16) | (kind << 29) | (withEde ? 1 << 31 : 0) | 0;
}

/** For whom an entry is. */
export const Reach = {
  /** For queries that asked for no network in particular (RFC 7871 7.3.1: for no others). */
  NO_NETWORK: 0,
  /** For everybody: asked for a network, and the answer is the same for all. */
  ALL: 1,
  /** For the network in its key. */
  ONE_NETWORK: 2,
} as const;
export type Reach = (typeof Reach)[keyof typeof Reach];

/** The id is the first two octets of a header, in either byte order. */
const IS_LITTLE_ENDIAN = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;
const REACH_SHIFT = IS_LITTLE_ENDIAN ? 0 : 24;
const SCOPE_SHIFT = IS_LITTLE_ENDIAN ? 8 : 16;

const REACH_BITS = 2;

export function reachOf(head0: number): number {
  return (head0 >>> REACH_SHIFT) & ((1 << REACH_BITS) - 1);
}

/** The number of the upstreams that the entry came from. */
export function originOf(head0: number): number {
  return (head0 >>> (REACH_SHIFT + REACH_BITS)) & 63;
}

/** The header's first word without that: the number is of one process. */
export function withoutOrigin(head0: number): number {
  return head0 & ~(63 << (REACH_SHIFT + REACH_BITS));
}

/** The first octet of the id. */
export function idOctet(reach: Reach, origin: number): number {
  return reach | (origin << REACH_BITS);
}

export function scopeOf(head0: number): number {
  return (head0 >>> SCOPE_SHIFT) & 255;
}
