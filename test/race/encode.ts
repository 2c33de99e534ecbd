// The scripted upstream's replies as bytes, names compressed as servers do; and the queries of the clients.
import type { Said } from './world.js';

const HEADER_BYTES = 12;
const OPT_BYTES = 11;
const ECS = 8;
const EDE = 15;
const MAX_POINTED = 0x3fff;
const MAX_BYTES = 65_535;

export interface ReplyFrame {
  /** The query as it came. */
  readonly query: Uint8Array;
  readonly questionEnd: number;
  readonly hasOpt: boolean;
  readonly dnssec: boolean;
  /** Data of the client subnet that goes back, with its scope. */
  readonly ecs: Uint8Array | undefined;
  /** Longer ones are cut to the question, with TC set. */
  readonly limit: number;
}

const out = Buffer.alloc(MAX_BYTES);

/** The reply that says `said`; valid until the next call. */
export function encodeReply(said: Said, frame: ReplyFrame): Buffer {
  let at = begin(said, frame);
  const names = new Map<string, number>();
  rememberQuestion(frame.query, names);
  for (const section of [0, 1, 2]) {
    // OPT stands in front of other additional records, so that who takes it out has pointers to mend.
    if (section === 2 && frame.hasOpt) at = writeOpt(at, said, frame);
    for (const rr of said.rrs) {
      if (rr.section !== section) continue;
      at = writeName(rr.owner, at, names);
      out.writeUInt16BE(rr.type, at);
      out.writeUInt16BE(1, at + 2);
      out.writeUInt32BE(rr.ttl, at + 4);
      const dataAt = at + 10;
      const end =
        rr.target === undefined
          ? dataAt + copy(rr.data, dataAt)
          : writeName(rr.target, dataAt, names);
      out.writeUInt16BE(end - dataAt, at + 8);
      at = end;
      count(section);
    }
  }
  return at <= frame.limit ? out.subarray(0, at) : cut(said, frame);
}

function begin(said: Said, { query, questionEnd }: ReplyFrame): number {
  out.fill(0, 0, HEADER_BYTES);
  copy(query.subarray(0, questionEnd), 0);
  // QR; opcode and RD of the query; RA, AD, CD of the query, rcode.
  out[2] = 0x80 | ((query[2] as number) & 0x79);
  out[3] = 0x80 | (said.ad ? 0x20 : 0) | ((query[3] as number) & 0x10) | said.rcode;
  out.fill(0, 6, HEADER_BYTES);
  return questionEnd;
}

function cut(said: Said, frame: ReplyFrame): Buffer {
  const at = begin(said, frame);
  out[2] = (out[2] as number) | 2;
  return out.subarray(0, frame.hasOpt ? writeOpt(at, said, frame) : at);
}

/** One more record in a section. */
function count(section: number): void {
  const at = 6 + 2 * section;
  out.writeUInt16BE(out.readUInt16BE(at) + 1, at);
}

function writeOpt(start: number, said: Said, frame: ReplyFrame): number {
  out.fill(0, start, start + OPT_BYTES);
  out.writeUInt16BE(41, start + 1);
  out.writeUInt16BE(1232, start + 3);
  if (frame.dnssec) out[start + 7] = 0x80;
  let at = start + OPT_BYTES;
  if (frame.ecs !== undefined) at = writeOption(at, ECS, frame.ecs);
  if (said.ede >= 0) {
    const text = Buffer.from(said.edeText, 'latin1');
    at = writeOption(at, EDE, Buffer.concat([Buffer.of(0, said.ede), text]));
  }
  out.writeUInt16BE(at - start - OPT_BYTES, start + 9);
  count(2);
  return at;
}

function writeOption(at: number, code: number, data: Uint8Array): number {
  out.writeUInt16BE(code, at);
  out.writeUInt16BE(data.length, at + 2);
  return at + 4 + copy(data, at + 4);
}

function copy(bytes: Uint8Array, at: number): number {
  out.set(bytes, at);
  return bytes.length;
}

function rememberQuestion(query: Uint8Array, names: Map<string, number>): void {
  let end = HEADER_BYTES;
  while (query[end] !== 0) end += (query[end] as number) + 1;
  const name = Buffer.from(query.subarray(HEADER_BYTES, end + 1))
    .toString('latin1')
    .toLowerCase();
  for (let o = 0; o < name.length - 1; o += name.charCodeAt(o) + 1) {
    names.set(name.slice(o), HEADER_BYTES + o);
  }
}

/** Writes a name, its known end as a pointer, and remembers it. Returns the offset behind. */
function writeName(wire: Uint8Array, start: number, names: Map<string, number>): number {
  const name = Buffer.from(wire).toString('latin1');
  let at = start;
  for (let o = 0; wire[o] !== 0; ) {
    const rest = name.slice(o);
    const known = names.get(rest);
    if (known !== undefined) {
      out.writeUInt16BE(0xc000 | known, at);
      return at + 2;
    }
    if (at <= MAX_POINTED) names.set(rest, at);
    const length = (wire[o] as number) + 1;
    at += copy(wire.subarray(o, o + length), at);
    o += length;
  }
  out[at] = 0;
  return at + 1;
}
