// Hot path. Where the records of a message are: one walk, whose result cache, truncation and OPT handling share.

/** Records a layout has room for at first; it grows for larger messages. */
const INITIAL_RECORDS = 64;

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

/** Walks a message; `layout.isValid` tells whether it could be. Names are not decompressed, only skipped and bounds-checked. */
export function scanMessage(_wire: Uint8Array, _length: number, _layout: Layout): void {}
