// The names that are asked for. The label in front of the zone says what the upstream does with a name, in its first letter; what stands before it only makes names longer
// or lets them be below another one.
import { hashBytes } from './stamp.js';

/** What the upstream does with names of a letter, and how often they are asked for (parts of all). */
export const KINDS = {
  /** One answer to a type, a few hundred bytes at most. */
  a: 26,
  /** More than 512 bytes. */
  b: 5,
  /** More than 1232 bytes, so that the upstream is asked again over TCP; some are more than a datagram of 4096 holds. */
  h: 3,
  /** Aliases, with TTLs of their own. */
  c: 6,
  /** For networks of 24 bits, 48 of IPv6. */
  e: 9,
  /** 16 and 32. */
  f: 5,
  /** Of more bits than anybody tells. */
  g: 4,
  /** For everybody, with a scope of 0. */
  s: 5,
  /** Says nothing of networks, although asked. */
  o: 3,
  /** As `e` for a second, then as `f` for a second. */
  w: 4,
  /** REFUSED when a network is told. */
  j: 2,
  /** NXDOMAIN, validated, so that names below do not exist either. */
  n: 9,
  /** NODATA. */
  d: 4,
  /** NXDOMAIN for networks of 24 bits. */
  q: 2,
  /** Exists for some seconds, then does not for some. */
  x: 4,
  /** SERVFAIL, REFUSED, silence, for some seconds in turn with answers. */
  v: 3,
  r: 2,
  t: 1,
  /** A referral with glue behind OPT. */
  z: 3,
  /** An answer with an extended error. */
  y: 2,
} as const;
export type KindLetter = keyof typeof KINDS;

export interface Name {
  /** Lower case, in wire form. */
  readonly wire: Buffer;
  readonly labels: number;
  readonly kind: KindLetter;
  readonly zone: string;
  readonly hash: number;
}

/** Names of zones have two labels. */
const ZONE_LABELS = 2;

/** Names known by their bytes; one that floods with random names does not fill memory. */
const MAX_KNOWN = 100_000;
const known = new Map<string, Name>();

export function wireOf(text: string): Buffer {
  const labels = text.split('.').map((label) => {
    const bytes = Buffer.from(label, 'latin1');
    return Buffer.concat([Buffer.of(bytes.length), bytes]);
  });
  return Buffer.concat([...labels, Buffer.of(0)]);
}

export function textOf(wire: Uint8Array): string {
  const labels: string[] = [];
  for (let o = 0; wire[o] !== 0; o += (wire[o] as number) + 1) {
    const from = o + 1;
    labels.push(Buffer.from(wire.subarray(from, from + (wire[o] as number))).toString('latin1'));
  }
  return `${labels.join('.')}.`;
}

/** The name with these lower-case bytes. Throws for one that is none of ours. */
export function nameOf(wire: Uint8Array): Name {
  const bytes = Buffer.from(wire.buffer, wire.byteOffset, wire.length);
  const key = bytes.toString('latin1');
  const old = known.get(key);
  if (old !== undefined) return old;
  const labels = textOf(bytes).slice(0, -1).split('.');
  const kind = labels[labels.length - ZONE_LABELS - 1]?.[0] as KindLetter;
  if (!(kind in KINDS)) throw new Error(`${labels.join('.')} is no name of this test`);
  const name: Name = {
    wire: Buffer.from(bytes),
    labels: labels.length,
    kind,
    zone: labels.slice(-ZONE_LABELS).join('.'),
    hash: hashBytes(0x5eed, bytes),
  };
  if (known.size >= MAX_KNOWN) known.clear();
  known.set(key, name);
  return name;
}

/** The name of the last `labels` labels of another; undefined when it has no kind of its own any more. */
export function nameAbove(name: Name, labels: number): Name | undefined {
  if (labels > name.labels || labels <= ZONE_LABELS) return undefined;
  let at = 0;
  for (let skip = name.labels - labels; skip > 0; skip--) at += (name.wire[at] as number) + 1;
  return at === 0 ? name : nameOf(name.wire.subarray(at));
}

/** The zone's own name, in wire form. */
export function apexOf(name: Name): Buffer {
  return wireOf(name.zone);
}

/** Lower case of ASCII letters; names here have no other bytes above 64 that matter. */
export function foldByte(byte: number): number {
  return byte >= 0x41 && byte <= 0x5a ? byte + 32 : byte;
}
