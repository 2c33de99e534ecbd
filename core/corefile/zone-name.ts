// Zone names as the Corefile writes them: normalised names, and networks in CIDR notation as the reverse zones that cover them.
import { isIP } from 'node:net';
import { domainToASCII } from 'node:url';
import { formatName, NameError, parseName } from '../wire/name.js';
import { parseAddress } from '../wire/sockaddr.js';
import { ValueError } from './value-error.js';

/** Whole networks only: four octets or a colon, then a prefix length. RFC 2317 zones such as `0/27.2.0.192.in-addr.arpa` do not look like it. */
const LOOKS_LIKE_CIDR = /^(?:[\d.]+|[^/]*:[^/]*)\/[^/.]*$/;

/** `IP%zone`, white space and control characters never belong in a zone. */
const NOT_IN_A_NAME = /[\s\p{Cc}:]/u;

/**
 * The zones that `text` stands for, lower case with final dot: one for a name, one or several for a network, which is split at the next
 * octet (IPv4) or nibble (IPv6) boundary. Bits below the prefix are ignored.
 */
export function zonesOf(text: string): string[] {
  return LOOKS_LIKE_CIDR.test(text) ? reverseZones(text) : [normalizeZone(text)];
}

/** The name in lower case with final dot, escapes in their canonical form. */
export function normalizeZone(text: string): string {
  if (NOT_IN_A_NAME.test(text)) throw notAName('holds a character no zone has');
  const ascii = asciiOnly(text);
  if (ascii === '') throw notAName('is not ASCII');
  if (ascii !== text) throw new ValueError('', `is written "${ascii}" in DNS`);
  try {
    return formatName(parseName(text), 0).toLowerCase();
  } catch (error) {
    if (!(error instanceof NameError)) throw error;
    throw new ValueError(
      'want labels of 1 to 63 bytes, at most 255 bytes in all',
      'is not a domain name',
    );
  }
}

/** `10.0.0.0/24` is `0.0.10.in-addr.arpa.`; `10.0.0.0/27` is 32 zones of one address each. */
function reverseZones(text: string): string[] {
  const slash = text.indexOf('/');
  const address = text.slice(0, slash);
  const length = text.slice(slash + 1);
  const family = isIP(address);
  const bits = family === 4 ? 32 : 128;
  // CoreDNS refuses these two spellings of an IPv6 network as well.
  const isOdd = family === 6 && (address.startsWith(':') || address.startsWith('0'));
  if (family === 0 || address.includes('%') || isOdd || !/^\d{1,3}$/.test(length)) {
    throw notANetwork();
  }
  if (Number(length) > bits) throw notANetwork();
  return splitNetwork(parseAddress(address), Number(length));
}

/** All zones at the boundary at or below `prefix` in the network that `bytes` starts. */
function splitNetwork(bytes: Uint8Array, prefix: number): string[] {
  const isV4 = bytes.length === 4;
  const unit = isV4 ? 8 : 4;
  const digits = isV4 ? [...bytes] : [...bytes].flatMap((byte) => [byte >> 4, byte & 15]);
  const count = Math.ceil(prefix / unit);
  const kept = digits.slice(0, count);
  const free = count * unit - prefix;
  const first = free === 0 ? 0 : ((kept[count - 1] as number) >> free) << free;
  const zones: string[] = [];
  for (let i = 0; i < 2 ** free; i++) {
    const labels = free === 0 ? kept : [...kept.slice(0, -1), first + i];
    const text = labels.map((digit) => digit.toString(isV4 ? 10 : 16)).toReversed();
    zones.push(`${[...text, isV4 ? 'in-addr.arpa' : 'ip6.arpa'].join('.')}.`);
  }
  return zones;
}

/** What IDNA makes of a name (RFC 5890); the text itself when it is ASCII, '' when IDNA has no form of it. */
function asciiOnly(text: string): string {
  return /^\p{ASCII}*$/u.test(text) ? text : domainToASCII(text);
}

function notAName(problem: string): ValueError {
  return new ValueError('want a zone such as example.org', problem);
}

function notANetwork(): ValueError {
  return new ValueError(
    'want a network such as 10.0.0.0/24 or 2001:db8::/32',
    'is not a network in CIDR notation',
  );
}
