// Endpoints as socket addresses and back, with interface names as zones. For opening sockets and the dgram twin, not for the batched path.
import { networkInterfaces } from 'node:os';
import { addressText, parseAddress, portOf, writeSockaddr } from '../wire/sockaddr.js';
import { loadLibc } from './libc.js';
import type { Endpoint } from './sockets.js';

/** Room for either kind of socket address: that of sockaddr_in6. */
export const SOCKADDR_BYTES = 28;
export const SOCKADDR4_BYTES = 16;

/** 4 or 6; throws AddressError when `address` is not a numeric address. */
export function familyOf(address: string): 4 | 6 {
  return parseAddress(address).length === 4 ? 4 : 6;
}

/** True for 0.0.0.0 and ::, in any spelling. */
export function isWildcard(address: string): boolean {
  return parseAddress(address).every((byte) => byte === 0);
}

/** `endpoint` as a socket address of its family's length: 16 or 28 bytes. Throws AddressError on a bad address or an unknown zone. */
export function addressBytes(endpoint: Endpoint): Uint8Array {
  const bytes = new Uint8Array(SOCKADDR_BYTES);
  return bytes.subarray(0, encodeAddress(endpoint, bytes));
}

/** Writes `endpoint` to the 28 bytes of `into` and returns how many count for its family. Throws like `addressBytes`. */
export function encodeAddress(endpoint: Endpoint, into: Uint8Array): number {
  const { address, port } = endpoint;
  const percent = address.indexOf('%');
  if (percent < 0) return writeSockaddr(into, address, port);
  const scope = zoneIndex(address.slice(percent + 1));
  return writeSockaddr(into, `${address.slice(0, percent)}%${scope}`, port);
}

/** The reverse of `encodeAddress`; undefined when `bytes` holds no address (family 0). */
export function decodeAddress(bytes: Uint8Array): Endpoint | undefined {
  const text = addressText(bytes);
  if (text === '') return undefined;
  const percent = text.indexOf('%');
  const address =
    percent < 0 ? text : text.slice(0, percent + 1) + zoneName(text.slice(percent + 1));
  return { address, port: portOf(bytes) };
}

/** The address as Node's sockets take it: they want the name of an interface, not its number. */
export function addressForNode(address: string): string {
  return address.replace(/%(\d+)$/, (_zone, scope: string) => `%${zoneName(scope)}`);
}

/** `192.0.2.1:53` or `[2001:db8::1]:53`. */
export function endpointText(endpoint: Endpoint): string {
  const { address, port } = endpoint;
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

/** The interface number of a zone given as a number or a name; a name nobody has comes back as it is. */
function zoneIndex(zone: string): string {
  if (/^\d+$/.test(zone)) return zone;
  const result = loadLibc();
  if ('libc' in result) return String(result.libc.if_nametoindex(zone) || zone);
  for (const address of networkInterfaces()[zone] ?? []) {
    if (address.family === 'IPv6' && address.scopeid !== 0) return String(address.scopeid);
  }
  return zone;
}

/** Node's sockets want the interface's name. */
function zoneName(scope: string): string {
  for (const [name, addresses] of Object.entries(networkInterfaces())) {
    if (addresses?.some((a) => a.family === 'IPv6' && String(a.scopeid) === scope)) return name;
  }
  return scope;
}
