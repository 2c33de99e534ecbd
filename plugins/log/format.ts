// Formats of query lines: text with {placeholders}, compiled once into a list of functions.
import {
  addressText,
  className,
  type Query,
  type Reply,
  rcodeName,
  Transport,
  typeName,
} from '../../core/plugin.js';

/** Written where a value is missing. */
const MISSING = '-';

const COMMON =
  '{remote}:{port} - {>id} "{type} {class} {name} {proto} {size} {>do} {>bufsize}" {rcode} {>rflags} {rsize} {duration}';
const COMBINED = `${COMMON} "{>opcode}"`;

/** What a client can take that did not say (RFC 1035 2.3.4), or over a stream (RFC 1035 4.2.2). */
const PLAIN_UDP_BYTES = 512;
const STREAM_BYTES = 65_535;

/** Header flags in the order of their bits, from QR down (RFC 1035 4.1.1, RFC 4035). The opcode's bits have no name. */
const FLAGS: readonly (readonly [number, string])[] = [
  [0x8000, 'qr'],
  [0x0400, 'aa'],
  [0x0200, 'tc'],
  [0x0100, 'rd'],
  [0x0080, 'ra'],
  [0x0040, 'z'],
  [0x0020, 'ad'],
  [0x0010, 'cd'],
];

/** Gives the line for a query and the reply that was sent. Allocates strings: call it only for lines that are written. */
export type Format = (q: Query, reply: Reply) => string;

/** `servers` are the process's listeners as services have them: they name the local address where the query itself does not. */
export function compileFormat(text: string, servers: readonly string[]): Format {
  const values = valuesOf(servers.map(localText));
  const full = text.replaceAll('{common}', COMMON).replaceAll('{combined}', COMBINED);
  const pieces: Format[] = [];
  let literal = '';
  for (const part of full.split(/(\{[^{}]*\})/)) {
    const value = part.startsWith('{/') ? missing : values.get(part);
    if (value === undefined) {
      literal += part;
      continue;
    }
    if (literal !== '') pieces.push(constant(literal));
    literal = '';
    pieces.push(value);
  }
  if (literal !== '') pieces.push(constant(literal));
  return function line(q, reply) {
    let text = '';
    for (let i = 0; i < pieces.length; i++) text += (pieces[i] as Format)(q, reply);
    return text;
  };
}

function constant(text: string): Format {
  return () => text;
}

function missing(): string {
  return MISSING;
}

function valuesOf(locals: readonly string[]): ReadonlyMap<string, Format> {
  return new Map<string, Format>([
    ['{type}', (q) => typeName(q.qtype)],
    ['{class}', (q) => className(q.qclass)],
    ['{name}', (q) => q.qname.toLowerCase()],
    ['{proto}', (q) => (q.transport === Transport.UDP ? 'udp' : 'tcp')],
    ['{remote}', (q) => bracketed(q.clientAddress)],
    ['{port}', (q) => String(q.clientPort)],
    ['{local}', (q) => bracketed(addressText(q.local) || (locals[q.server] ?? ''))],
    ['{size}', (q) => String(q.length)],
    ['{rcode}', (_, reply) => rcodeName(reply.rcode)],
    ['{rsize}', (_, reply) => String(reply.length)],
    ['{duration}', (q) => seconds(q.repliedMs - q.receivedMs)],
    ['{>id}', (q) => String(q.id)],
    ['{>opcode}', (q) => String(q.opcode)],
    ['{>do}', (q) => String(q.dnssecOk)],
    ['{>bufsize}', (q) => String(advertisedBytes(q))],
    ['{>rflags}', (_, reply) => flagNames(reply)],
  ]);
}

/** The address of a listener written `dns://127.0.0.1:53` or `dns://[::1]:53`, without brackets; '' for every address. */
function localText(server: string): string {
  return /^\w+:\/\/\[?(.*?)\]?:\d+$/.exec(server)?.[1] ?? '';
}

function bracketed(address: string): string {
  if (address === '') return MISSING;
  return address.includes(':') ? `[${address}]` : address;
}

/** Plain decimals, never an exponent; down to nanoseconds without trailing zeros. */
function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(9).replace(/\.?0+$/, '')}s`;
}

/** As the OPT record has it (RFC 6891 6.1.2: in place of the class), not as limited for this server's replies. */
function advertisedBytes(q: Query): number {
  if (q.transport !== Transport.UDP) return STREAM_BYTES;
  if (q.optOffset === 0) return PLAIN_UDP_BYTES;
  const high = q.wire[q.optOffset + 3] as number;
  return Math.max(PLAIN_UDP_BYTES, (high << 8) | (q.wire[q.optOffset + 4] as number));
}

function flagNames(reply: Reply): string {
  const flags = ((reply.wire[2] as number) << 8) | (reply.wire[3] as number);
  return FLAGS.filter(([bit]) => (flags & bit) !== 0)
    .map(([, name]) => name)
    .join(',');
}
