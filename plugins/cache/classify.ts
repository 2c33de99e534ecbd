// Hot path for misses. What a reply is to the cache: an answer, a referral, a denial, a failure, or nothing to keep.
import {
  equalFolded,
  equalNames,
  extendedRcode,
  type Layout,
  type Query,
  Rcode,
  type Reply,
  RRType,
} from '../../core/plugin.js';

export const Kind = {
  /** Tells nothing about the name: truncated, malformed, an error, for another question. */
  UNUSABLE: 0,
  /** Good for this client but not to be kept: a denial without SOA, an alias that leads nowhere, NXDOMAIN with an answer. */
  PASSING: 1,
  /** NOERROR with records of the type asked for. */
  ANSWER: 2,
  /** NOERROR without answer and without SOA: a referral, or records in other sections only. */
  REFERRAL: 3,
  /** NXDOMAIN or NODATA with SOA (RFC 2308). */
  DENIAL: 4,
  /** SERVFAIL, NOTIMP or REFUSED. */
  FAILURE: 5,
  /** Would be kept, but is for another question. */
  MISMATCH: 6,
} as const;
export type Kind = (typeof Kind)[keyof typeof Kind];

/** Comparisons of names that following aliases may cost: hundreds of records; what is longer is made to cost time. */
const MAX_COMPARISONS = 4096;

const QNAME_OFFSET = 12;

/** `wallSeconds` is the time of day for signatures (seconds since 1970). */
export function classify(reply: Reply, q: Query, wallSeconds: number): Kind {
  const { layout, wire } = reply;
  if (!layout.isValid || !isPlainReply(wire) || reply.truncated || isTransfer(q.qtype)) {
    return Kind.UNUSABLE;
  }
  const kind = kindOf(reply, q, layout, wallSeconds);
  if (kind >= Kind.PASSING && !isForQuestion(wire, q, layout)) {
    return kind === Kind.PASSING ? Kind.UNUSABLE : Kind.MISMATCH;
  }
  return kind;
}

function kindOf(reply: Reply, q: Query, layout: Layout, wallSeconds: number): Kind {
  const { wire } = reply;
  if (isSigned(wire, layout)) return Kind.UNUSABLE;
  if (q.dnssecOk && hasInvalidSignature(wire, layout, wallSeconds)) return Kind.UNUSABLE;
  const hasSoa = findAuthority(wire, layout, RRType.SOA) >= 0;
  switch (wholeRcode(reply, layout)) {
    case Rcode.NOERROR:
      if (layout.answers === 0) return hasSoa ? Kind.DENIAL : Kind.REFERRAL;
      if (isAnswered(wire, q, layout)) return Kind.ANSWER;
      return hasSoa ? Kind.DENIAL : Kind.PASSING;
    case Rcode.NXDOMAIN:
      if (!hasSoa) return Kind.PASSING;
      return layout.answers === 0 || isAlias(wire, q, layout) ? Kind.DENIAL : Kind.PASSING;
    case Rcode.SERVFAIL:
    case Rcode.NOTIMP:
    case Rcode.REFUSED:
      return Kind.FAILURE;
    default:
      return Kind.UNUSABLE;
  }
}

/** Index of the first record of a type in the authority section, -1 when there is none. */
export function findAuthority(wire: Uint8Array, layout: Layout, type: number): number {
  const end = layout.answers + layout.authorities;
  for (let i = layout.answers; i < end; i++) {
    if (typeAt(wire, layout.types[i] as number) === type) return i;
  }
  return -1;
}

/** QR is set and the opcode is QUERY: neither UPDATE nor NOTIFY. */
function isPlainReply(wire: Uint8Array): boolean {
  return ((wire[2] as number) & 0xf8) === 0x80;
}

function isTransfer(qtype: number): boolean {
  return qtype === RRType.AXFR || qtype === RRType.IXFR;
}

/** The rcode with the bits in OPT, whether the maker of the reply looked there or not. */
function wholeRcode(reply: Reply, layout: Layout): number {
  if (reply.rcode > 15 || layout.optOffset === 0) return reply.rcode;
  return reply.rcode | extendedRcode(reply.wire, layout.optOffset);
}

/** A TSIG is for one client; it is the last record. */
function isSigned(wire: Uint8Array, layout: Layout): boolean {
  const { count } = layout;
  return count > 0 && typeAt(wire, layout.types[count - 1] as number) === RRType.TSIG;
}

/** An RRSIG outside its time of validity (RFC 4034 3.1.5: serial number arithmetic). */
function hasInvalidSignature(wire: Uint8Array, layout: Layout, wallSeconds: number): boolean {
  for (let i = 0; i < layout.count; i++) {
    const at = layout.types[i] as number;
    if (typeAt(wire, at) !== RRType.RRSIG) continue;
    const rdata = at + 10;
    if (rdata + 16 > recordEnd(layout, i)) return true;
    const expiration = read32(wire, rdata + 8);
    const inception = read32(wire, rdata + 12);
    if (((expiration - wallSeconds) | 0) < 0 || ((wallSeconds - inception) | 0) < 0) return true;
  }
  return false;
}

function isForQuestion(wire: Uint8Array, q: Query, layout: Layout): boolean {
  const end = q.qnameEnd;
  if (layout.questionEnd !== end + 4) return false;
  for (let i = end; i < end + 4; i++) if (wire[i] !== q.wire[i]) return false;
  return equalFolded(wire, QNAME_OFFSET, q.wire, QNAME_OFFSET, end - QNAME_OFFSET);
}

/** Whether the answer section leads from the question name over aliases to a record of the type asked for (RFC 1034 3.6.2). */
function isAnswered(wire: Uint8Array, q: Query, layout: Layout): boolean {
  if (q.qtype === RRType.ANY) return true;
  let name = QNAME_OFFSET;
  let left = MAX_COMPARISONS;
  // As many steps as there are records: more is a loop.
  for (let step = 0; step <= layout.answers; step++) {
    let target = -1;
    for (let i = 0; i < layout.answers; i++) {
      const at = layout.types[i] as number;
      const type = typeAt(wire, at);
      if (type !== q.qtype && type !== RRType.CNAME) continue;
      if (left-- === 0) return false;
      if (!equalNames(wire, layout.owners[i] as number, wire, name)) continue;
      if (type === q.qtype) return true;
      // RFC 2181 10.1: one name has one canonical name.
      if (target >= 0 && !equalNames(wire, target, wire, at + 10)) return false;
      target = at + 10;
    }
    if (target < 0) return false;
    name = target;
  }
  return false;
}

/** Whether the answer section has aliases alone, the first of them of the question name: the last one leads to the name that is denied (RFC 6604). */
function isAlias(wire: Uint8Array, q: Query, layout: Layout): boolean {
  if (q.qtype === RRType.CNAME) return false;
  let isOfName = false;
  for (let i = 0; i < layout.answers; i++) {
    const at = layout.types[i] as number;
    const type = typeAt(wire, at);
    if (type === RRType.CNAME) {
      isOfName ||= equalNames(wire, layout.owners[i] as number, wire, QNAME_OFFSET);
    } else if (type !== RRType.DNAME && type !== RRType.RRSIG) {
      return false;
    }
  }
  return isOfName;
}

function recordEnd(layout: Layout, i: number): number {
  return i + 1 < layout.count ? (layout.owners[i + 1] as number) : layout.end;
}

function typeAt(wire: Uint8Array, at: number): number {
  return ((wire[at] as number) << 8) | (wire[at + 1] as number);
}

function read32(wire: Uint8Array, at: number): number {
  return (
    ((wire[at] as number) << 24) |
    ((wire[at + 1] as number) << 16) |
    ((wire[at + 2] as number) << 8) |
    (wire[at + 3] as number)
  );
}
