// Hot path. The query messages sent upstream, and whether what came back answers one.
import type { Query } from '../chain/query.js';
import { EdnsOption, Rcode } from '../wire/constants.js';
import { EcsFamily, ecsFamilyAt, isEcsReplyTo, writeEcs } from '../wire/ecs.js';
import {
  ADVERTISED_UDP_BYTES,
  extendedRcode,
  findOption,
  OPT_BYTES,
  writeOpt,
} from '../wire/edns.js';
import { Layout, scanMessage } from '../wire/layout.js';
import { equalFolded } from '../wire/name.js';
import type { Exchange } from './exchange.js';
import { mixCase, unmixCase } from './letter-case.js';

const HEADER_BYTES = 12;

/** Of replies to messages with a client subnet, one after the other. */
const layout = new Layout();

/**
 * Writes the message that asks an upstream what `q` asks: opcode, RD and CD are the client's, AD is set so that the reply's AD tells
 * something (RFC 6840 5.7), the question keeps the client's case. With `hasOpt` an OPT of our own goes along: our payload size, the client's
 * DO and the network it is asked for; other options of the client concern only the hop to us.
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
  x.ecsAt = 0;
  if (hasOpt) appendOpt(x, q);
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
  x.ecsAt = 0;
}

/** Takes OPT out of the message: for an upstream that does not know EDNS (RFC 6891 7). */
export function dropOpt(x: Exchange): void {
  x.length = x.questionEnd;
  x.message[11] = 0;
  x.hasOpt = false;
  x.ecsAt = 0;
}

/** Takes the client subnet out of the message, which has one: for an upstream that does not want it (RFC 7871 7.1.3). */
export function dropEcs(x: Exchange): void {
  x.length = x.ecsAt;
  // The length of the OPT's options, of which it was the only one.
  x.message[x.ecsAt - 1] = 0;
  x.ecsAt = 0;
}

/**
 * Whether this reply says that the upstream does not want the client subnet in the message: an error that may be due to it, or another network than was
 * asked for, with which the reply cannot be used (RFC 7871 7.3).
 */
export function rejectsEcs(x: Exchange, wire: Uint8Array, length: number): boolean {
  if (x.ecsAt === 0) return false;
  const rcode = (wire[3] as number) & 15;
  if (rcode === Rcode.FORMERR || rcode === Rcode.NOTIMP || rcode === Rcode.REFUSED) return true;
  scanMessage(wire, length, layout);
  const { isValid, optOffset } = layout;
  if (!isValid || optOffset === 0) return false;
  if ((rcode | extendedRcode(wire, optOffset)) === Rcode.BADVERS) return true;
  const option = findOption(wire, optOffset, EdnsOption.ECS);
  return option !== 0 && !isEcsReplyTo(x.message, x.ecsAt, wire, option);
}

/** Writes the message as it goes over the wire to `out` from `at`: the one place where id and question are put into what is sent. */
export function stampMessage(x: Exchange, id: number, out: Uint8Array, at: number): void {
  const message = x.message;
  const length = x.length;
  let i = 2;
  if (x.caseBits !== 0) {
    for (; i < HEADER_BYTES; i++) out[at + i] = message[i] as number;
    i = mixCase(x, out, at);
  }
  for (; i < length; i++) out[at + i] = message[i] as number;
  out[at] = id >> 8;
  out[at + 1] = id & 255;
}

/** How a message from an upstream fits a query. */
export const Fit = {
  NONE: 0,
  /** But for the case of the letters in the question, where that was told. */
  MISCASED: 1,
  WHOLE: 2,
} as const;
export type Fit = (typeof Fit)[keyof typeof Fit];

/**
 * How `wire` fits the message of `x`: QR, opcode and question (RFC 5452 section 9.1); the id is the caller's to check. The question of what
 * fits as a whole is in the client's case afterwards. An error reply without a question counts where the upstream could not read ours
 * (FORMERR, NOTIMP).
 */
export function fitOf(x: Exchange, wire: Uint8Array, length: number): Fit {
  if (length < HEADER_BYTES) return Fit.NONE;
  const message = x.message;
  const flags = wire[2] as number;
  // QR set, opcode ours.
  if ((flags & 0xf8) !== (0x80 | ((message[2] as number) & 0x78))) return Fit.NONE;
  if (wire[4] !== 0) return Fit.NONE;
  if (wire[5] !== 1) return wire[5] === 0 && isBareRefusal(wire) ? Fit.WHOLE : Fit.NONE;
  const end = x.questionEnd;
  if (length < end) return Fit.NONE;
  const nameEnd = end - 4;
  for (let i = nameEnd; i < end; i++) if (wire[i] !== message[i]) return Fit.NONE;
  const same = x.caseBits === 0 ? HEADER_BYTES : unmixCase(x, wire);
  if (same === nameEnd) return Fit.WHOLE;
  if (!equalFolded(wire, same, message, same, nameEnd - same)) return Fit.NONE;
  return x.caseBits === 0 ? Fit.WHOLE : Fit.MISCASED;
}

/** Header with FORMERR or NOTIMP and no records at all. */
function isBareRefusal(wire: Uint8Array): boolean {
  const rcode = (wire[3] as number) & 15;
  if (rcode !== Rcode.FORMERR && rcode !== Rcode.NOTIMP) return false;
  for (let i = 6; i < HEADER_BYTES; i++) if (wire[i] !== 0) return false;
  return true;
}

function appendOpt(x: Exchange, q: Query): void {
  const out = x.message;
  const at = x.length;
  writeOpt(out, at, ADVERTISED_UDP_BYTES, 0, q.dnssecOk);
  out[11] = 1;
  let end = at + OPT_BYTES;
  if (q.ecsFamily !== EcsFamily.NONE || q.refusesEcs) {
    x.ecsAt = end;
    // A client that wants no network told says so to the upstream, too: it could take ours, which may tell as much.
    if (q.ecsFamily !== EcsFamily.NONE) {
      end = writeEcs(out, end, q.ecsFamily, q.ecsSource, q.ecsAddress);
    } else {
      end = writeEcs(out, end, ecsFamilyAt(q.wire, q.ecsOffset), 0, q.ecsAddress);
    }
    out[x.ecsAt - 1] = end - x.ecsAt;
  }
  x.length = end;
}
