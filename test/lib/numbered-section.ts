// A section of a snapshot for tests that shows whether what is read was written together.
import type { SnapshotSection } from '../../core/control/snapshot-file.js';

const PIECES = 20;
const PIECE_WORDS = 4096;

export interface NumberedSection extends SnapshotSection {
  /** Every number that was read, once, and how many words of it. */
  readonly numbers: ReadonlySet<number>;
  readonly words: number;
}

/** Writes pieces full of `number`. */
export function numbered(name: string, number = 0): NumberedSection {
  const numbers = new Set<number>();
  let words = 0;
  return {
    name,
    numbers,
    get words() {
      return words;
    },
    *write() {
      for (let i = 0; i < PIECES; i++) {
        yield new Uint8Array(new Uint32Array(PIECE_WORDS).fill(number).buffer);
      }
    },
    read(piece) {
      const read = new Uint32Array(piece.buffer, piece.byteOffset, piece.length / 4);
      for (const word of read) numbers.add(word);
      words += read.length;
    },
  };
}

/** Words of a whole section. */
export const NUMBERED_WORDS = PIECES * PIECE_WORDS;
