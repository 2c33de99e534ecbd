// A file that keeps what a process learned over a restart: written aside, made safe on disk and renamed, so that whatever happens, the file is the last
// one or the one before, whole. Anything else is noticed when it is read.
//
//   header    "heimdall" | version | 0 | time of writing           24 bytes; words are little-endian, times milliseconds since 1970 (float64)
//   sections  pieces of each: length (32 bits), then the bytes      in the order of the table
//   table     of each section: length of the name (16 bits), name, offset and length (float64), SHA-256 of that part of the file
//   end       length of the table (32 bits) | sections (32 bits) | SHA-256 of header and table | "heimdall"
//
// It has no code of its own for what is in a section, and a section does not know of the file.
import { createHash, type Hash } from 'node:crypto';
import { type FileHandle, open, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Part of what the process knows. The name is unique in the file; who changes what is in the pieces says so in the first of them or in the name. */
export interface SnapshotSection {
  readonly name: string;
  /** What is to be kept, piece by piece. Each should take less than a millisecond to make; other work is done between two. Not kept beyond the next. */
  write(): Iterable<Uint8Array> | AsyncIterable<Uint8Array>;
  /**
   * Takes one piece after another, as they were written, that long ago. They are lent, and begin at offset 0 of their buffer. An exception ends the
   * section and is reported.
   */
  read(piece: Uint8Array, ageMs: number): void;
}

/** What became of a file that was to be read. */
export type SnapshotLoad =
  | { readonly outcome: 'loaded'; readonly bytes: number; readonly ageMs: number }
  | { readonly outcome: 'absent' }
  | { readonly outcome: 'ignored'; readonly reason: string };

/** Raised when the file itself changes; sections look after themselves. */
const VERSION = 1;

const MAGIC = Buffer.from('heimdall');
const HEADER_BYTES = 24;
const DIGEST_BYTES = 32;
const END_BYTES = 8 + DIGEST_BYTES + MAGIC.length;

/** A section's name takes at most 255 bytes and there are a few of them. */
const MAX_TABLE_BYTES = 64 * 1024;

/** More than any section makes in a millisecond. */
const MAX_PIECE_BYTES = 16 * 1024 * 1024;

/** Read and hashed in one go: a quarter of a millisecond. */
const READ_BYTES = 256 * 1024;

/** A clock may have been put right by this much since the file was written. */
const CLOCK_STEP_MS = 60_000;

interface Part {
  readonly name: string;
  readonly offset: number;
  readonly length: number;
  readonly digest: Buffer;
}

/** Why a file is no good. */
class BadSnapshot extends Error {}

/** Writes all sections; gives the size of the file. Rejects with an Error that names it, and leaves the one that was there. `wallNow` is the time of day. */
export async function saveSnapshot(
  path: string,
  sections: readonly SnapshotSection[],
  wallNow: () => number = Date.now,
): Promise<number> {
  const aside = `${path}.tmp`;
  try {
    // One that was left behind goes, whatever it is: the new one is ours alone.
    await rm(aside, { force: true });
    const file = await open(aside, 'wx', 0o600);
    let size: number;
    try {
      size = await writeAll(file, sections, wallNow);
      await file.sync();
      if ((await stat(aside)).ino !== (await file.stat()).ino) {
        throw new Error('another server writes it, too');
      }
    } finally {
      await file.close();
    }
    await rename(aside, path);
    await syncFolder(dirname(path));
    return size;
  } catch (error) {
    await rm(aside, { force: true }).catch(() => {});
    throw new Error(`cannot write ${path}: ${reasonOf(error)}`);
  }
}

/** Gives each section its pieces, after the whole file was found to be good. Never rejects; `onFault` is told of a section that cannot take what it wrote. */
export async function loadSnapshot(
  path: string,
  sections: readonly SnapshotSection[],
  onFault: (section: string, error: unknown) => void,
  wallNow: () => number = Date.now,
): Promise<SnapshotLoad> {
  let file: FileHandle;
  try {
    file = await open(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { outcome: 'absent' };
    return { outcome: 'ignored', reason: reasonOf(error) };
  }
  try {
    const { size, uid, mode } = await file.stat();
    // What is in it is believed: nobody else may have put it there.
    if (isOthers(uid) || (mode & 0o022) !== 0) throw new BadSnapshot('others may write to it');
    const { parts, writtenMs } = await readTable(file, size);
    if (writtenMs > wallNow() + CLOCK_STEP_MS) throw new BadSnapshot('it is from the future');
    for (const part of parts) await verify(file, part);
    const age = (): number => Math.max(0, wallNow() - writtenMs);
    const ageMs = age();
    for (const part of parts) {
      const section = sections.find(({ name }) => name === part.name);
      if (section !== undefined) await feed(file, part, section, age, onFault);
    }
    return { outcome: 'loaded', bytes: size, ageMs };
  } catch (error) {
    return { outcome: 'ignored', reason: reasonOf(error) };
  } finally {
    await file.close();
  }
}

/** Neither this user's nor root's. */
function isOthers(uid: number): boolean {
  const own = process.getuid?.();
  return own !== undefined && uid !== own && uid !== 0;
}

async function writeAll(
  file: FileHandle,
  sections: readonly SnapshotSection[],
  wallNow: () => number,
): Promise<number> {
  const header = Buffer.alloc(HEADER_BYTES);
  MAGIC.copy(header);
  header.writeUInt32LE(VERSION, 8);
  await file.writev([header]);
  // From here on nothing is waited for until the first section has begun: ages are as of now.
  header.writeDoubleLE(wallNow(), 16);
  let offset = HEADER_BYTES;
  const table: Buffer[] = [];
  for (const section of sections) {
    const digest = createHash('sha256');
    const length = await writePieces(file, section, digest);
    table.push(tableRow({ name: section.name, offset, length, digest: digest.digest() }));
    offset += length;
  }
  const rows = Buffer.concat(table);
  const counts = Buffer.alloc(8);
  counts.writeUInt32LE(rows.length, 0);
  counts.writeUInt32LE(sections.length, 4);
  const digest = createHash('sha256').update(header).update(rows).digest();
  await file.writev([rows, counts, digest, MAGIC]);
  await file.write(header, 0, HEADER_BYTES, 0);
  return offset + rows.length + END_BYTES;
}

async function writePieces(
  file: FileHandle,
  section: SnapshotSection,
  digest: Hash,
): Promise<number> {
  let length = 0;
  for await (const piece of section.write()) {
    const prefix = Buffer.alloc(4);
    prefix.writeUInt32LE(piece.length);
    digest.update(prefix).update(piece);
    const { bytesWritten } = await file.writev([prefix, piece]);
    // The system may take a part only, when the disk is full.
    if (bytesWritten !== 4 + piece.length) throw new Error('the disk took a part only');
    length += bytesWritten;
  }
  return length;
}

function tableRow({ name, offset, length, digest }: Part): Buffer {
  const text = Buffer.from(name);
  const row = Buffer.alloc(2 + text.length + 16 + DIGEST_BYTES);
  row.writeUInt16LE(text.length, 0);
  text.copy(row, 2);
  row.writeDoubleLE(offset, 2 + text.length);
  row.writeDoubleLE(length, 10 + text.length);
  digest.copy(row, 18 + text.length);
  return row;
}

async function readTable(
  file: FileHandle,
  size: number,
): Promise<{ parts: Part[]; writtenMs: number }> {
  const header = await readAt(file, 0, Math.min(size, HEADER_BYTES));
  if (!header.subarray(0, MAGIC.length).equals(MAGIC.subarray(0, header.length))) {
    throw new BadSnapshot('it is not a snapshot');
  }
  if (size < HEADER_BYTES + END_BYTES) throw new BadSnapshot('it is cut off');
  const version = header.readUInt32LE(8);
  if (version !== VERSION) throw new BadSnapshot(`it has version ${version}, want ${VERSION}`);
  const end = await readAt(file, size - END_BYTES, END_BYTES);
  const tableBytes = end.readUInt32LE(0);
  const tableAt = size - END_BYTES - tableBytes;
  if (!end.subarray(8 + DIGEST_BYTES).equals(MAGIC) || tableAt < HEADER_BYTES) {
    throw new BadSnapshot('it is cut off');
  }
  if (tableBytes > MAX_TABLE_BYTES) throw new BadSnapshot('it is damaged');
  const rows = await readAt(file, tableAt, tableBytes);
  const digest = createHash('sha256').update(header).update(rows).digest();
  if (!end.subarray(8, 8 + DIGEST_BYTES).equals(digest)) throw new BadSnapshot('it is damaged');
  const parts = partsOf(rows, end.readUInt32LE(4), tableAt);
  return { parts, writtenMs: header.readDoubleLE(16) };
}

function partsOf(rows: Buffer, count: number, end: number): Part[] {
  const parts: Part[] = [];
  let next = HEADER_BYTES;
  for (let at = 0; at < rows.length; ) {
    const nameEnd = at + 2 + rows.readUInt16LE(at);
    const name = rows.subarray(at + 2, nameEnd).toString();
    const [offset, length] = [rows.readDoubleLE(nameEnd), rows.readDoubleLE(nameEnd + 8)];
    if (offset !== next) throw new BadSnapshot('it is damaged');
    at = nameEnd + 16 + DIGEST_BYTES;
    parts.push({ name, offset, length, digest: rows.subarray(nameEnd + 16, at) });
    next += length;
  }
  if (parts.length !== count || next !== end) throw new BadSnapshot('it is damaged');
  return parts;
}

async function verify(file: FileHandle, { offset, length, digest }: Part): Promise<void> {
  const hash = createHash('sha256');
  const buffer = Buffer.allocUnsafeSlow(Math.min(length, READ_BYTES));
  for (let done = 0; done < length; ) {
    const bytes = await readAt(file, offset + done, Math.min(READ_BYTES, length - done), buffer);
    hash.update(bytes);
    done += bytes.length;
  }
  if (!hash.digest().equals(digest)) throw new BadSnapshot('it is damaged');
}

async function feed(
  file: FileHandle,
  { offset, length }: Part,
  section: SnapshotSection,
  age: () => number,
  onFault: (section: string, error: unknown) => void,
): Promise<void> {
  const end = offset + length;
  let buffer = Buffer.allocUnsafeSlow(READ_BYTES);
  for (let at = offset; at < end; ) {
    const bytes = (await readAt(file, at, 4)).readUInt32LE(0);
    at += 4;
    if (bytes > MAX_PIECE_BYTES || bytes > end - at) throw new BadSnapshot('it is damaged');
    if (bytes > buffer.length) buffer = Buffer.allocUnsafeSlow(bytes);
    const piece = await readAt(file, at, bytes, buffer);
    at += bytes;
    try {
      // It may take seconds until all are read.
      section.read(piece, age());
    } catch (error) {
      onFault(section.name, error);
      return;
    }
  }
}

/** Exactly these bytes of the file. */
async function readAt(
  file: FileHandle,
  position: number,
  length: number,
  buffer: Buffer = Buffer.allocUnsafeSlow(length),
): Promise<Buffer> {
  for (let done = 0; done < length; ) {
    const { bytesRead } = await file.read(buffer, done, length - done, position + done);
    if (bytesRead === 0) throw new BadSnapshot('it is cut off');
    done += bytesRead;
  }
  return buffer.subarray(0, length);
}

/** A name is safe on disk when its folder is. Not every file system can be asked for that. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'EINVAL' && code !== 'ENOTSUP' && code !== 'EPERM') throw error;
  } finally {
    await folder.close();
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof BadSnapshot) return error.message;
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT') return 'its folder is not there (ENOENT)';
  return code ?? message;
}
