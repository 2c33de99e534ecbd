// The TO arguments: what an operator writes for an upstream, and what it means.
import { existsSync } from 'node:fs';
import { isIP, isIPv4 } from 'node:net';
import { resolve } from 'node:path';
import { type SyntaxContext, ValueError } from '../../core/plugin.js';

/** How an upstream is spoken to. */
export type Scheme = 'dns' | 'tls' | 'https';

const DEFAULT_PORTS: Readonly<Record<Scheme, number>> = { dns: 53, tls: 853, https: 443 };

const WANT =
  'want IP[:PORT], tls://IP[%SERVERNAME][:PORT], https://IP[:PORT], a host name or a resolv.conf file';

/** One upstream with a numeric address; `address` has %zone for link-local ones. */
export interface AddressTarget {
  readonly kind: 'address';
  readonly scheme: Scheme;
  readonly address: string;
  readonly port: number;
  /** Name in its certificate when written behind the address, else ''. */
  readonly servername: string;
  /** When written behind it. */
  readonly weight?: number;
}

/** A file whose nameserver lines are upstreams. */
export interface FileTarget {
  readonly kind: 'file';
  readonly path: string;
  readonly weight?: number;
}

/** A host whose addresses are upstreams. */
export interface NameTarget {
  readonly kind: 'name';
  readonly scheme: Scheme;
  readonly name: string;
  readonly port: number;
  readonly weight?: number;
}

export type Target = AddressTarget | FileTarget | NameTarget;

/** Address and port as metrics and messages show them: `192.0.2.1:53`, `[2001:db8::1]:853`. */
export function addressWithPort(target: AddressTarget): string {
  const host = target.address.includes(':') ? `[${target.address}]` : target.address;
  return `${host}:${target.port}`;
}

/** The same with its scheme where that is not plain DNS: `tls://192.0.2.1:853`. */
export function targetText(target: AddressTarget): string {
  return target.scheme === 'dns'
    ? addressWithPort(target)
    : `${target.scheme}://${addressWithPort(target)}`;
}

/** Reads one TO argument. Throws ValueError. */
export function parseTarget(text: string, context: SyntaxContext): Target {
  const [, prefix, rest] = /^(?:([a-z0-9]+):\/\/)?(.*)$/is.exec(text) as unknown as [
    string,
    string | undefined,
    string,
  ];
  const scheme = schemeOf(prefix);
  if (scheme === 'https' && rest.includes('/')) {
    throw ValueError.whole(
      `paths are not allowed in HTTPS upstream addresses: "${text}", want https://IP[:PORT]`,
    );
  }
  const { host, port } = splitPort(rest, scheme);
  const percent = host.indexOf('%');
  const address = percent < 0 ? host : host.slice(0, percent);
  const zone = percent < 0 ? '' : host.slice(percent + 1);
  if (isIP(address) !== 0) return addressTarget(scheme, address, zone, port);

  const path = resolve(context.root, rest);
  if (prefix === undefined && existsSync(path)) return { kind: 'file', path };
  if (isHostName(host)) return { kind: 'name', scheme, name: host, port };
  throw new ValueError(WANT, 'is not an IP address, host name or file');
}

function schemeOf(prefix: string | undefined): Scheme {
  if (prefix === undefined) return 'dns';
  const scheme = prefix.toLowerCase();
  if (Object.hasOwn(DEFAULT_PORTS, scheme)) return scheme as Scheme;
  throw new ValueError('want dns://, tls:// or https://', 'has a scheme that is not supported');
}

/** `host:port`, `[address]:port`, or either without port. An IPv6 address without brackets has no port. */
function splitPort(text: string, scheme: Scheme): { host: string; port: number } {
  const bracketed = /^\[([^\]]*)\](?::(\d+))?$/.exec(text);
  if (bracketed !== null) return { host: bracketed[1] ?? '', port: portOf(bracketed[2], scheme) };
  const [before = ''] = text.split('%');
  const hasPort = /:\d+$/.test(text) && (isIP(before) !== 6 || before !== text);
  if (!hasPort) return { host: text, port: DEFAULT_PORTS[scheme] };
  const colon = text.lastIndexOf(':');
  return { host: text.slice(0, colon), port: portOf(text.slice(colon + 1), scheme) };
}

function portOf(digits: string | undefined, scheme: Scheme): number {
  if (digits === undefined) return DEFAULT_PORTS[scheme];
  const port = Number(digits);
  if (port < 1 || port > 65_535) throw new ValueError('want 1..65535', 'has a port out of range');
  return port;
}

/** What follows `%` names the certificate over TLS, and the interface of a link-local address without. */
function addressTarget(scheme: Scheme, address: string, zone: string, port: number): AddressTarget {
  if (scheme !== 'dns' && zone !== '' && !isServername(zone)) {
    throw new ValueError('want tls://IP%SERVERNAME', 'names no certificate');
  }
  if (scheme !== 'dns') return { kind: 'address', scheme, address, port, servername: zone };
  if (zone !== '' && isIPv4(address)) {
    throw new ValueError('want tls://IP%SERVERNAME', 'names a certificate without TLS');
  }
  const full = zone === '' ? address : `${address}%${zone}`;
  return { kind: 'address', scheme, address: full, port, servername: '' };
}

/** What a certificate can be for: a name or an address. */
export function isServername(text: string): boolean {
  return isIP(text) !== 0 || isHostName(text);
}

/** Letters, digits, hyphens and underscores; a name of digits alone is a mistyped address. */
function isHostName(text: string): boolean {
  const labels = text.replace(/\.$/, '').split('.');
  const isName = labels.every((label) => /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/i.test(label));
  return isName && text.length <= 253 && !/^\d+$/.test(labels[labels.length - 1] ?? '');
}
