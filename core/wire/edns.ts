// Hot path. The OPT record (RFC 6891): finding options in one, writing one.
import { RRType } from './constants.js';

/** Bytes of an OPT record without options: root owner, type, payload size, extended rcode, version, flags, RDLENGTH. */
export const OPT_BYTES = 11;

/** Bytes of an option before its data: code and length. */
export const OPTION_BYTES = 4;

/** The payload size we advertise: what passes unfragmented over any IPv6 path (RFC 9715 appendix A, DNS flag day 2020). */
export const ADVERTISED_UDP_BYTES = 1232;

/** Writes an OPT record without options at `at`, 11 bytes, version 0. The upper 8 bits of `rcode` go into it (RFC 6891 6.1.3). */
export function writeOpt(
  out: Uint8Array,
  at: number,
  udpSize: number,
  rcode: number,
  dnssecOk: boolean,
): void {
  out[at] = 0;
  out[at + 1] = 0;
  out[at + 2] = RRType.OPT;
  out[at + 3] = udpSize >> 8;
  out[at + 4] = udpSize & 255;
  out[at + 5] = rcode >> 4;
  out[at + 6] = 0;
  out[at + 7] = dnssecOk ? 0x80 : 0;
  out[at + 8] = 0;
  out[at + 9] = 0;
  out[at + 10] = 0;
}

/** Offset just past the OPT record at `optOffset`, which must have been bounds-checked (`accept`, `scanMessage`). */
export function optEnd(wire: Uint8Array, optOffset: number): number {
  return optOffset + OPT_BYTES + ((wire[optOffset + 9]! << 8) | wire[optOffset + 10]!);
}

/** The upper 8 bits of the rcode that the OPT record at `optOffset` carries, already shifted to their place. */
export function extendedRcode(wire: Uint8Array, optOffset: number): number {
  return wire[optOffset + 5]! << 4;
}

/**
 * Offset of the code of the first option `code` in the OPT record at `optOffset`, from `after` on when that is given (the end of the
 * option found before); 0 when there is none. Options that do not fit the record end the search.
 */
export function findOption(
  wire: Uint8Array,
  optOffset: number,
  code: number,
  after = optOffset + OPT_BYTES,
): number {
  const end = Math.min(optEnd(wire, optOffset), wire.length);
  let pos = after;
  while (pos + OPTION_BYTES <= end) {
    const next = optionEnd(wire, pos);
    if (next > end) return 0;
    if (((wire[pos]! << 8) | wire[pos + 1]!) === code) return pos;
    pos = next;
  }
  return 0;
}

/** Offset just past the option whose code is at `at`. */
export function optionEnd(wire: Uint8Array, at: number): number {
  return at + OPTION_BYTES + ((wire[at + 2]! << 8) | wire[at + 3]!);
}
