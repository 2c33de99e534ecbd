// Server block keys: `[scheme://] zone-or-network [:port]`.
import { isIPv6 } from 'node:net';
import type { Scheme } from './model.js';
import { either, quote } from './problems.js';
import { hint } from './suggest.js';
import { ValueError } from './value-error.js';
import { zonesOf } from './zone-name.js';

/** Ports of RFC 7858, RFC 9250 and HTTPS; plain DNS takes the port of the command line. */
const DEFAULT_PORTS: Readonly<Record<Exclude<Scheme, 'dns'>, number>> = {
  tls: 853,
  quic: 853,
  grpc: 443,
  https: 443,
  https3: 443,
};

const SCHEMES: readonly Scheme[] = ['dns', 'tls', 'quic', 'grpc', 'https', 'https3'];
const MAX_PORT = 65535;

export interface Key {
  readonly scheme: Scheme;
  readonly zones: readonly string[];
  readonly port: number;
}

/** Reads one key. `defaultPort` is for `dns` keys without a port. Throws ValueError. */
export function parseKey(text: string, defaultPort: number): Key {
  const [scheme, address] = splitScheme(text);
  const [zone, port] = splitPort(address);
  if (zone === '') throw new ValueError('want ZONE[:PORT] such as .:53', 'has no zone');
  return {
    scheme,
    zones: zonesOf(zone),
    port: port ?? (scheme === 'dns' ? defaultPort : DEFAULT_PORTS[scheme]),
  };
}

/** The zones of a ZONES argument: a scheme and a port are allowed there and mean nothing, as in CoreDNS. Throws ValueError. */
export function zonesOfArgument(text: string): readonly string[] {
  return parseKey(text, 0).zones;
}

function splitScheme(text: string): [Scheme, string] {
  const end = text.indexOf('://');
  if (end === -1) return ['dns', text];
  const name = text.slice(0, end).toLowerCase();
  const scheme = SCHEMES.find((known) => known === name);
  if (scheme === undefined) {
    throw ValueError.whole(
      `unknown scheme ${quote(name)}${hint(name, SCHEMES) || `, want ${either(SCHEMES)}`}`,
    );
  }
  return [scheme, text.slice(end + 3)];
}

/** The port is what follows the last colon; the prefix length of an IPv6 network keeps its colons from being taken for one. */
function splitPort(text: string): [string, number | undefined] {
  const colon = text.lastIndexOf(':');
  if (colon === -1 || text.slice(colon).includes('/')) return [text, undefined];
  if (isIPv6(text) || /^\[.*\]/.test(text)) {
    throw new ValueError('want a zone here and the address in "bind"', 'is an address');
  }
  const port = text.slice(colon + 1);
  if (port === '') throw new ValueError('want a port after it', 'ends in a colon');
  if (!/^\d+$/.test(port) || Number(port) > MAX_PORT) {
    throw ValueError.whole(`${quote(port)} is not a port, want 0..${MAX_PORT}`);
  }
  return [text.slice(0, colon), Number(port)];
}
