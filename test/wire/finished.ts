// Queries accepted, upstream messages passed on, and replies finished as the server does, with what holds for every one checked.
import assert from 'node:assert/strict';
import { type DecodedPacket, decode, type OptAnswer } from 'dns-packet';
import { finish } from '../../core/chain/finish.js';
import type { Query, Transport } from '../../core/chain/query.js';
import type { Reply } from '../../core/chain/reply.js';
import { accept, Verdict } from '../../core/wire/accept.js';
import {
  type MessageSpec,
  message,
  type OptSpec,
  optRecord,
  response,
  slotQuery,
} from './messages.js';

/** An accepted query; `opt` gives it an OPT. */
export function query(spec: MessageSpec = {}, opt?: OptSpec, transport?: Transport): Query {
  const additionals = opt === undefined ? [] : [optRecord(opt)];
  const q = slotQuery(message({ additionals, ...spec }), transport);
  assert.equal(accept(q), Verdict.ACCEPT);
  return q;
}

export function pass(q: Query, spec: MessageSpec): Reply {
  const wire = response(spec);
  return q.replyWire(wire, wire.length);
}

/** Finishes and checks what holds for every reply: the length is within the limit and the reply says what is sent. */
export function sent(q: Query, reply: Reply, limit = q.udpSize): Uint8Array {
  const length = finish(q, reply, limit);
  assert.ok(length <= Math.max(limit, 512));
  assert.equal(reply.wire, q.out);
  assert.equal(reply.length, length);
  assert.ok(reply.layout.isValid);
  assert.equal(reply.layout.end, length);
  assert.equal(reply.optOffset, reply.layout.optOffset);
  assert.equal(reply.rcode & 15, (q.out[3] as number) & 15);
  return q.out.slice(0, length);
}

export function decoded(wire: Uint8Array): DecodedPacket {
  return decode(Buffer.from(wire));
}

export function optOf(wire: Uint8Array): OptAnswer | undefined {
  const opts = decoded(wire).additionals?.filter((rr) => rr.type === 'OPT') ?? [];
  assert.ok(opts.length <= 1);
  return opts[0] as OptAnswer | undefined;
}

/** Code and data of each option, as hexadecimal. */
export function optionsOf(wire: Uint8Array): readonly string[] {
  const options = (optOf(wire)?.options ?? []) as readonly { code: number; data: Buffer }[];
  return options.map(({ code, data }) => `${code}:${data.toString('hex')}`);
}
