// Reads messages for the checker: written apart from the server's own reader, so that both are not wrong in the same way.
import { foldByte } from './names.js';

const HEADER_BYTES = 12;
const MAX_POINTERS = 64;
const OPT = 41;

export interface ReadRr {
  readonly section: number;
  /** Lower case, in wire form. */
  readonly owner: Buffer;
  readonly type: number;
  readonly ttl: number;
  readonly dataAt: number;
  readonly dataEnd: number;
}

export interface ReadOpt {
  readonly dnssec: boolean;
  readonly version: number;
  readonly options: readonly { readonly code: number; readonly data: Buffer }[];
}

export interface ReadMessage {
  readonly id: number;
  readonly flags: number;
  readonly questionEnd: number;
  readonly rrs: readonly ReadRr[];
  readonly opts: readonly ReadOpt[];
}

/** Reads a whole message with one question; throws an Error that says what is wrong with it. */
export function readMessage(wire: Buffer): ReadMessage {
  if (wire.length < HEADER_BYTES) throw new Error('shorter than a header');
  if (wire.readUInt16BE(4) !== 1) throw new Error('not one question');
  let at = skipName(wire, HEADER_BYTES) + 4;
  const questionEnd = at;
  const rrs: ReadRr[] = [];
  const opts: ReadOpt[] = [];
  for (const section of [0, 1, 2]) {
    for (let left = wire.readUInt16BE(6 + 2 * section); left > 0; left--) {
      const nameEnd = skipName(wire, at);
      if (nameEnd + 10 > wire.length) throw new Error('a record is cut off');
      const dataAt = nameEnd + 10;
      const dataEnd = dataAt + wire.readUInt16BE(nameEnd + 8);
      if (dataEnd > wire.length) throw new Error('the data of a record are cut off');
      const type = wire.readUInt16BE(nameEnd);
      if (type === OPT) {
        opts.push(readOpt(wire, nameEnd, dataAt, dataEnd));
      } else {
        if (wire.readUInt16BE(nameEnd + 2) !== 1) throw new Error('a record of another class');
        const ttl = wire.readUInt32BE(nameEnd + 4);
        rrs.push({ section, owner: nameAt(wire, at), type, ttl, dataAt, dataEnd });
      }
      at = dataEnd;
    }
  }
  if (at !== wire.length) throw new Error(`${wire.length - at} bytes too many`);
  return { id: wire.readUInt16BE(0), flags: wire.readUInt16BE(2), questionEnd, rrs, opts };
}

/** The name at an offset, pointers followed, in lower case. */
export function nameAt(wire: Buffer, start: number): Buffer {
  const name = Buffer.alloc(256);
  let length = 0;
  let at = start;
  for (let pointers = 0; ; ) {
    const octet = wire[at];
    if (octet === undefined) throw new Error('a name is cut off');
    if (octet >= 0xc0) {
      if (++pointers > MAX_POINTERS) throw new Error('a name is a loop');
      at = wire.readUInt16BE(at) & 0x3fff;
      continue;
    }
    if (octet > 63 || length + octet + 1 > 255) throw new Error('a name is malformed');
    name[length++] = octet;
    if (octet === 0) return name.subarray(0, length);
    for (let i = 1; i <= octet; i++) name[length++] = foldByte(wire[at + i] ?? 0);
    at += octet + 1;
  }
}

/** Offset behind the name at an offset. */
function skipName(wire: Buffer, start: number): number {
  for (let at = start; at < wire.length; ) {
    const octet = wire[at] as number;
    if (octet === 0) return at + 1;
    if (octet >= 0xc0) return at + 2;
    if (octet > 63) break;
    at += octet + 1;
  }
  throw new Error('a name is malformed');
}

function readOpt(wire: Buffer, typeAt: number, dataAt: number, dataEnd: number): ReadOpt {
  const options: { code: number; data: Buffer }[] = [];
  for (let at = dataAt; at < dataEnd; ) {
    const end = at + 4 + wire.readUInt16BE(at + 2);
    if (end > dataEnd) throw new Error('an option is cut off');
    options.push({ code: wire.readUInt16BE(at), data: wire.subarray(at + 4, end) });
    at = end;
  }
  const version = wire[typeAt + 5] as number;
  return { dnssec: ((wire[typeAt + 6] as number) & 0x80) !== 0, version, options };
}
