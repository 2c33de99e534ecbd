// Where names stand in rdata: the types whose names may be compressed on the wire (RFC 1035 3.3, RFC 3597 section 4).
import { RRType } from './constants.js';
import { MAX_LABEL_BYTES } from './name.js';

/** Per type below 40: bytes before the first name, shifted by two, and how many names stand there one after another. */
const SHAPES = shapes();

/** The last of the types of RFC 1035, the only ones whose rdata a sender may compress (RFC 3597 section 4). */
const LAST_COMPRESSIBLE: number = RRType.MX;

/** How many names the rdata of a type holds that may be compressed; 0 for a type that holds none or whose names never are. */
export function rdataNames(type: number): number {
  return type < SHAPES.length ? SHAPES[type]! & 3 : 0;
}

/** Whether the names in the rdata of a type may be written compressed. */
export function isCompressible(type: number): boolean {
  return type <= LAST_COMPRESSIBLE && rdataNames(type) !== 0;
}

/** Offset of the first such name in rdata that starts at `at` and ends at `end`, or -1. */
export function firstRdataName(wire: Uint8Array, type: number, at: number, end: number): number {
  let pos = at + (SHAPES[type]! >> 2);
  if (type === RRType.NAPTR) {
    // Flags, services and regexp are character strings between the numbers and the name (RFC 3403 4.1).
    for (let i = 0; i < 3 && pos < end; i++) pos += wire[pos]! + 1;
  }
  return pos < end ? pos : -1;
}

/**
 * Sets right the compression pointers of one record after `removed` bytes at `gap` were taken out of the message before it. The record, already
 * at its new place, has its owner at `owner`, its TYPE at `typeAt` and ends at `end`. False when it is malformed or points into what was removed.
 */
export function shiftPointers(
  wire: Uint8Array,
  owner: number,
  typeAt: number,
  end: number,
  gap: number,
  removed: number,
): boolean {
  if (shiftName(wire, owner, typeAt, gap, removed) < 0) return false;
  const type = (wire[typeAt]! << 8) | wire[typeAt + 1]!;
  const names = rdataNames(type);
  if (names === 0) return true;
  let pos = firstRdataName(wire, type, typeAt + 10, end);
  for (let i = 0; i < names; i++) {
    if (pos < 0) return false;
    pos = shiftName(wire, pos, end, gap, removed);
  }
  return pos >= 0;
}

/** Offset just past the name, or -1. */
function shiftName(
  wire: Uint8Array,
  offset: number,
  end: number,
  gap: number,
  removed: number,
): number {
  let pos = offset;
  while (pos < end) {
    const octet = wire[pos]!;
    if (octet === 0) return pos + 1;
    if (octet >= 0xc0) {
      if (pos + 2 > end) return -1;
      const target = ((octet & 0x3f) << 8) | wire[pos + 1]!;
      if (target >= gap) {
        const moved = target - removed;
        if (moved < gap) return -1;
        wire[pos] = 0xc0 | (moved >> 8);
        wire[pos + 1] = moved & 255;
      }
      return pos + 2;
    }
    if (octet > MAX_LABEL_BYTES) return -1;
    pos += octet + 1;
  }
  return -1;
}

function shapes(): Uint8Array {
  const table = new Uint8Array(40);
  // NS MD MF CNAME MB MG MR PTR NXT DNAME: a name first.
  for (const type of [2, 3, 4, 5, 7, 8, 9, 12, 30, 39]) table[type] = 1;
  // SOA MINFO RP: two names first.
  for (const type of [6, 14, 17]) table[type] = 2;
  // MX AFSDB RT KX: a name after a preference.
  for (const type of [15, 18, 21, 36]) table[type] = (2 << 2) | 1;
  table[RRType.SIG] = (18 << 2) | 1;
  // PX: two names after a preference.
  table[26] = (2 << 2) | 2;
  table[RRType.SRV] = (6 << 2) | 1;
  table[RRType.NAPTR] = (4 << 2) | 1;
  return table;
}
