// What is left out of a message that is too long: whole RRsets from the end (RFC 2181 section 9), and whether that is truncation (RFC 9471).
import { RRType } from './constants.js';
import type { Layout } from './layout.js';
import { equalNames, skipName } from './name.js';

/**
 * What a look through pairs of records may cost, so that no message made for it takes long to cut: 1 per pair, 16 more when names are compared
 * (0.3 ms at most). Past it a section is left out whole, or the message counts as truncated: right too, at worst a retry over TCP.
 */
const MAX_COST = 8192;
const NAME_COST = 16;

/** Offset just past the first `records` records. */
export function recordsEnd(layout: Layout, records: number): number {
  return records < layout.count ? layout.owners[records]! : layout.end;
}

/**
 * How many of the first `records` records stay when at most `room` bytes may be used for header, question and records; an OPT record
 * among them is not counted in bytes, because it is replaced.
 */
export function fittingRecords(
  wire: Uint8Array,
  layout: Layout,
  records: number,
  room: number,
): number {
  const optBytes = layout.optEnd - layout.optOffset;
  let kept = records;
  while (kept > 0) {
    const end = recordsEnd(layout, kept);
    if (end - (end > layout.optOffset ? optBytes : 0) <= room) break;
    kept--;
  }
  const authorityAt = layout.answers;
  const additionalAt = authorityAt + layout.authorities;
  if (kept === records) return kept;
  if (kept > additionalAt) return wholeSets(wire, layout, additionalAt, kept, records);
  if (kept > authorityAt) return wholeSets(wire, layout, authorityAt, kept, additionalAt);
  return wholeSets(wire, layout, 0, kept, authorityAt);
}

/**
 * Whether leaving out the records from `kept` to `records` is truncation: something of the answer or authority section, or an address
 * of a name server of a referral, is missing (RFC 9471 section 3). Other additional records may be missing silently (RFC 2181 section 9).
 */
export function isTruncation(
  wire: Uint8Array,
  layout: Layout,
  kept: number,
  records: number,
): boolean {
  if (kept === records) return false;
  const additionalAt = layout.answers + layout.authorities;
  if (kept < additionalAt) return true;
  if (layout.answers !== 0) return false;
  let left = MAX_COST;
  for (let i = kept; i < records; i++) {
    const type = typeOf(wire, layout, i);
    if (type !== RRType.A && type !== RRType.AAAA) continue;
    for (let ns = 0; ns < additionalAt; ns++) {
      if (left-- <= 0) return true;
      if (typeOf(wire, layout, ns) !== RRType.NS) continue;
      left -= NAME_COST;
      const target = layout.types[ns]! + 10;
      const end = recordsEnd(layout, ns + 1);
      if (skipName(wire, target, end) !== end) continue;
      if (equalNames(wire, layout.owners[i]!, wire, target)) return true;
    }
  }
  return false;
}

/** Moves a cut within the section `start`..`end` forward until no RRset has records on both sides of it. */
function wholeSets(
  wire: Uint8Array,
  layout: Layout,
  start: number,
  cut: number,
  end: number,
): number {
  let kept = cut;
  let left = MAX_COST;
  for (let i = cut - 1; i >= start; i--) {
    for (let j = kept; j < end; j++) {
      if (left-- <= 0) return start;
      if (!isSameKind(wire, layout, i, j)) continue;
      left -= NAME_COST;
      if (equalNames(wire, layout.owners[i]!, wire, layout.owners[j]!)) {
        kept = i;
        break;
      }
    }
  }
  return kept;
}

/** Whether two records of one owner belong together: to one RRset, or one is the RRSIG that covers the other (RFC 4035 3.1.1). */
function isSameKind(wire: Uint8Array, layout: Layout, i: number, j: number): boolean {
  if (coveredType(wire, layout, i) !== coveredType(wire, layout, j)) return false;
  const a = layout.types[i]!;
  const b = layout.types[j]!;
  return wire[a + 2] === wire[b + 2] && wire[a + 3] === wire[b + 3];
}

/** The type of a record or, for an RRSIG, of what it signs. */
function coveredType(wire: Uint8Array, layout: Layout, i: number): number {
  const type = typeOf(wire, layout, i);
  if (type !== RRType.RRSIG) return type;
  const rdata = layout.types[i]! + 10;
  return rdata + 2 <= recordsEnd(layout, i + 1) ? (wire[rdata]! << 8) | wire[rdata + 1]! : type;
}

function typeOf(wire: Uint8Array, layout: Layout, i: number): number {
  const at = layout.types[i]!;
  return (wire[at]! << 8) | wire[at + 1]!;
}
