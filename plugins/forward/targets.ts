// The TO arguments: what an operator writes for an upstream, and what it means.
import { existsSync } from 'node:fs';
import { isIP, isIPv4 } from 'node:net';
import { resolve } from 'node:path';
import { type SyntaxContext, ValueError } from '../../core/plugin.js';

/** How an upstream is spoken to. */
export type Scheme = 'dns' | 'tls' | 'https';

const DEFAULT_PORTS: Readonly<Record<Scheme, number>> = { dns: 53, tls: 853, https: 443 };

const WANT =
  'want IP[:PORT], tls://IP[%SERVERNAME][:PORT], https://IP[%SERVERNAME][:PORT][/PATH], a host name or a resolv.conf file';

/** Where servers answer unless told otherwise (RFC 8484 section 4.1.1 has it as its example, and all keep to it). */
const DEFAULT_PATH = '/dns-query';

/** One upstream with a numeric address; `address` has %zone for link-local ones. */
export interface AddressTarget {
  readonly kind: 'address';
  readonly scheme: Scheme;
  readonly address: string;
  readonly port: number;
  /** Name in its certificate when written behind the address, else ''. */
  readonly servername: string;
  /** Path over HTTPS when it is another than `/dns-query`. */
  readonly path?: string;
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
  readonly path?: string;
  readonly weight?: number;
}

export type Target = AddressTarget | FileTarget | NameTarget;

/** Address and port as metrics and messages show them: `192.0.2.1:53`, `[2001:db8::1]:853`. */
export function addressWithPort(target: AddressTarget): string {
  const host = target.address.includes(':') ? `[${target.address}]` : target.address;
  return `${host}:${target.port}`;
}

/** The same with its scheme where that is not plain DNS, and its path: `tls://192.0.2.1:853`, `https://192.0.2.1:443/other`. */
export function targetText(target: AddressTarget): string {
  return target.scheme === 'dns'
    ? addressWithPort(target)
    : `${target.scheme}://${addressWithPort(target)}${target.path ?? ''}`;
}

/** Where over HTTPS the upstream answers. */
export function pathOf(target: AddressTarget): string {
  return target.path ?? DEFAULT_PATH;
}

/** Gives an address of the host `from` what else was written for that. */
export function withPath(target: AddressTarget, from: NameTarget): AddressTarget {
  return from.path === undefined ? target : { ...target, path: from.path };
}

/** Reads one TO argument. Throws ValueError. */
export function parseTarget(text: string, context: SyntaxContext): Target {
  const [, prefix, rest] = /^(?:([a-z0-9]+):\/\/)?(.*)$/is.exec(text) as unknown as [
    string,
    string | undefined,
    string,
  ];
  const scheme = schemeOf(prefix);
  const slash = scheme === 'https' ? rest.indexOf('/') : -1;
  const path = slash < 0 ? DEFAULT_PATH : parsePath(rest.slice(slash), text);
  const { host, port } = splitPort(slash < 0 ? rest : rest.slice(0, slash), scheme);
  const percent = host.indexOf('%');
  const address = percent < 0 ? host : host.slice(0, percent);
  const zone = percent < 0 ? '' : host.slice(percent + 1);
  const ownPath = path === DEFAULT_PATH ? undefined : { path };
  if (isIP(address) !== 0) return { ...addressTarget(scheme, address, zone, port), ...ownPath };

  const file = resolve(context.root, rest);
  if (prefix === undefined && existsSync(file)) return { kind: 'file', path: file };
  if (isHostName(host)) return { kind: 'name', scheme, name: host, port, ...ownPath };
  throw new ValueError(WANT, 'is not an IP address, host name or file');
}

/** Path of an HTTPS upstream, which may be a template (RFC 8484 section 4.1): what it is without its variable. */
function parsePath(written: string, whole: string): string {
  const path = written.replace(/\{[?&]dns\}$/, '');
  if (path === '/') {
    throw ValueError.whole(
      `paths are not allowed in HTTPS upstream addresses unless they name something: "${whole}", want /dns-query or another one`,
    );
  }
  if (/^\/[\w.~!$&'()*+,;=:@%/?-]*$/.test(path)) return path;
  throw new ValueError(
    'want one such as /dns-query or /dns-query{?dns}',
    'has a path that is none',
  );
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
