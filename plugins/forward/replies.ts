// Hot path. The replies that clients get: an upstream's, or an error of our own.
import {
  DnsError,
  type Exchange,
  Failure,
  type Query,
  type Reply,
  unmixOwners,
} from '../../core/plugin.js';
import type { Race } from './race.js';
import type { Upstream } from './upstream.js';

/** RA in the fourth octet of the header. */
const RA = 0x80;

const NO_UPSTREAM = new DnsError('ERR_NO_UPSTREAM');
const OVERLOAD = new DnsError('ERR_OVERLOAD');

/** An upstream's reply to `x` as one for the client; undefined when it cannot be read. */
export function replyFrom(
  q: Query,
  x: Exchange,
  wire: Uint8Array,
  length: number,
  rcode: number,
): Reply | undefined {
  // The upstream did not repeat the question; the client wants to see it.
  if (wire[5] === 0) return withRecursion(q.replyRcode(rcode));
  const reply = q.replyWire(wire, length);
  if (!reply.layout.isValid) return undefined;
  unmixOwners(x, wire, reply.layout);
  reply.optOffset = reply.layout.optOffset;
  return reply;
}

/** What is said when no upstream gave a reply to pass on; `upstream` is the last one that failed, if any was asked. */
export function errorReply(race: Race, q: Query, upstream: Upstream | undefined): Reply {
  if (race.rcode >= 0) return withRecursion(q.replyRcode(race.rcode));
  if (race.lastFailure === Failure.LIMIT) return overloadReply(q);
  return withRecursion(
    q.replyError(upstream === undefined ? NO_UPSTREAM : upstream.errorFor(race.lastFailure)),
  );
}

export function overloadReply(q: Query): Reply {
  return withRecursion(q.replyError(OVERLOAD));
}

/** Errors of our own say that recursion is on offer, as replies of upstreams do. */
export function withRecursion(reply: Reply): Reply {
  reply.wire[3] = (reply.wire[3] as number) | RA;
  return reply;
}
