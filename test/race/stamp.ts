// The stamp in each answer of the scripted upstream: when it was said, what it depended on, and a hash over both and the question. Who knows the question can make the
// whole answer again from it, and so tell an answer that is another one's, or a mixture of two.

/** The bytes of a stamp: time, claims, hash. */
export const STAMP_BYTES = 16;

/** What the upstream was asked beside name and type, and what it made of it. */
export interface Claims {
  readonly dnssec: boolean;
  readonly cd: boolean;
  readonly rd: boolean;
  /** It was told a network: of this family, 1 or 2, with so many bits; 0 for none. */
  readonly family: number;
  readonly source: number;
  /** Bits of the network that the answer is for. */
  readonly scope: number;
  /** Labels of the name it is about: of a denial, which holds for names below, too. */
  readonly labels: number;
}

export interface Stamp {
  /** Milliseconds, the time of `nowMs`. */
  readonly saidMs: number;
  readonly claims: Claims;
  readonly high: number;
  readonly low: number;
}

/** Of the clock that all processes of a machine share: wall clocks are set, this one is not. */
export function nowMs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1000 + nanoseconds / 1e6;
}

export function claimsWord(c: Claims): number {
  const flags = (c.dnssec ? 1 : 0) | (c.cd ? 2 : 0) | (c.rd ? 4 : 0) | (c.family << 4);
  return ((flags << 24) | (c.source << 16) | (c.scope << 8) | c.labels) >>> 0;
}

function claimsOf(word: number): Claims {
  const flags = word >>> 24;
  return {
    dnssec: (flags & 1) !== 0,
    cd: (flags & 2) !== 0,
    rd: (flags & 4) !== 0,
    family: flags >> 4,
    source: (word >>> 16) & 255,
    scope: (word >>> 8) & 255,
    labels: word & 255,
  };
}

/** Writes a stamp to `out`. */
export function writeStamp(stamp: Stamp, out: Buffer): void {
  out.writeUInt32BE(stamp.saidMs >>> 0, 0);
  out.writeUInt32BE(claimsWord(stamp.claims), 4);
  out.writeUInt32BE(stamp.high >>> 0, 8);
  out.writeUInt32BE(stamp.low >>> 0, 12);
}

/** Reads the stamp in the first bytes of `from`. */
export function readStamp(from: Buffer): Stamp {
  return {
    saidMs: from.readUInt32BE(0),
    claims: claimsOf(from.readUInt32BE(4)),
    high: from.readUInt32BE(8),
    low: from.readUInt32BE(12),
  };
}

/** One step of a hash over words (MurmurHash3). */
export function mix(hash: number, word: number): number {
  let k = Math.imul(word, 0xcc9e2d51);
  k = Math.imul((k << 15) | (k >>> 17), 0x1b873593);
  const h = hash ^ k;
  return (Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64) | 0;
}

/** The last step. */
export function finishHash(hash: number): number {
  let h = hash;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

export function hashBytes(seed: number, bytes: Uint8Array): number {
  let h = seed;
  for (let i = 0; i < bytes.length; i++) h = mix(h, bytes[i] as number);
  return finishHash(h);
}

/** Fills `out` from `at` with bytes that follow from the seed. */
export function fillFrom(seed: number, out: Uint8Array, at: number): void {
  let state = seed | 1;
  for (let i = at; i < out.length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    out[i] = state & 255;
  }
}
