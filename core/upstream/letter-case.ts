// Hot path. The case of the letters in a question as a secret ("0x20", draft-vixie-dnsext-dns0x20): servers copy the question into their reply
// as they got it, so whoever forges a reply without having seen the query has to guess the case of every letter.
//
// A word of random bits says which letters are sent in the other case than the client's: bit n (modulo 32) is for the letter at offset n of the
// message. A name of up to 32 octets has a bit of its own for each letter; in longer ones letters 32 octets apart share one.
import type { Layout } from '../wire/layout.js';
import type { Exchange } from './exchange.js';

/** Where the question name starts, and what follows it: type and class. */
const QNAME_AT = 12;
const TAIL_BYTES = 4;

/** The bit that tells the case of each byte that is an ASCII letter; 0 for any other byte. */
const CASE_BIT: Uint8Array = caseBitTable();

/** Writes the question name of `x` in the case that it is sent in into a message that starts at `at` of `out`; gives the offset just past it. */
export function mixCase(x: Exchange, out: Uint8Array, at: number): number {
  const { message, caseBits: bits } = x;
  const end = x.questionEnd - TAIL_BYTES;
  for (let i = QNAME_AT; i < end; i++) {
    const octet = message[i] as number;
    // Shifts count modulo 32: bit i comes to where the case of a letter is.
    out[at + i] = octet ^ ((CASE_BIT[octet] as number) & ((bits >>> i) << 5));
  }
  return end;
}

/**
 * Goes along the question name of a reply as long as it is in the case that was sent, and puts the client's case in its place. Gives the offset
 * of the first difference, the end of the name when there is none.
 */
export function unmixCase(x: Exchange, wire: Uint8Array): number {
  const { message, caseBits: bits } = x;
  const end = x.questionEnd - TAIL_BYTES;
  let i = QNAME_AT;
  for (; i < end; i++) {
    const octet = message[i] as number;
    if (wire[i] !== (octet ^ ((CASE_BIT[octet] as number) & ((bits >>> i) << 5)))) break;
    wire[i] = octet;
  }
  return i;
}

/**
 * Puts the client's case into owner names that the upstream copied from the question instead of pointing to it. Names in a case of the
 * upstream's own stay as they are.
 */
export function unmixOwners(x: Exchange, wire: Uint8Array, layout: Layout): void {
  const { message, caseBits: bits } = x;
  if (bits === 0) return;
  const end = x.questionEnd - TAIL_BYTES;
  for (let record = 0; record < layout.count; record++) {
    const from = (layout.owners[record] as number) - QNAME_AT;
    let i = QNAME_AT;
    for (; i < end; i++) {
      const octet = message[i] as number;
      const sent = octet ^ ((CASE_BIT[octet] as number) & ((bits >>> i) << 5));
      if (wire[from + i] !== sent) break;
    }
    if (i < end) continue;
    for (i = QNAME_AT; i < end; i++) wire[from + i] = message[i] as number;
  }
}

function caseBitTable(): Uint8Array {
  const table = new Uint8Array(256);
  for (let upper = 65; upper <= 90; upper++) {
    table[upper] = 0x20;
    table[upper + 0x20] = 0x20;
  }
  return table;
}
