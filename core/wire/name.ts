// Hot path. Domain names in wire form (RFC 1035 3.1, 4.1.4): skipping, folding, comparing, decompressing; and as text (RFC 1035 5.1).
// Names are bytes here: what lies above 0x7F is kept as it is, only A-Z is folded (RFC 4343).

/** Longest label and longest name in wire form, length octets and root included (RFC 1035 2.3.4). */
export const MAX_LABEL_BYTES = 63;
export const MAX_NAME_BYTES = 255;

/**
 * Pointers followed for one name. A name has at most 127 labels; without a limit a message of nothing but pointers would make every name in
 * it cost thousands of steps.
 */
const MAX_POINTERS = 127;

/** Labels and pointers of two names that are compared. */
const MAX_STEPS = MAX_POINTERS * 3;

/** Bytes of a message header (RFC 1035 4.1.1): no name starts before. */
const HEADER_BYTES = 12;

/** Says which byte each byte folds to: A-Z to a-z, every other one to itself. Length octets are below A and stay as they are. */
export const FOLD: Uint8Array = foldTable();

/** What stands for a name that cannot be read. */
export const MALFORMED_NAME = '<malformed>';

/** A name given as text that has no wire form. */
export class NameError extends Error {}

/**
 * The offset just past the name at `offset`, or -1 when it does not end before `end`, is over 255 bytes, or has a label type other than
 * plain and pointer. A pointer must lead backwards and not into the header, so that following one always ends.
 */
export function skipName(wire: Uint8Array, offset: number, end: number): number {
  let pos = offset;
  while (pos < end) {
    const octet = wire[pos]!;
    if (octet === 0) return pos + 1 - offset > MAX_NAME_BYTES ? -1 : pos + 1;
    if (octet >= 0xc0) {
      if (pos + 2 > end || pos - offset >= MAX_NAME_BYTES) return -1;
      const target = ((octet & 0x3f) << 8) | wire[pos + 1]!;
      return target < offset && target >= HEADER_BYTES ? pos + 2 : -1;
    }
    if (octet > MAX_LABEL_BYTES) return -1;
    pos += octet + 1;
  }
  return -1;
}

/**
 * Writes the name at `offset` to `into` from `at`, decompressed, in its own case. Returns its length in bytes, or -1 when it is malformed,
 * does not end before `end`, or does not fit.
 */
export function readName(
  wire: Uint8Array,
  offset: number,
  end: number,
  into: Uint8Array,
  at: number,
): number {
  const room = Math.min(MAX_NAME_BYTES, into.length - at);
  const stop = Math.min(end, wire.length);
  let pos = offset;
  let start = offset;
  let length = 0;
  let pointers = 0;
  while (pos < stop) {
    const octet = wire[pos]!;
    if (octet >= 0xc0) {
      if (pos + 2 > stop) return -1;
      pos = ((octet & 0x3f) << 8) | wire[pos + 1]!;
      // Each pointer must lead before the piece it ends.
      if (pos >= start || ++pointers > MAX_POINTERS) return -1;
      start = pos;
      continue;
    }
    const next = pos + octet + 1;
    if (octet > MAX_LABEL_BYTES || next > stop || length + octet + 1 > room) return -1;
    for (; pos < next; pos++) into[at + length++] = wire[pos]!;
    if (octet === 0) return length;
  }
  return -1;
}

/** Folds `length` bytes of `wire` from `offset` into `into` from `at`. */
export function foldInto(
  wire: Uint8Array,
  offset: number,
  length: number,
  into: Uint8Array,
  at: number,
): void {
  const fold = FOLD;
  for (let i = 0; i < length; i++) into[at + i] = fold[wire[offset + i]!]!;
}

/** Whether two runs of `length` bytes are the same but for the case of ASCII letters. */
export function equalFolded(
  a: Uint8Array,
  aOffset: number,
  b: Uint8Array,
  bOffset: number,
  length: number,
): boolean {
  const fold = FOLD;
  for (let i = 0; i < length; i++) {
    const x = a[aOffset + i]!;
    const y = b[bOffset + i]!;
    // Nearly always the same as they are: looking both up takes a quarter longer (60 bytes: 124 ns, 100 ns).
    if (x !== y && fold[x] !== fold[y]) return false;
  }
  return true;
}

/**
 * Whether two names, each possibly compressed within its own message, are the same but for case. False when either is malformed; one that is
 * compared with itself is not read.
 */
export function equalNames(
  a: Uint8Array,
  aOffset: number,
  b: Uint8Array,
  bOffset: number,
): boolean {
  let i = aOffset;
  let j = bOffset;
  let length = 0;
  for (let steps = 0; steps < MAX_STEPS; steps++) {
    // Two names that went on to the same place are equal from there.
    if (i === j && a === b && i < a.length) return true;
    const octet = a[i];
    // Past the end: that is where bad pointers lead, too.
    if (octet === undefined) return false;
    if (octet >= 0xc0) {
      i = pointerTarget(a, i);
      continue;
    }
    if (b[j]! >= 0xc0) {
      j = pointerTarget(b, j);
      continue;
    }
    if (octet !== b[j] || octet > MAX_LABEL_BYTES) return false;
    if (octet === 0) return true;
    length += octet + 1;
    if (length >= MAX_NAME_BYTES || i + octet >= a.length || j + octet >= b.length) return false;
    if (!equalFolded(a, i + 1, b, j + 1, octet)) return false;
    i += octet + 1;
    j += octet + 1;
  }
  return false;
}

/** The name at `offset` as text with its final dot, or `<malformed>`; never throws. What means something in a zone file is escaped. Allocates. */
export function formatName(wire: Uint8Array, offset: number): string {
  const length = readName(wire, offset, wire.length, scratch, 0);
  if (length < 0) return MALFORMED_NAME;
  if (length === 1) return '.';
  let text = '';
  for (let pos = 0; pos < length - 1; ) {
    const end = pos + scratch[pos]! + 1;
    for (pos++; pos < end; pos++) text += ESCAPED[scratch[pos]!]!;
    text += '.';
  }
  return text;
}

/**
 * The wire form of a name given as text, in the case given; a missing final dot is supplied. Understands `\X` and `\DDD`; what is not ASCII
 * becomes UTF-8. Throws NameError. Allocates.
 */
export function parseName(text: string): Uint8Array<ArrayBuffer> {
  if (text === '') throw new NameError('empty name');
  if (text === '.') return new Uint8Array(1);
  const bytes = new TextEncoder().encode(text);
  const wire = new Uint8Array(bytes.length + 2);
  let labelAt = 0;
  let at = 1;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i]!;
    if (byte === DOT) {
      endLabel(wire, labelAt, at, text);
      labelAt = at++;
    } else if (byte !== BACKSLASH) {
      wire[at++] = byte;
    } else if (isDigit(bytes[i + 1])) {
      wire[at++] = decimalEscape(bytes, i + 1, text);
      i += 3;
    } else if (i + 1 < bytes.length) {
      wire[at++] = bytes[++i]!;
    } else {
      throw new NameError(`name "${text}" ends in a backslash`);
    }
  }
  // Without a final dot the last label is still open.
  if (at > labelAt + 1) {
    endLabel(wire, labelAt, at, text);
    at++;
  }
  if (at > MAX_NAME_BYTES) throw new NameError(`name "${text}" is over ${MAX_NAME_BYTES} bytes`);
  return wire.slice(0, at);
}

const DOT = 0x2e;
const BACKSLASH = 0x5c;
const scratch = new Uint8Array(MAX_NAME_BYTES);
const ESCAPED: readonly string[] = Array.from({ length: 256 }, (_, byte) => escaped(byte));

/** Where the pointer at `pos` leads, or past the end of the buffer when that is not backwards. */
function pointerTarget(wire: Uint8Array, pos: number): number {
  if (pos + 1 >= wire.length) return wire.length;
  const target = ((wire[pos]! & 0x3f) << 8) | wire[pos + 1]!;
  return target < pos ? target : wire.length;
}

function endLabel(wire: Uint8Array, labelAt: number, at: number, text: string): void {
  const length = at - labelAt - 1;
  if (length === 0) throw new NameError(`name "${text}" has an empty label`);
  if (length > MAX_LABEL_BYTES) {
    throw new NameError(`name "${text}" has a label over ${MAX_LABEL_BYTES} bytes`);
  }
  wire[labelAt] = length;
}

function decimalEscape(bytes: Uint8Array, at: number, text: string): number {
  if (!isDigit(bytes[at + 1]) || !isDigit(bytes[at + 2])) {
    throw new NameError(`name "${text}" has a bad escape, want \\DDD or \\X`);
  }
  const value = (bytes[at]! - 48) * 100 + (bytes[at + 1]! - 48) * 10 + (bytes[at + 2]! - 48);
  if (value > 255) throw new NameError(`name "${text}" has an escape over \\255`);
  return value;
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 48 && byte <= 57;
}

function escaped(byte: number): string {
  if (byte <= 0x20 || byte >= 0x7f) return `\\${String(byte).padStart(3, '0')}`;
  const char = String.fromCharCode(byte);
  return '"$().;@\\'.includes(char) ? `\\${char}` : char;
}

function foldTable(): Uint8Array {
  const table = Uint8Array.from({ length: 256 }, (_, byte) => byte);
  for (let byte = 0x41; byte <= 0x5a; byte++) table[byte] = byte + 0x20;
  return table;
}
