// Queries as bytes, made once and sent many times with another id.

export type Edns = 'none' | 'opt' | 'do';

export const HEADER_BYTES = 12;
export const TYPE_A = 1;
export const TYPE_AAAA = 28;
export const TYPE_HTTPS = 65;
/** Additional records, low byte. */
const ARCOUNT_AT = 11;
const CLASS_IN = 1;
/** OPT: root, type 41, payload size 1232, extended rcode and version 0, flags, no options. */
const OPT = [0, 0, 41, 1232 >> 8, 1232 & 255, 0, 0, 0, 0, 0, 0];
const DO_BIT = 0x80;
const DO_OFFSET = 7;

/** A query for `name` with RD set and id 0. */
export function queryWire(name: string, edns: Edns, qtype = TYPE_A): Uint8Array {
  const bytes = [0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
  for (const label of name.split('.')) bytes.push(label.length, ...Buffer.from(label));
  bytes.push(0, 0, qtype, 0, CLASS_IN);
  const out = new Uint8Array(bytes.length + OPT.length);
  out.set(bytes);
  return out.subarray(0, addEdns(out, bytes.length, edns));
}

/** Appends an OPT record to the query of `length` bytes in `out`; the new length. */
export function addEdns(out: Uint8Array, length: number, edns: Edns): number {
  if (edns === 'none') return length;
  for (let i = 0; i < OPT.length; i++) out[length + i] = OPT[i] as number;
  if (edns === 'do') out[length + DO_OFFSET] = DO_BIT;
  out[ARCOUNT_AT] = 1;
  return length + OPT.length;
}

export function setId(out: Uint8Array, id: number): void {
  out[0] = id >> 8;
  out[1] = id & 255;
}
