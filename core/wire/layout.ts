// Hot path. Where the records of a message are: one walk, whose result cache, truncation and OPT handling share.
import { RRType } from './constants.js';
import { skipName } from './name.js';

/** Records a layout has room for at first; it grows for larger messages, to at most what 65535 bytes can hold (5956). */
const INITIAL_RECORDS = 64;

const HEADER_BYTES = 12;

/** Offsets are 16 bits, as is the longest message (RFC 1035 4.2.2). */
const MAX_MESSAGE_BYTES = 65535;

/** Section bounds of one message and, per record, where its owner and its TYPE field start. Reused from message to message. */
export class Layout {
  /** False when the message cannot be walked to its end: nothing else is meaningful then. */
  isValid = false;
  /** Offset just past the question section. */
  questionEnd = 0;
  answers = 0;
  authorities = 0;
  additionals = 0;
  /** Offset of the first record of each section; equal to the next one's when the section is empty. */
  answerStart = 0;
  authorityStart = 0;
  additionalStart = 0;
  /** Offset just past the last record. */
  end = 0;
  /** Offset of the OPT record and just past it; 0 when there is none. */
  optOffset = 0;
  optEnd = 0;
  /** Records of all sections: answers, then authorities, then additionals. */
  count = 0;
  /** Offset of each record's owner name. */
  owners = new Uint16Array(INITIAL_RECORDS);
  /** Offset of each record's TYPE field: class at +2, TTL at +4, RDLENGTH at +8, RDATA at +10. */
  types = new Uint16Array(INITIAL_RECORDS);
}

/**
 * Walks a message; `layout.isValid` tells whether it could be. Names are not decompressed, only skipped and bounds-checked. More than one
 * question, an OPT that is misplaced, repeated or not owned by the root, and a TSIG that is not last make a message invalid; bytes after
 * the last record do not (`layout.end` is below `length` then).
 */
export function scanMessage(wire: Uint8Array, length: number, layout: Layout): void {
  layout.isValid = false;
  layout.optOffset = 0;
  layout.optEnd = 0;
  layout.count = 0;
  if (length < HEADER_BYTES || length > wire.length || length > MAX_MESSAGE_BYTES) return;
  let pos = HEADER_BYTES;
  if (wire[4] !== 0 || wire[5]! > 1) return;
  if (wire[5] === 1) {
    pos = skipName(wire, pos, length);
    if (pos < 0 || pos + 4 > length) return;
    pos += 4;
  }
  layout.questionEnd = pos;
  layout.answers = (wire[6]! << 8) | wire[7]!;
  layout.authorities = (wire[8]! << 8) | wire[9]!;
  layout.additionals = (wire[10]! << 8) | wire[11]!;
  layout.answerStart = pos;
  pos = scanSection(wire, length, layout, pos, layout.answers, false);
  if (pos < 0) return;
  layout.authorityStart = pos;
  pos = scanSection(wire, length, layout, pos, layout.authorities, false);
  if (pos < 0) return;
  layout.additionalStart = pos;
  pos = scanSection(wire, length, layout, pos, layout.additionals, true);
  if (pos < 0) return;
  layout.end = pos;
  layout.isValid = true;
}

/** Walks `count` records from `start`; returns the offset just past them or -1. */
function scanSection(
  wire: Uint8Array,
  length: number,
  layout: Layout,
  start: number,
  count: number,
  isAdditional: boolean,
): number {
  let pos = start;
  let index = layout.count;
  for (let left = count; left > 0; left--) {
    const owner = pos;
    pos = skipName(wire, pos, length);
    if (pos < 0 || pos + 10 > length) return -1;
    const type = (wire[pos]! << 8) | wire[pos + 1]!;
    const end = pos + 10 + ((wire[pos + 8]! << 8) | wire[pos + 9]!);
    if (end > length) return -1;
    if (type === RRType.OPT) {
      // RFC 6891 6.1.1: in the additional section, at most once, owned by the root.
      if (!isAdditional || layout.optOffset !== 0 || wire[owner] !== 0) return -1;
      layout.optOffset = owner;
      layout.optEnd = end;
    } else if (type === RRType.TSIG && !(isAdditional && left === 1)) {
      // RFC 8945 5.1: the last record of the additional section.
      return -1;
    }
    if (index === layout.owners.length) grow(layout);
    layout.owners[index] = owner;
    layout.types[index] = pos;
    index++;
    pos = end;
  }
  layout.count = index;
  return pos;
}

function grow(layout: Layout): void {
  const owners = new Uint16Array(layout.owners.length * 2);
  const types = new Uint16Array(layout.types.length * 2);
  owners.set(layout.owners);
  types.set(layout.types);
  layout.owners = owners;
  layout.types = types;
}
