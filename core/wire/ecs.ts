// Hot path for queries with EDNS Client Subnet (RFC 7871): checking, masking and writing the option.
//
//   | code 8, 2 | length, 2 | family, 2 | source prefix length, 1 | scope prefix length, 1 | address, as many octets as the source needs |
import { EdnsOption } from './constants.js';
import { findOption, OPTION_BYTES, optionEnd } from './edns.js';

/** Address families (IANA address family numbers). NONE comes with a source prefix length of 0 only. */
export const EcsFamily = { NONE: 0, IPV4: 1, IPV6: 2 } as const;

/** Offsets from the option's code. */
export const EcsAt = { FAMILY: 4, SOURCE: 6, SCOPE: 7, ADDRESS: 8 } as const;

/** The longest option a query may carry, with code and length: a whole IPv6 address. */
export const MAX_ECS_BYTES = OPTION_BYTES + 20;

/** Bits of an address that are ever used. Those of IPv6 behind the network are the host's own and concern nobody (RFC 4291 2.5.4). */
export const MAX_SOURCE_IPV4 = 32;
export const MAX_SOURCE_IPV6 = 64;

/** Octets that hold any network we use. */
export const ECS_ADDRESS_BYTES = MAX_SOURCE_IPV6 / 8;

/**
 * Whether the option at `at` is one a query may carry (RFC 7871 6, 7.2.1): a known family whose addresses have that many bits, as many octets as the
 * prefix needs, no bits set beyond it, and a scope of 0.
 */
export function isEcsQuery(wire: Uint8Array, at: number): boolean {
  const length = (wire[at + 2]! << 8) | wire[at + 3]!;
  if (length < 4) return false;
  const source = wire[at + EcsAt.SOURCE]!;
  if (source > maxPrefix(ecsFamilyAt(wire, at))) return false;
  if (wire[at + EcsAt.SCOPE] !== 0 || length !== 4 + ((source + 7) >> 3)) return false;
  const spare = -source & 7;
  return spare === 0 || (wire[at + 3 + length]! & ((1 << spare) - 1)) === 0;
}

export function ecsFamilyAt(wire: Uint8Array, at: number): number {
  return (wire[at + EcsAt.FAMILY]! << 8) | wire[at + EcsAt.FAMILY + 1]!;
}

/** Writes the first `bits` bits of the address at `at` to `to`, and zeros behind them. */
export function maskAddress(from: Uint8Array, at: number, bits: number, to: Uint8Array): void {
  const whole = bits >> 3;
  for (let i = 0; i < ECS_ADDRESS_BYTES; i++) to[i] = i < whole ? from[at + i]! : 0;
  const rest = bits & 7;
  if (rest !== 0) to[whole] = from[at + whole]! & (0xff << (8 - rest));
}

/**
 * Whether others than those who use the network can know it: not private, shared, loopback, link-local, multicast, reserved (RFC 6890). Addresses
 * for documentation count as known, so that examples work.
 */
export function isPublic(family: number, address: Uint8Array): boolean {
  const first = address[0]!;
  // RFC 4291 2.4: global unicast is 2000::/3.
  if (family === EcsFamily.IPV6) return (first & 0xe0) === 0x20;
  const second = address[1]!;
  switch (first) {
    case 0:
    case 10:
    case 127:
      return false;
    case 100:
      return (second & 0xc0) !== 64;
    case 169:
      return second !== 254;
    case 172:
      return (second & 0xf0) !== 16;
    case 192:
      return second !== 168;
    default:
      return first < 224;
  }
}

/** Writes the option of a query at `at` and returns the offset just past it. `address` has nothing set beyond the prefix. */
export function writeEcs(
  out: Uint8Array,
  at: number,
  family: number,
  source: number,
  address: Uint8Array,
): number {
  const octets = (source + 7) >> 3;
  out[at] = EdnsOption.ECS >> 8;
  out[at + 1] = EdnsOption.ECS;
  out[at + 2] = 0;
  out[at + 3] = 4 + octets;
  out[at + EcsAt.FAMILY] = 0;
  out[at + EcsAt.FAMILY + 1] = family;
  out[at + EcsAt.SOURCE] = source;
  out[at + EcsAt.SCOPE] = 0;
  const start = at + EcsAt.ADDRESS;
  for (let i = 0; i < octets; i++) out[start + i] = address[i]!;
  return start + octets;
}

/**
 * Whether the option of a reply at `at` repeats that of the query at `queryAt`, the scope aside (RFC 7871 7.3). Where the query told no address, any
 * network may come back.
 */
export function isEcsReplyTo(
  query: Uint8Array,
  queryAt: number,
  wire: Uint8Array,
  at: number,
): boolean {
  if (query[queryAt + EcsAt.SOURCE] === 0) return true;
  const end = optionEnd(wire, at);
  if (end - at !== optionEnd(query, queryAt) - queryAt) return false;
  if (wire[at + EcsAt.SCOPE]! > maxPrefix(ecsFamilyAt(query, queryAt))) return false;
  const length = end - at;
  for (let i = OPTION_BYTES; i < length; i++) {
    if (i !== EcsAt.SCOPE && wire[at + i] !== query[queryAt + i]) return false;
  }
  return true;
}

/** The scope prefix length in the OPT record at `optOffset` of a reply, 0 when it has none (RFC 7871 7.3: then the reply is for everybody). */
export function ecsScopeOf(wire: Uint8Array, optOffset: number): number {
  const option = optOffset === 0 ? 0 : findOption(wire, optOffset, EdnsOption.ECS);
  if (option === 0 || optionEnd(wire, option) < option + EcsAt.ADDRESS) return 0;
  return wire[option + EcsAt.SCOPE]!;
}

/** Bits of an address; none for a family that is not known. */
function maxPrefix(family: number): number {
  if (family === EcsFamily.IPV4) return 32;
  if (family === EcsFamily.IPV6) return 128;
  return family === EcsFamily.NONE ? 0 : -1;
}
