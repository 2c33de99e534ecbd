// Hot path. The gate: decides from the bytes alone whether a datagram is a query worth answering, and notes where its parts are.
// Everything behind it may trust the question and the OPT record of an accepted query.
import type { Query } from '../chain/query.js';
import { foldPlaced } from '../simd/kernels.js';
import { foldName } from '../simd/names.js';
import { EdnsOption, Opcode, Rcode, RRType } from './constants.js';
import { EcsAt, ecsFamilyAt, isEcsQuery } from './ecs.js';
import { ADVERTISED_UDP_BYTES, OPT_BYTES, OPTION_BYTES, writeOpt } from './edns.js';
import { skipName } from './name.js';

const HEADER_BYTES = 12;

/** What a client without OPT takes over UDP, and the least any client takes (RFC 1035 2.3.4, RFC 6891 6.2.3). */
export const MIN_UDP_BYTES = 512;

/** The most sent over UDP whatever the client offers: larger ones are mostly lost to fragmentation and serve amplification. */
export const MAX_UDP_BYTES = 4096;

/** What becomes of a message: it goes to the chain, is dropped, or gets a reply with this rcode from `rejectInto`. */
export const Verdict = { ACCEPT: 0, IGNORE: 1, FORMERR: 2, NOTIMP: 3, BADVERS: 4 } as const;
export type Verdict = (typeof Verdict)[keyof typeof Verdict];

const REJECT_RCODES = {
  [Verdict.FORMERR]: Rcode.FORMERR,
  [Verdict.NOTIMP]: Rcode.NOTIMP,
  [Verdict.BADVERS]: Rcode.BADVERS,
} as const;

/**
 * Reads `q.wire` up to `q.length` and fills the question and EDNS fields of `q`. When the question cannot be read `q.qnameEnd` is 0; the
 * fields are only complete for ACCEPT and BADVERS. Never throws, never reads past the end. `slotAt` is where the name kernels see
 * the message (`Batch.kernelAt`), -1 when they do not.
 */
export function accept(q: Query, slotAt = -1): Verdict {
  const wire = q.wire;
  const length = q.length;
  q.qnameEnd = 0;
  q.optOffset = 0;
  q.udpSize = MIN_UDP_BYTES;
  q.dnssecOk = false;
  q.ecsOffset = 0;
  q.ecsFamily = 0;
  q.wantsKeepalive = false;
  if (length < HEADER_BYTES || length > wire.length) return Verdict.IGNORE;
  const flags = wire[2]!;
  // A response is never answered: two servers could keep each other busy for ever.
  if ((flags & 0x80) !== 0) return Verdict.IGNORE;
  const opcode = (flags >> 3) & 15;
  if (opcode !== Opcode.QUERY && opcode !== Opcode.NOTIFY) return Verdict.NOTIMP;
  if (wire[5] !== 1 || wire[4] !== 0) return Verdict.FORMERR;
  const questionEnd = acceptQuestion(q, wire, length, slotAt);
  if (questionEnd < 0) return Verdict.FORMERR;
  // One answer: the SOA of a NOTIFY (RFC 1996 3.7). One authority: the SOA of an IXFR (RFC 1995 3). Two additionals: OPT and TSIG.
  if ((wire[6]! | wire[8]! | wire[10]!) !== 0) return Verdict.FORMERR;
  if (wire[7]! > 1 || wire[9]! > 1 || wire[11]! > 2) return Verdict.FORMERR;
  const before = wire[7]! + wire[9]!;
  return acceptRecords(q, wire, length, questionEnd, before, before + wire[11]!);
}

/**
 * Writes the reply for a message that was not accepted and returns its length, 0 for one to be ignored. `out` needs room for
 * header, question and an empty OPT (282 bytes). A question that could be read is echoed (RFC 1035 4.1.1).
 */
export function rejectInto(q: Query, verdict: Verdict, out: Uint8Array): number {
  if (verdict === Verdict.ACCEPT || verdict === Verdict.IGNORE) return 0;
  const rcode = REJECT_RCODES[verdict];
  const end = writeHead(q, rcode, out);
  if (verdict !== Verdict.BADVERS) return end;
  out[11] = 1;
  writeOpt(out, end, ADVERTISED_UDP_BYTES, rcode, q.dnssecOk);
  return end + OPT_BYTES;
}

/** Writes a reply's header and, when it could be read, question to `out`; returns its length. The sections are empty. */
export function writeHead(q: Query, rcode: number, out: Uint8Array): number {
  const wire = q.wire;
  const end = q.qnameEnd === 0 ? HEADER_BYTES : q.qnameEnd + 4;
  for (let i = 0; i < end; i++) out[i] = wire[i]!;
  // QR; opcode, RD and CD are the client's (RFC 1035 4.1.1, RFC 4035 3.2.2).
  out[2] = 0x80 | (wire[2]! & 0x79);
  out[3] = (wire[3]! & 0x10) | (rcode & 15);
  for (let i = 4; i < HEADER_BYTES; i++) out[i] = 0;
  if (q.qnameEnd !== 0) out[5] = 1;
  return end;
}

/** Reads the question: folds the name and counts its labels. Returns the offset just past it or -1. */
function acceptQuestion(q: Query, wire: Uint8Array, length: number, slotAt: number): number {
  // Room for type and class after the root label.
  const lastRoot = length - 5;
  const name =
    slotAt < 0
      ? foldName(wire, HEADER_BYTES, lastRoot, q.folded)
      : foldPlaced(slotAt + HEADER_BYTES, slotAt + lastRoot, q.folded32);
  if (name < 0) return -1;
  const end = HEADER_BYTES + (name >> 8);
  q.labels = name & 255;
  q.qnameEnd = end;
  q.qtype = (wire[end]! << 8) | wire[end + 1]!;
  q.qclass = (wire[end + 2]! << 8) | wire[end + 3]!;
  return end + 4;
}

/** Walks `total` records from `start`, of which those from index `before` on are the additional section. */
function acceptRecords(
  q: Query,
  wire: Uint8Array,
  length: number,
  start: number,
  before: number,
  total: number,
): Verdict {
  let pos = start;
  let verdict: Verdict = Verdict.ACCEPT;
  for (let i = 0; i < total; i++) {
    const owner = pos;
    // Nearly always the root of an OPT.
    pos = wire[pos] === 0 ? pos + 1 : skipName(wire, pos, length);
    if (pos < 0 || pos + 10 > length) return Verdict.FORMERR;
    const type = (wire[pos]! << 8) | wire[pos + 1]!;
    const end = pos + 10 + ((wire[pos + 8]! << 8) | wire[pos + 9]!);
    if (end > length) return Verdict.FORMERR;
    if (type === RRType.OPT) {
      // RFC 6891 6.1.1: in the additional section, at most once, owned by the root.
      if (i < before || q.optOffset !== 0 || wire[owner] !== 0) return Verdict.FORMERR;
      q.optOffset = owner;
      const size = (wire[pos + 2]! << 8) | wire[pos + 3]!;
      q.udpSize = Math.min(Math.max(size, MIN_UDP_BYTES), MAX_UDP_BYTES);
      q.dnssecOk = (wire[pos + 6]! & 0x80) !== 0;
      // RFC 6891 6.1.3; what the options of another version look like nobody knows.
      if (wire[pos + 5] !== 0) verdict = Verdict.BADVERS;
      else if (end !== pos + 10 && !acceptOptions(q, wire, pos + 10, end)) return Verdict.FORMERR;
    } else if (type === RRType.TSIG && (i < before || i !== total - 1)) {
      // RFC 8945 5.1: the last record of the additional section.
      return Verdict.FORMERR;
    }
    pos = end;
  }
  return pos === length ? verdict : Verdict.FORMERR;
}

/** Reads the options of the client's OPT; false when they do not fill it exactly or one is malformed. */
function acceptOptions(q: Query, wire: Uint8Array, start: number, end: number): boolean {
  let pos = start;
  while (pos + OPTION_BYTES <= end) {
    const code = (wire[pos]! << 8) | wire[pos + 1]!;
    const next = pos + OPTION_BYTES + ((wire[pos + 2]! << 8) | wire[pos + 3]!);
    if (next > end) return false;
    if (code === EdnsOption.ECS) {
      if (!isEcsQuery(wire, pos)) return false;
      // Of several the first counts.
      if (q.ecsOffset === 0) acceptEcs(q, wire, pos);
    } else if (code === EdnsOption.KEEPALIVE) {
      q.wantsKeepalive = true;
    }
    pos = next;
  }
  return pos === end;
}

function acceptEcs(q: Query, wire: Uint8Array, at: number): void {
  q.ecsOffset = at;
  q.ecsScope = 0;
  q.setEcs(ecsFamilyAt(wire, at), wire[at + EcsAt.SOURCE]!, wire, at + EcsAt.ADDRESS);
}
