// Hot path. The query messages sent upstream, and whether what came back answers one.
import type { Query } from '../chain/query.js';
import { Rcode } from '../wire/constants.js';
import { ADVERTISED_UDP_BYTES, OPT_BYTES, OPTION_BYTES, writeOpt } from '../wire/edns.js';
import { equalFolded } from '../wire/name.js';
import { type Exchange, MESSAGE_BYTES } from './exchange.js';

const HEADER_BYTES = 12;

/** Longest client-subnet option data: family, two prefix lengths, an IPv6 address (RFC 7871 6). */
const MAX_ECS_BYTES = 20;

/**
 * Writes the message that asks an upstream what `q` asks: opcode, RD and CD are the client's, AD is set so that the reply's AD tells
 * something (RFC 6840 5.7), the question keeps the client's case. With `hasOpt` an OPT of our own goes along: our payload size, the client's
 * DO and client-subnet option; its other options concern only the hop to us.
 */
export function writeQuery(x: Exchange, q: Query, hasOpt: boolean): void {
  const from = q.wire;
  const out = x.message;
  out[0] = 0;
  out[1] = 0;
  out[2] = (from[2] as number) & 0x79;
  out[3] = 0x20 | ((from[3] as number) & 0x10);
  out[4] = 0;
  out[5] = 1;
  for (let i = 6; i < HEADER_BYTES; i++) out[i] = 0;
  const end = q.qnameEnd + 4;
  for (let i = HEADER_BYTES; i < end; i++) out[i] = from[i] as number;
  x.questionEnd = end;
  x.length = end;
  x.hasOpt = hasOpt;
  if (hasOpt) appendOpt(x, q.dnssecOk, from, q.ecsOffset, q.length);
}

/** Writes a message of our own: one question of class IN for `qname`, which is in wire form. */
export function writeQuestion(
  x: Exchange,
  qname: Uint8Array,
  qtype: number,
  recursionDesired: boolean,
): void {
  const out = x.message;
  out.fill(0, 0, HEADER_BYTES);
  out[2] = recursionDesired ? 1 : 0;
  out[5] = 1;
  out.set(qname, HEADER_BYTES);
  let at = HEADER_BYTES + qname.length;
  out[at++] = qtype >> 8;
  out[at++] = qtype & 255;
  out[at++] = 0;
  out[at++] = 1;
  x.questionEnd = at;
  x.length = at;
  x.hasOpt = false;
}

/** Takes OPT out of the message: for an upstream that does not know EDNS (RFC 6891 7). */
export function dropOpt(x: Exchange): void {
  x.length = x.questionEnd;
  x.message[11] = 0;
  x.hasOpt = false;
}

/** Writes the message as it goes over the wire to `out` from `at`: the one place where id and question are put into what is sent. */
export function stampMessage(x: Exchange, id: number, out: Uint8Array, at: number): void {
  const message = x.message;
  const length = x.length;
  for (let i = 2; i < length; i++) out[at + i] = message[i] as number;
  out[at] = id >> 8;
  out[at + 1] = id & 255;
}

/**
 * Whether `wire` replies to the message of `x`: QR, opcode and question (RFC 5452 section 9.1); the id is the caller's to check. An error reply without
 * a question counts where the upstream could not read ours (FORMERR, NOTIMP).
 */
export function isReplyTo(x: Exchange, wire: Uint8Array, length: number): boolean {
  if (length < HEADER_BYTES) return false;
  const message = x.message;
  const flags = wire[2] as number;
  // QR set, opcode ours.
  if ((flags & 0xf8) !== (0x80 | ((message[2] as number) & 0x78))) return false;
  if (wire[4] !== 0) return false;
  if (wire[5] !== 1) return wire[5] === 0 && isBareRefusal(wire);
  const end = x.questionEnd;
  if (length < end) return false;
  for (let i = end - 4; i < end; i++) if (wire[i] !== message[i]) return false;
  return equalFolded(wire, HEADER_BYTES, message, HEADER_BYTES, end - 4 - HEADER_BYTES);
}

/** Header with FORMERR or NOTIMP and no records at all. */
function isBareRefusal(wire: Uint8Array): boolean {
  const rcode = (wire[3] as number) & 15;
  if (rcode !== Rcode.FORMERR && rcode !== Rcode.NOTIMP) return false;
  for (let i = 6; i < HEADER_BYTES; i++) if (wire[i] !== 0) return false;
  return true;
}

function appendOpt(
  x: Exchange,
  dnssecOk: boolean,
  from: Uint8Array,
  ecsOffset: number,
  fromLength: number,
): void {
  const out = x.message;
  const at = x.length;
  writeOpt(out, at, ADVERTISED_UDP_BYTES, 0, dnssecOk);
  out[11] = 1;
  let end = at + OPT_BYTES;
  if (ecsOffset !== 0) {
    const data = ((from[ecsOffset + 2] as number) << 8) | (from[ecsOffset + 3] as number);
    const size = OPTION_BYTES + data;
    if (data <= MAX_ECS_BYTES && ecsOffset + size <= fromLength && end + size <= MESSAGE_BYTES) {
      for (let i = 0; i < size; i++) out[end + i] = from[ecsOffset + i] as number;
      end += size;
      out[at + OPT_BYTES - 1] = size;
    }
  }
  x.length = end;
}
