// Socket addresses as Linux lays them out (sockaddr_in, sockaddr_in6) and as text (RFC 5952). IPv4-mapped IPv6 reads as IPv4.
import { isIPv4, isIPv6 } from 'node:net';

const AF_INET = 2;
const AF_INET6 = 10;

/** Offsets within sockaddr_in and sockaddr_in6; the port is at the same place in both. */
const PORT_AT = 2;
const V4_AT = 4;
const V6_AT = 8;
const SCOPE_AT = 24;

/** Bytes of sockaddr_in and sockaddr_in6. */
const V4_BYTES = 16;
const V6_BYTES = 28;

/** Text that is no numeric address. */
export class AddressError extends Error {}

/** The address as text without port; IPv6 compressed, with `%N` for a scope id. '' for another family. Allocates. */
export function addressText(a: Uint8Array): string {
  const family = familyNumber(a);
  if (family === AF_INET && a.length >= V4_AT + 4) return v4Text(a, V4_AT);
  if (family !== AF_INET6 || a.length < SCOPE_AT + 4) return '';
  if (isMapped(a)) return v4Text(a, V6_AT + 12);
  const scope = scopeOf(a);
  return scope === 0 ? v6Text(a, V6_AT) : `${v6Text(a, V6_AT)}%${scope}`;
}

/** The port, 0 for a family other than IPv4 and IPv6. */
export function portOf(a: Uint8Array): number {
  const family = familyNumber(a);
  if (family !== AF_INET && family !== AF_INET6) return 0;
  return (a[PORT_AT]! << 8) | a[PORT_AT + 1]!;
}

/** 4 or 6, as the address reads: an IPv4-mapped IPv6 address is 4. 0 for another family. */
export function familyOf(a: Uint8Array): 4 | 6 | 0 {
  const family = familyNumber(a);
  if (family === AF_INET) return 4;
  if (family !== AF_INET6) return 0;
  return isMapped(a) ? 4 : 6;
}

/** Offset of the address bytes within the socket address: 4 of them when `familyOf` is 4, else 16. */
export function addressOffset(a: Uint8Array): number {
  if (familyNumber(a) === AF_INET) return V4_AT;
  return isMapped(a) ? V6_AT + 12 : V6_AT;
}

/** Copies a socket address, as many bytes as its family has; both are 28 bytes long. */
export function copySockaddr(from: Uint8Array, to: Uint8Array): void {
  const bytes = familyNumber(from) === AF_INET ? V4_BYTES : V6_BYTES;
  for (let i = 0; i < bytes; i++) to[i] = from[i]!;
}

/**
 * Writes `address` and `port` to `out`, 28 bytes, and returns how many of them count: 16 for IPv4, 28 for IPv6. A zone (`%N`) must be a
 * numeric scope id. Throws AddressError.
 */
export function writeSockaddr(out: Uint8Array, address: string, port: number): number {
  const bytes = parseAddress(address);
  out.fill(0, 0, V6_BYTES);
  out[PORT_AT] = port >> 8;
  out[PORT_AT + 1] = port & 255;
  if (bytes.length === 4) {
    out[0] = AF_INET;
    out.set(bytes, V4_AT);
    return V4_BYTES;
  }
  out[0] = AF_INET6;
  out.set(bytes, V6_AT);
  const scope = scopeId(address);
  for (let i = 0; i < 4; i++) out[SCOPE_AT + i] = (scope >>> (8 * i)) & 255;
  return V6_BYTES;
}

/** The 4 or 16 bytes of a numeric address; a zone is left out. Throws AddressError. Allocates. */
export function parseAddress(text: string): Uint8Array<ArrayBuffer> {
  if (isIPv4(text)) return Uint8Array.from(text.split('.'), Number);
  if (!isIPv6(text)) throw new AddressError(`"${text}" is not an IP address`);
  const bytes = new Uint8Array(16);
  const [head = '', tail] = withoutZone(text).split('::');
  fillGroups(bytes, 0, head);
  if (tail !== undefined) fillGroups(bytes, 16 - groupBytes(tail), tail);
  return bytes;
}

function familyNumber(a: Uint8Array): number {
  return a.length < 8 ? 0 : a[0]! | (a[1]! << 8);
}

function isMapped(a: Uint8Array): boolean {
  if (a.length < V6_AT + 16) return false;
  for (let i = V6_AT; i < V6_AT + 10; i++) if (a[i] !== 0) return false;
  return a[V6_AT + 10] === 0xff && a[V6_AT + 11] === 0xff;
}

function scopeOf(a: Uint8Array): number {
  const low = a[SCOPE_AT]! | (a[SCOPE_AT + 1]! << 8) | (a[SCOPE_AT + 2]! << 16);
  return low + a[SCOPE_AT + 3]! * 0x1000000;
}

/** Four bytes as text. */
export function v4Text(a: Uint8Array, at: number): string {
  return `${a[at]}.${a[at + 1]}.${a[at + 2]}.${a[at + 3]}`;
}

/** Sixteen bytes as text (RFC 5952 section 4): lower-case hexadecimal, no leading zeros, the first longest run of two or more zero groups as `::`. */
export function v6Text(a: Uint8Array, at: number): string {
  let zerosAt = -1;
  let zeros = 1;
  for (let i = 0; i < 8; i++) {
    let run = 0;
    while (i + run < 8 && group(a, at, i + run) === 0) run++;
    if (run > zeros) {
      zerosAt = i;
      zeros = run;
    }
    i += run;
  }
  let text = '';
  for (let i = 0; i < 8; i++) {
    if (i === zerosAt) {
      text += '::';
      i += zeros - 1;
    } else {
      if (text !== '' && !text.endsWith(':')) text += ':';
      text += group(a, at, i).toString(16);
    }
  }
  return text;
}

function group(a: Uint8Array, at: number, i: number): number {
  return (a[at + 2 * i]! << 8) | a[at + 2 * i + 1]!;
}

function withoutZone(text: string): string {
  const percent = text.indexOf('%');
  return percent < 0 ? text : text.slice(0, percent);
}

function scopeId(text: string): number {
  const percent = text.indexOf('%');
  if (percent < 0) return 0;
  const zone = text.slice(percent + 1);
  const scope = Number(zone);
  if (!/^\d+$/.test(zone) || scope > 0xffffffff) {
    throw new AddressError(`zone "${zone}" of "${text}" is not a number, want %N`);
  }
  return scope;
}

/** Bytes that colon-separated groups stand for: two each, four for a dotted IPv4 tail. */
function groupBytes(groups: string): number {
  if (groups === '') return 0;
  return groups.split(':').reduce((bytes, text) => bytes + (text.includes('.') ? 4 : 2), 0);
}

function fillGroups(bytes: Uint8Array, start: number, groups: string): void {
  if (groups === '') return;
  let at = start;
  for (const text of groups.split(':')) {
    if (text.includes('.')) {
      for (const octet of text.split('.')) bytes[at++] = Number(octet);
    } else {
      const value = Number.parseInt(text, 16);
      bytes[at++] = value >> 8;
      bytes[at++] = value & 255;
    }
  }
}
