// What the authorities over streams say to every query: one A record of 300 s.

export const HEADER_BYTES = 12;

/** Owner: the question's name; A, IN, 300 s, 192.0.2.1. */
const RECORD = [0xc0, 12, 0, 1, 0, 1, 0, 0, 1, 44, 0, 4, 192, 0, 2, 1];

/** What an answer is longer than its question, at most. */
export const RECORD_BYTES = RECORD.length;

/** Writes the answer to the query in `from` from `start` to `out` from `at`; returns the offset behind it. */
export function writeAnswer(from: Uint8Array, start: number, out: Uint8Array, at: number): number {
  let end = start + HEADER_BYTES;
  while (from[end] !== 0) end += (from[end] as number) + 1;
  end += 5;
  const shift = at - start;
  for (let i = start; i < end; i++) out[shift + i] = from[i] as number;
  // QR and AA, RD as asked; one question, one answer, nothing else.
  out[at + 2] = 0x84 | ((from[start + 2] as number) & 1);
  out[at + 3] = 0x80;
  out[at + 7] = 1;
  out[at + 9] = 0;
  out[at + 11] = 0;
  for (let i = 0; i < RECORD.length; i++) out[shift + end + i] = RECORD[i] as number;
  return shift + end + RECORD.length;
}
