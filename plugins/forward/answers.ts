// Hot path. What kind of reply an upstream gave, read from its header.
import { Rcode } from '../../core/plugin.js';

const AA = 0x04;
const RD = 0x01;
const RA = 0x80;

/** Kinds of replies that can be compared. */
export const Kind = { OTHER: 0, DATA: 1, NODATA: 2, NXDOMAIN: 3 } as const;
export type Kind = (typeof Kind)[keyof typeof Kind];

export function kindOf(wire: Uint8Array, rcode: number): Kind {
  if (rcode === Rcode.NXDOMAIN) return Kind.NXDOMAIN;
  if (rcode !== Rcode.NOERROR) return Kind.OTHER;
  return hasAnswer(wire) ? Kind.DATA : Kind.NODATA;
}

/** Whether it settles the question: the name is there or it is not. */
export function isConclusive(rcode: number): boolean {
  return rcode === Rcode.NOERROR || rcode === Rcode.NXDOMAIN;
}

/** Without a question: an error of a server that could not read ours. */
export function isBare(wire: Uint8Array): boolean {
  return wire[5] === 0;
}

/** FORMERR or NOTIMP without an OPT: what servers from before EDNS say to one (RFC 6891 section 7). */
export function isRefusalOfEdns(wire: Uint8Array, rcode: number): boolean {
  return (rcode === Rcode.FORMERR || rcode === Rcode.NOTIMP) && wire[10] === 0 && wire[11] === 0;
}

/**
 * Lame: a query that wants recursion got neither an answer nor an authoritative word nor recursion (RA), but a referral or nothing. Such an
 * upstream does not know the zone and does not look for it.
 */
export function isLame(wire: Uint8Array, rcode: number): boolean {
  if (rcode !== Rcode.NOERROR || hasAnswer(wire)) return false;
  const flags = wire[2] as number;
  return (flags & RD) !== 0 && (flags & AA) === 0 && ((wire[3] as number) & RA) === 0;
}

function hasAnswer(wire: Uint8Array): boolean {
  return wire[6] !== 0 || wire[7] !== 0;
}
