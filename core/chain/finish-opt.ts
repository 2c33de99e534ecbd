// The OPT record of a reply with options: extended errors, client subnet, keepalive. Made aside, then copied behind the records.
import { EdnsOption } from '../wire/constants.js';
import { EcsAt, EcsFamily, ecsScopeOf } from '../wire/ecs.js';
import {
  ADVERTISED_UDP_BYTES,
  findOption,
  OPT_BYTES,
  OPTION_BYTES,
  optionEnd,
  writeOpt,
} from '../wire/edns.js';
import { type Query, Transport } from './query.js';
import type { Reply } from './reply.js';

/** Idle time announced to TCP clients, in units of 100 ms (RFC 7828 3.1): the 10 s after which the server closes. */
const KEEPALIVE_TIMEOUT = 100;

/** Extended errors passed on from an upstream; more tell a client nothing. */
const MAX_EDES = 4;

/** Longest text of an extended error; it is for people and must not crowd out records. */
const MAX_EDE_TEXT_BYTES = 200;

/** OPT (11), keepalive (6), ECS (24) and four extended errors (206 each) fit. */
const MAX_OPT_BYTES = 880;

const opt = new Uint8Array(MAX_OPT_BYTES);
const encoder = new TextEncoder();

/**
 * Makes the OPT record of a reply in the scratch buffer and returns its length. `upstreamOpt` is the offset of the OPT in `reply.wire`, 0
 * without one: its extended errors are passed on unless the reply has its own. A client that sent a client subnet gets it back with the scope.
 * Without `withText` extended errors go without their text.
 */
export function composeOpt(
  q: Query,
  reply: Reply,
  rcode: number,
  upstreamOpt: number,
  withText: boolean,
): number {
  writeOpt(opt, 0, ADVERTISED_UDP_BYTES, rcode, q.dnssecOk);
  let at = OPT_BYTES;
  if (q.wantsKeepalive && (q.transport === Transport.TCP || q.transport === Transport.TLS)) {
    at = putOption(at, EdnsOption.KEEPALIVE, 2, KEEPALIVE_TIMEOUT);
  }
  if (q.ecsOffset !== 0) at = putEcs(at, q, reply.wire, upstreamOpt);
  if (reply.ede >= 0) at = putOwnError(at, reply, withText);
  else if (upstreamOpt !== 0) at = putErrors(at, reply.wire, upstreamOpt, withText);
  const options = at - OPT_BYTES;
  opt[9] = options >> 8;
  opt[10] = options & 255;
  return at;
}

/** Copies the `length` bytes that `composeOpt` made to `out` at `at`. */
export function copyOpt(out: Uint8Array, at: number, length: number): void {
  for (let i = 0; i < length; i++) out[at + i] = opt[i] as number;
}

/** Writes code, length and a 16-bit number that the data starts with. */
function putOption(at: number, code: number, length: number, data: number): number {
  opt[at] = code >> 8;
  opt[at + 1] = code & 255;
  opt[at + 2] = length >> 8;
  opt[at + 3] = length & 255;
  opt[at + 4] = data >> 8;
  opt[at + 5] = data & 255;
  return at + 6;
}

/** The client's own option (RFC 7871 7.2.1) with the scope that the upstream gave, or that the reply was kept with. */
function putEcs(at: number, q: Query, wire: Uint8Array, upstreamOpt: number): number {
  const own = q.ecsOffset;
  const length = optionEnd(q.wire, own) - own;
  for (let i = 0; i < length; i++) opt[at + i] = q.wire[own + i] as number;
  // What was asked for no network in particular is the same for all.
  if (q.ecsFamily !== EcsFamily.NONE) {
    opt[at + EcsAt.SCOPE] = upstreamOpt === 0 ? q.ecsScope : ecsScopeOf(wire, upstreamOpt);
  }
  return at + length;
}

function putOwnError(at: number, reply: Reply, withText: boolean): number {
  if (!withText || reply.edeText === '') return putOption(at, EdnsOption.EDE, 2, reply.ede);
  const textAt = at + 6;
  // Cuts between characters, never within one.
  const text = encoder.encodeInto(reply.edeText, opt.subarray(textAt, textAt + MAX_EDE_TEXT_BYTES));
  putOption(at, EdnsOption.EDE, 2 + text.written, reply.ede);
  return textAt + text.written;
}

function putErrors(
  start: number,
  wire: Uint8Array,
  upstreamOpt: number,
  withText: boolean,
): number {
  let at = start;
  let option = findOption(wire, upstreamOpt, EdnsOption.EDE);
  for (let n = 0; option !== 0 && n < MAX_EDES; n++) {
    const end = optionEnd(wire, option);
    const textAt = option + OPTION_BYTES + 2;
    if (textAt <= end) {
      const code = ((wire[textAt - 2] as number) << 8) | (wire[textAt - 1] as number);
      const textBytes = withText && end - textAt <= MAX_EDE_TEXT_BYTES ? end - textAt : 0;
      at = putOption(at, EdnsOption.EDE, 2 + textBytes, code);
      for (let i = 0; i < textBytes; i++) opt[at + i] = wire[textAt + i] as number;
      at += textBytes;
    }
    option = findOption(wire, upstreamOpt, EdnsOption.EDE, end);
  }
  return at;
}
