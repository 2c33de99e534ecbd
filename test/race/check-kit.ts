// Replies as the server would give them, and ways to make them wrong, for the checker's own test.
import assert from 'node:assert/strict';
import { type Asked, Checker, type Verdict } from './check.js';
import { nameOf, wireOf } from './names.js';
import { Questions } from './questions.js';
import { answerAt, readQuery } from './upstream.js';
import { type Network, NO_NETWORK, TYPE } from './world.js';

export const ZONE = 'zone.test';
export const STALE_TTL = 17;
export const RULES = {
  staleMs: 3000,
  staleTtl: STALE_TTL,
  keepsTtl: false,
  failureMs: 4000,
  isLimited: false,
};
/** A time at which no name fails that may. */
export const SAID_MS = 1_000_000;
export const LIMIT = 65_535;

export interface Options {
  readonly name?: string;
  readonly qtype?: number;
  readonly dnssec?: boolean;
  readonly network?: Network;
  readonly hasOpt?: boolean;
  readonly ad?: boolean;
  readonly tcp?: boolean;
  /** After it was said. */
  readonly sentAfterMs?: number;
}

export const questions = new Questions({
  seed: 1,
  zones: [ZONE],
  names: 1,
  exponent: 1,
  random: 0,
});

export function network(third: number): Network {
  return { family: 1, source: 24, address: Uint8Array.of(20, 1, third) };
}

export function asks(options: Options = {}): Asked {
  const name = nameOf(wireOf(options.name ?? `a0.${ZONE}`));
  const told = options.network ?? NO_NETWORK;
  const draft = {
    name,
    qtype: options.qtype ?? TYPE.AAAA,
    questionEnd: 12 + name.wire.length + 4,
    hasOpt: options.hasOpt ?? true,
    dnssec: options.dnssec ?? false,
    cd: false,
    rd: true,
    ad: options.ad ?? true,
    udpLimit: LIMIT,
    ecs: told.family === 0 ? undefined : Buffer.of(0, told.family, told.source, 0, ...told.address),
    told,
  };
  const asked = questions.ask(draft, 0x1234, options.tcp ?? false);
  return { ...asked, sentMs: SAID_MS + (options.sentAfterMs ?? 0) };
}

/** What the upstream says, as the server passes it on at once: a SOA with the TTL that it is kept for. */
export function reply(asked: Asked, saidMs = SAID_MS): Buffer {
  const q = readQuery(asked.wire);
  const said = q === undefined ? undefined : answerAt(asked.wire, q, LIMIT, saidMs);
  assert.ok(said !== undefined);
  const wire = Buffer.from(said);
  for (const at of ttlsAt(wire)) {
    if (wire.readUInt16BE(at - 4) !== TYPE.SOA) continue;
    const minimum = wire.readUInt32BE(at + 6 + wire.readUInt16BE(at + 4) - 4);
    wire.writeUInt32BE(Math.min(wire.readUInt32BE(at), minimum), at);
  }
  return wire;
}

/** The offsets of the TTLs of all records but OPT. */
export function ttlsAt(wire: Buffer): number[] {
  const found: number[] = [];
  let at = 12;
  const skip = (): void => {
    while (wire[at] !== 0 && (wire[at] as number) < 0xc0) at += (wire[at] as number) + 1;
    at += wire[at] === 0 ? 1 : 2;
  };
  skip();
  at += 4;
  while (at < wire.length) {
    skip();
    if (wire.readUInt16BE(at) !== 41) found.push(at + 4);
    at += 10 + wire.readUInt16BE(at + 8);
  }
  return found;
}

export function withTtls(wire: Buffer, change: (ttl: number) => number): Buffer {
  for (const at of ttlsAt(wire)) wire.writeUInt32BE(change(wire.readUInt32BE(at)), at);
  return wire;
}

/** With an extended error: OPT is the last record and has no other options. */
export function withEde(wire: Buffer, code: number): Buffer {
  const longer = Buffer.concat([wire, Buffer.of(0, 15, 0, 2, 0, code)]);
  longer.writeUInt16BE(6, wire.length - 2);
  return longer;
}

export function check(asked: Asked, wire: Buffer, afterMs = 50, checker = aChecker()): Verdict {
  return checker.check(asked, wire, Math.max(asked.sentMs, SAID_MS) + afterMs);
}

export function aChecker(staleMs = RULES.staleMs): Checker {
  return new Checker(new Map([[ZONE, { ...RULES, staleMs }]]));
}

export const ttlOf = (asked: Asked): number =>
  Math.min(...ttlsAt(reply(asked)).map((at) => reply(asked).readUInt32BE(at)));

export function set(wire: Buffer, at: number, byte: number): Buffer {
  wire[at] = byte;
  return wire;
}

/** The reply with all behind the question from another one. */
export function body(wire: Buffer, asked: Asked, other: Buffer): Buffer {
  const questionEnd = other.indexOf(0, 12) + 5;
  const made = Buffer.concat([wire.subarray(0, asked.questionEnd), other.subarray(questionEnd)]);
  other.copy(made, 3, 3, 4);
  other.copy(made, 6, 6, 12);
  return made;
}

/** The other reply with this client's head, and its own client subnet at the end. */
export function restOf(asked: Asked, other: Buffer): Buffer {
  const made = body(reply(asked), asked, other);
  made[made.length - 1] = asked.told.address[2] as number;
  return made;
}

/** Without the last record of the answer section. */
export function dropLast(wire: Buffer): Buffer {
  const ttls = ttlsAt(wire);
  const owner = (ttls.at(-1) as number) - 6;
  const end = owner + 12 + wire.readUInt16BE(owner + 10);
  wire.writeUInt16BE(wire.readUInt16BE(6) - 1, 6);
  return Buffer.concat([wire.subarray(0, owner), wire.subarray(end)]);
}

/** The last record from the other, as a reader sees who is interrupted. */
export function mixture(wire: Buffer, other: Buffer): Buffer {
  const at = (ttlsAt(wire).at(-1) as number) + 6;
  other.copy(wire, at, at, at + 16);
  return wire;
}

/** With this DO bit in the OPT, the last record and without options. */
export function withDo(wire: Buffer, bit: number): Buffer {
  return set(wire, wire.length - 4, bit);
}
