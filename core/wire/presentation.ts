// Records as text, as a zone file has them (RFC 1035 5.1); rdata of an unknown type, or malformed, in the form of RFC 3597 section 5. Allocates.
import { className, RRType, typeName } from './constants.js';
import { Layout, scanMessage } from './layout.js';
import { formatName, MALFORMED_NAME, skipName } from './name.js';
import { v4Text, v6Text } from './sockaddr.js';

/** A record of a message. */
export interface PresentedRecord {
  readonly section: 'answer' | 'authority' | 'additional';
  readonly owner: string;
  readonly ttl: number;
  readonly rrclass: string;
  readonly type: string;
  readonly rdata: string;
}

/**
 * What rdata is made of, a letter a field: n name, b s l numbers of 8, 16 and 32 bits, 4 6 addresses, T type, d time, c string, t strings to the end,
 * a tag, and, to the end, v text, h hex, B base64, N types; x hex and i base32hex with a length in front.
 */
const FIELDS: ReadonlyMap<number, string> = new Map([
  [RRType.A, '4'],
  [RRType.NS, 'n'],
  [RRType.CNAME, 'n'],
  [RRType.SOA, 'nnlllll'],
  [RRType.PTR, 'n'],
  [RRType.HINFO, 'cc'],
  [RRType.MX, 'sn'],
  [RRType.TXT, 't'],
  [RRType.RP, 'nn'],
  [RRType.AFSDB, 'sn'],
  [RRType.AAAA, '6'],
  [RRType.SRV, 'sssn'],
  [RRType.NAPTR, 'sscccn'],
  [RRType.KX, 'sn'],
  [RRType.CERT, 'ssbB'],
  [RRType.DNAME, 'n'],
  [RRType.DS, 'sbbh'],
  [RRType.SSHFP, 'bbh'],
  [RRType.RRSIG, 'TbblddsnB'],
  [RRType.NSEC, 'nN'],
  [RRType.DNSKEY, 'sbbB'],
  [RRType.DHCID, 'B'],
  [RRType.NSEC3, 'bbsxiN'],
  [RRType.NSEC3PARAM, 'bbsx'],
  [RRType.TLSA, 'bbbh'],
  [RRType.SMIMEA, 'bbbh'],
  [RRType.CDS, 'sbbh'],
  [RRType.CDNSKEY, 'sbbB'],
  [RRType.OPENPGPKEY, 'B'],
  [RRType.ZONEMD, 'lbbh'],
  [RRType.SPF, 't'],
  [RRType.URI, 'ssv'],
  [RRType.CAA, 'bav'],
]);

const BASE32HEX = '0123456789abcdefghijklmnopqrstuv';

/** Every record of a message but OPT, in order; none when it is malformed. */
export function presentRecords(wire: Uint8Array, length: number): PresentedRecord[] {
  const layout = new Layout();
  scanMessage(wire, length, layout);
  if (!layout.isValid) return [];
  const records: PresentedRecord[] = [];
  for (let i = 0; i < layout.count; i++) {
    const [owner, at] = [layout.owners[i]!, layout.types[i]!];
    if (owner === layout.optOffset) continue;
    const view = new DataView(wire.buffer, wire.byteOffset + at);
    const type = view.getUint16(0);
    records.push({
      section: sectionOf(layout, i),
      owner: formatName(wire, owner),
      ttl: view.getUint32(4),
      rrclass: className(view.getUint16(2)),
      type: typeName(type),
      rdata: formatRdata(wire, type, at + 10, at + 10 + view.getUint16(8)),
    });
  }
  return records;
}

/** The rdata from `at` to `end` of a message, whose names may be compressed. */
export function formatRdata(wire: Uint8Array, type: number, at: number, end: number): string {
  const fields = FIELDS.get(type);
  const text = fields === undefined ? undefined : new Rdata(wire, at, end).text(fields);
  if (text !== undefined) return text;
  const bytes = Buffer.from(wire.subarray(at, end));
  return `\\# ${bytes.length}${bytes.length === 0 ? '' : ` ${bytes.toString('hex')}`}`;
}

function sectionOf({ answers, authorities }: Layout, i: number): PresentedRecord['section'] {
  if (i < answers) return 'answer';
  return i < answers + authorities ? 'authority' : 'additional';
}

/** Reads rdata field by field. */
class Rdata {
  readonly #wire: Uint8Array;
  readonly #end: number;
  #at: number;

  constructor(wire: Uint8Array, at: number, end: number) {
    this.#wire = wire;
    this.#at = at;
    this.#end = end;
  }

  /** All fields with a space between them; undefined when they are not what is there. */
  text(fields: string): string | undefined {
    const texts: string[] = [];
    for (const field of fields) {
      const text = this.#field(field);
      if (text === undefined) return undefined;
      if (text !== '') texts.push(text);
    }
    return this.#at === this.#end ? texts.join(' ') : undefined;
  }

  #field(field: string): string | undefined {
    switch (field) {
      case 'n':
        return this.#name();
      case 'b':
        return this.#number(1)?.toString();
      case 's':
        return this.#number(2)?.toString();
      case 'l':
        return this.#number(4)?.toString();
      case 'T':
        return this.#type();
      case 'd':
        return this.#time();
      case '4':
        return this.#address(4);
      case '6':
        return this.#address(16);
      case 'c':
        return this.#string(true);
      case 'a':
        return this.#string(false);
      case 't':
        return this.#strings();
      case 'x':
        return this.#prefixed((bytes) => bytes.toString('hex') || '-');
      case 'i':
        return this.#prefixed(base32hex);
      case 'N':
        return this.#types();
      default:
        return this.#rest(field);
    }
  }

  #take(bytes: number): Buffer | undefined {
    const from = this.#at;
    if (from + bytes > this.#end) return undefined;
    this.#at += bytes;
    return Buffer.from(this.#wire.subarray(from, from + bytes));
  }

  #number(bytes: number): number | undefined {
    return this.#take(bytes)?.readUIntBE(0, bytes);
  }

  #name(): string | undefined {
    const from = this.#at;
    const next = skipName(this.#wire, from, this.#end);
    if (next < 0) return undefined;
    this.#at = next;
    const name = formatName(this.#wire, from);
    return name === MALFORMED_NAME ? undefined : name;
  }

  #type(): string | undefined {
    const type = this.#number(2);
    return type === undefined ? undefined : typeName(type);
  }

  /** RFC 4034 3.2: YYYYMMDDHHmmSS. */
  #time(): string | undefined {
    const seconds = this.#number(4);
    if (seconds === undefined) return undefined;
    return new Date(seconds * 1000).toISOString().slice(0, 19).replace(/[-T:]/g, '');
  }

  #address(bytes: number): string | undefined {
    const taken = this.#take(bytes);
    if (taken === undefined) return undefined;
    return bytes === 4 ? v4Text(taken, 0) : v6Text(taken, 0);
  }

  #prefixed(write: (bytes: Buffer) => string): string | undefined {
    const length = this.#number(1);
    const bytes = length === undefined ? undefined : this.#take(length);
    return bytes === undefined ? undefined : write(bytes);
  }

  #string(isQuoted: boolean): string | undefined {
    return this.#prefixed((bytes) => (isQuoted ? quoted(bytes) : escaped(bytes)));
  }

  #strings(): string | undefined {
    const texts: string[] = [];
    do {
      const text = this.#string(true);
      if (text === undefined) return undefined;
      texts.push(text);
    } while (this.#at < this.#end);
    return texts.join(' ');
  }

  /** RFC 4034 4.1.2: windows of up to 32 bytes, the first bit of each being the lowest type. */
  #types(): string | undefined {
    const names: string[] = [];
    while (this.#at < this.#end) {
      const window = this.#number(1);
      const length = this.#number(1);
      const bits = window === undefined || length === undefined ? undefined : this.#take(length);
      if (bits === undefined) return undefined;
      for (let i = 0; i < bits.length * 8; i++) {
        if ((bits[i >> 3]! & (0x80 >> (i & 7))) !== 0) names.push(typeName(window! * 256 + i));
      }
    }
    return names.join(' ');
  }

  #rest(field: string): string | undefined {
    const bytes = this.#take(this.#end - this.#at);
    if (bytes === undefined || field === 'v') return bytes && quoted(bytes);
    return bytes.toString(field === 'h' ? 'hex' : 'base64');
  }
}

function quoted(bytes: Buffer): string {
  return `"${escaped(bytes)}"`;
}

/** RFC 1035 5.1: `\DDD` for what is not printable. */
function escaped(bytes: Buffer): string {
  let text = '';
  for (const byte of bytes) {
    const char = String.fromCharCode(byte);
    if (byte < 0x20 || byte > 0x7e) text += `\\${String(byte).padStart(3, '0')}`;
    else text += char === '"' || char === '\\' ? `\\${char}` : char;
  }
  return text;
}

/** RFC 4648 section 7 without padding. */
function base32hex(bytes: Buffer): string {
  let text = '';
  let bits = 0;
  let held = 0;
  for (const byte of bytes) {
    held = (held << 8) | byte;
    bits += 8;
    for (; bits >= 5; bits -= 5) text += BASE32HEX[(held >> (bits - 5)) & 31];
    held &= (1 << bits) - 1;
  }
  return bits === 0 ? text : text + BASE32HEX[(held << (5 - bits)) & 31];
}
