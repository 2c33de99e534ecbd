// What the scripted upstream says: a function of question, DO, CD, RD, network and time, and of nothing else. The checker calls it with what a stamp claims and compares.
import { apexOf, type KindLetter, type Name, wireOf } from './names.js';
import {
  type Claims,
  claimsWord,
  fillFrom,
  finishHash,
  mix,
  STAMP_BYTES,
  type Stamp,
  writeStamp,
} from './stamp.js';

export const TYPE = {
  A: 1,
  NS: 2,
  CNAME: 5,
  SOA: 6,
  TXT: 16,
  AAAA: 28,
  RRSIG: 46,
  NSEC: 47,
} as const;
export const RCODE = { NOERROR: 0, SERVFAIL: 2, NXDOMAIN: 3, REFUSED: 5 } as const;

/** A network as it is told: `source` bits of `address`, zeros behind them. Family 0 for none. */
export interface Network {
  readonly family: number;
  readonly source: number;
  readonly address: Uint8Array;
}

export const NO_NETWORK: Network = { family: 0, source: 0, address: new Uint8Array(0) };

export interface Rr {
  /** 0 answer, 1 authority, 2 additional. */
  readonly section: number;
  /** Lower case, in wire form. */
  readonly owner: Uint8Array;
  readonly type: number;
  readonly ttl: number;
  /** Bytes without a name, or a name alone. */
  readonly data: Uint8Array;
  readonly target?: Uint8Array;
}

export interface Said {
  readonly rcode: number;
  readonly ad: boolean;
  readonly rrs: readonly Rr[];
  /** Extended error, -1 without one. */
  readonly ede: number;
  readonly edeText: string;
}

/** What depends on time changes after so long. */
const SLOT_MS = 1000;
const FLIP_MS = 3000;
/** Those that fail do so for the first part of each period, so that it shows when a failure is kept for too long. */
const FAIL_PERIOD_MS = 15_000;
const FAIL_MS = 3000;

/** TTLs are 1 to this; of some names longer, so that something is left over a restart. */
const MAX_TTL = 4;
const LONG_TTL = 12;
const LONGEST_TTL = 90;

/** What RRSIG needs to be in force: 2020 to 2037. */
const INCEPTION = 1_577_836_800;
const EXPIRATION = 2_114_380_800;

/** The scope the upstream gives to what it is asked for a network. */
export function scopeOf(kind: KindLetter, family: number, saidMs: number): number {
  const [short, long, over] = family === 1 ? [16, 24, 32] : [32, 48, 64];
  switch (kind) {
    case 'e':
    case 'q':
      return long as number;
    case 'f':
      return short as number;
    case 'g':
      return over as number;
    case 'w':
      return Math.floor(saidMs / SLOT_MS) % 2 === 0 ? (short as number) : (long as number);
    default:
      return 0;
  }
}

/** Whether a name of this kind fails at that time. */
export function failsAt(name: Name, saidMs: number): boolean {
  return failsWithin(name, saidMs, saidMs);
}

/** Whether it fails at any time from `fromMs` to `toMs`. */
export function failsWithin(name: Name, fromMs: number, toMs: number): boolean {
  if (!'vrt'.includes(name.kind)) return false;
  const phase = (fromMs + (name.hash % FAIL_PERIOD_MS)) % FAIL_PERIOD_MS;
  return phase < FAIL_MS || phase + (toMs - fromMs) >= FAIL_PERIOD_MS;
}

/** Whether the name exists at that time. */
function existsAt(name: Name, saidMs: number): boolean {
  if (name.kind !== 'x') return name.kind !== 'n' && name.kind !== 'q';
  return Math.floor((saidMs + (name.hash % FLIP_MS)) / FLIP_MS) % 2 === 0;
}

/** The stamp of what is said of `name` at a time. What is said of a name that does not exist is the same for all types. */
export function stampOf(
  name: Name,
  qtype: number,
  claims: Claims,
  network: Network,
  saidMs: number,
): Stamp {
  const type = existsAt(name, saidMs) || failsAt(name, saidMs) ? qtype : 0;
  const bits = Math.min(claims.scope, claims.source);
  let h = mix(mix(mix(name.hash, type), claimsWord(claims)), saidMs);
  for (let i = 0; i < bits; i += 8) {
    const octet = network.address[i >> 3] ?? 0;
    h = mix(h, bits - i >= 8 ? octet : octet & (0xff << (8 - (bits - i))));
  }
  return { saidMs, claims, high: finishHash(h), low: finishHash(mix(h, 1)) };
}

/** What is said, by its stamp: `silence` when nothing is. */
export function say(name: Name, qtype: number, stamp: Stamp): Said | 'silence' {
  const { saidMs, claims } = stamp;
  if (failsAt(name, saidMs)) {
    if (name.kind === 't') return 'silence';
    return refusal(name.kind === 'r' ? RCODE.REFUSED : RCODE.SERVFAIL, stamp);
  }
  if (name.kind === 'j' && claims.family !== 0) return refusal(RCODE.REFUSED, stamp);
  if (!existsAt(name, saidMs)) return denial(name, RCODE.NXDOMAIN, stamp);
  if (name.kind === 'd') return denial(name, RCODE.NOERROR, stamp);
  if (name.kind === 'z') return referral(name, stamp);
  const rrs =
    name.kind === 'c' ? aliases(name, qtype, stamp) : rrset(name, name.wire, qtype, stamp);
  const ede = name.kind === 'y' ? 4 : -1;
  return { rcode: 0, ad: true, rrs, ede, edeText: ede < 0 ? '' : stampText(stamp) };
}

function stampBytes(stamp: Stamp): Buffer {
  const out = Buffer.alloc(STAMP_BYTES);
  writeStamp(stamp, out);
  return out;
}

/** As the text of an extended error, or a label. */
export function stampText(stamp: Stamp): string {
  return stampBytes(stamp).toString('hex');
}

function refusal(rcode: number, stamp: Stamp): Said {
  return { rcode, ad: false, rrs: [], ede: 23, edeText: stampText(stamp) };
}

function ttlOf(name: Name, stamp: Stamp, n: number): number {
  const draw = finishHash(mix(stamp.low, n));
  if (name.hash % 12 === 0) return 1 + (draw % LONGEST_TTL);
  return 1 + (draw % (name.hash % 3 === 0 ? LONG_TTL : MAX_TTL));
}

/** Records of the type asked for; the first begins with the stamp, or with A the first four together are it. */
function rrset(name: Name, owner: Uint8Array, qtype: number, stamp: Stamp): Rr[] {
  const ttl = ttlOf(name, stamp, 0);
  const rr = (data: Uint8Array): Rr => ({ section: 0, owner, type: qtype, ttl, data });
  const rrs = datasOf(name, qtype, stamp).map(rr);
  if (stamp.claims.dnssec) rrs.push(signature(owner, qtype, ttl, stamp));
  return rrs;
}

function datasOf(name: Name, qtype: number, stamp: Stamp): Uint8Array[] {
  const bytes = stampBytes(stamp);
  const more = name.kind === 'b' ? 5 : name.kind === 'h' ? 14 + (name.hash % 20) : name.hash % 3;
  if (qtype === TYPE.A) {
    const datas: Uint8Array[] = [0, 4, 8, 12].map((at) => bytes.subarray(at, at + 4));
    for (let i = 0; i < more * 8; i++) datas.push(filled(stamp, i, 4, 0));
    return datas;
  }
  if (qtype === TYPE.AAAA) {
    const datas: Uint8Array[] = [bytes];
    for (let i = 0; i < more * 4; i++) datas.push(filled(stamp, i, 16, 0));
    return datas;
  }
  const first = filled(stamp, 99, 60, 1 + STAMP_BYTES);
  first[0] = first.length - 1;
  first.set(bytes, 1);
  const datas: Uint8Array[] = [first];
  for (let i = 0; i < more; i++) {
    const data = filled(stamp, i, 180, 1);
    data[0] = data.length - 1;
    datas.push(data);
  }
  return datas;
}

function filled(stamp: Stamp, n: number, bytes: number, at: number): Uint8Array {
  const out = new Uint8Array(bytes);
  fillFrom(mix(stamp.low, 1000 + n), out, at);
  return out;
}

function signature(owner: Uint8Array, covered: number, ttl: number, stamp: Stamp, section = 0): Rr {
  const data = Buffer.from(filled(stamp, 5000 + covered, 18 + 1 + 32, 19));
  data.writeUInt16BE(covered, 0);
  data.writeUInt16BE(0x0803, 2);
  data.writeUInt32BE(ttl, 4);
  data.writeUInt32BE(EXPIRATION, 8);
  data.writeUInt32BE(INCEPTION, 12);
  data.writeUInt16BE(stamp.low & 0xffff, 16);
  data[18] = 0;
  return { section, owner, type: TYPE.RRSIG, ttl, data };
}

/** One to three aliases, each with a TTL of its own, then the records. */
function aliases(name: Name, qtype: number, stamp: Stamp): Rr[] {
  const rrs: Rr[] = [];
  let owner: Uint8Array = name.wire;
  for (let i = 0; i <= name.hash % 3; i++) {
    const target = Buffer.concat([wireOf(`t${i}`).subarray(0, -1), owner]);
    rrs.push({
      section: 0,
      owner,
      type: TYPE.CNAME,
      ttl: ttlOf(name, stamp, 10 + i),
      data: new Uint8Array(0),
      target,
    });
    owner = target;
  }
  return [...rrs, ...rrset(name, owner, qtype, stamp)];
}

/** SOA with the stamp in its numbers; for those who want signatures the proof, owned by the name denied. */
function denial(name: Name, rcode: number, stamp: Stamp): Said {
  const owner = apexOf(name);
  const ttl = ttlOf(name, stamp, 1);
  const data = Buffer.alloc(2 + 20);
  data.set(stampBytes(stamp), 2);
  data.writeUInt32BE(ttlOf(name, stamp, 2), 2 + STAMP_BYTES);
  const rrs: Rr[] = [{ section: 1, owner, type: TYPE.SOA, ttl, data }];
  if (stamp.claims.dnssec) {
    rrs.push(signature(owner, TYPE.SOA, ttl, stamp, 1));
    const proof = Buffer.from(filled(stamp, 7000, 8, 1));
    rrs.push({
      section: 1,
      owner: name.wire,
      type: TYPE.NSEC,
      ttl: ttlOf(name, stamp, 3),
      data: proof,
    });
  }
  return { rcode, ad: true, rrs, ede: -1, edeText: '' };
}

/** For how long a record is kept, in seconds: the least of SOA's TTL and MINIMUM in a denial (RFC 2308 section 5). */
export function keptTtl(rr: Rr): number {
  if (rr.type !== TYPE.SOA) return rr.ttl;
  return Math.min(rr.ttl, Buffer.from(rr.data).readUInt32BE(2 + STAMP_BYTES));
}

/** Two name servers, the stamp in the name of the first, and their addresses. */
function referral(name: Name, stamp: Stamp): Said {
  const ttl = ttlOf(name, stamp, 4);
  const servers = [stampText(stamp), 'ns'].map((label) =>
    Buffer.concat([wireOf(label).subarray(0, -1), name.wire]),
  );
  const data = new Uint8Array(0);
  const rrs: Rr[] = servers.map((target) => {
    return { section: 1, owner: name.wire, type: TYPE.NS, ttl, data, target };
  });
  for (const [i, owner] of servers.entries()) {
    const glue = filled(stamp, 8000 + i, 4, 0);
    rrs.push({ section: 2, owner, type: TYPE.A, ttl: ttlOf(name, stamp, 5 + i), data: glue });
  }
  return { rcode: 0, ad: false, rrs, ede: -1, edeText: '' };
}
