// Hot path. TTLs of records: what the cache makes of them when it keeps a reply, and when it gives it out again.
import { type Layout, RRType } from '../../core/plugin.js';
import { Kind } from './classify.js';

/** The TTL of a reply without records (CoreDNS's). */
const NO_RECORDS_TTL = 5;

/** In seconds: no record is kept longer than `max` nor shorter than `min`; `max` wins. */
export interface TtlLimits {
  readonly min: number;
  readonly max: number;
}

/** A TTL within limits. */
export function clampTtl(ttl: number, limits: TtlLimits): number {
  return Math.min(Math.max(ttl, limits.min), limits.max);
}

/** The TTL of a reply that has no record to take it from. */
export function emptyTtl(limits: TtlLimits): number {
  return clampTtl(NO_RECORDS_TTL, limits);
}

/** The TTL that record `i` of a reply is kept for, in seconds. */
export function keptTtl(
  wire: Uint8Array,
  layout: Layout,
  i: number,
  kind: Kind,
  limits: TtlLimits,
): number {
  const at = layout.types[i] as number;
  let ttl = readTtl(wire, at + 4);
  if (kind === Kind.DENIAL && isSoa(wire, at) && i >= layout.answers) {
    // RFC 2308 section 5: the lower of the SOA's TTL and its MINIMUM, the last of its fields.
    const end = at + 10 + (((wire[at + 8] as number) << 8) | (wire[at + 9] as number));
    if (end - at >= 32) ttl = Math.min(ttl, readTtl(wire, end - 4));
  }
  return clampTtl(ttl, limits);
}

/** Seconds; a value with the top bit set is 0 (RFC 2181 section 8). */
export function readTtl(wire: Uint8Array, at: number): number {
  const ttl =
    ((wire[at] as number) << 24) |
    ((wire[at + 1] as number) << 16) |
    ((wire[at + 2] as number) << 8) |
    (wire[at + 3] as number);
  return Math.max(ttl, 0);
}

export function writeTtl(wire: Uint8Array, at: number, ttl: number): void {
  wire[at] = ttl >>> 24;
  wire[at + 1] = ttl >>> 16;
  wire[at + 2] = ttl >>> 8;
  wire[at + 3] = ttl;
}

/** Takes `age` seconds off the TTLs whose offsets are in `words` from `at`, two in a word. */
export function ageTtls(
  wire: Uint8Array,
  words: Int32Array,
  at: number,
  count: number,
  age: number,
): void {
  for (let i = 0; i < count; i++) {
    const pair = words[at + (i >> 1)] as number;
    const offset = (i & 1) === 0 ? pair & 0xffff : pair >>> 16;
    writeTtl(wire, offset, Math.max(readTtl(wire, offset) - age, 0));
  }
}

/** Makes these TTLs all the same. */
export function setTtls(
  wire: Uint8Array,
  words: Int32Array,
  at: number,
  count: number,
  ttl: number,
): void {
  for (let i = 0; i < count; i++) {
    const pair = words[at + (i >> 1)] as number;
    writeTtl(wire, (i & 1) === 0 ? pair & 0xffff : pair >>> 16, ttl);
  }
}

function isSoa(wire: Uint8Array, at: number): boolean {
  return wire[at] === 0 && wire[at + 1] === RRType.SOA;
}
