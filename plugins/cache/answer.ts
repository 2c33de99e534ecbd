// Hot path. Gives an entry to a client: copied out of the slab, TTLs of now, with the client's own id and question.
import { Ede, type Query, Rcode, type Reply } from '../../core/plugin.js';
import { HEADER_BYTES, hasExtendedError, messageLength, Scratch, ttlCount } from './entry.js';
import type { Region } from './region.js';
import { ageTtls, setTtls } from './ttl.js';

const HEADER_WORDS = HEADER_BYTES / 4;

/** Where entries go that have no room in a query's own buffer, until the reply is delivered. */
const scratch = new Scratch();

const decoder = new TextDecoder();

/** The words under reply buffers. Nearly all of them are slots in one buffer; others cost a look into a map. */
let lastBuffer: ArrayBufferLike = scratch.words.buffer;
let lastWords: Int32Array = scratch.words;
const knownWords = new WeakMap<ArrayBufferLike, Int32Array>();

/** Where the last copy went. */
let bytes: Uint8Array = scratch.bytes;
let words: Int32Array = scratch.words;
let wordAt = 0;

/** The reply for `q` from the fresh entry that `region` found; null when it was changed meanwhile. With `keepTtl` its TTLs stay as stored. */
export function freshReply(region: Region, q: Query, keepTtl: boolean): Reply | null {
  if (!copyEntry(region, q)) return null;
  const length = messageLength(region.shape);
  const count = ttlCount(region.shape);
  const listAt = wordAt + ((length + 3) >> 2);
  const age = region.ageSeconds;
  if (!keepTtl && age > 0) ageTtls(bytes, words, listAt, count, age);
  const reply = q.replyWire(bytes, length, 0);
  if (hasExtendedError(region.shape)) addExtendedError(reply, q, listAt + ((count + 1) >> 1));
  else if (reply.rcode === Rcode.SERVFAIL) reply.ede = Ede.CACHED_ERROR;
  return reply;
}

/** The same from a stale entry: every TTL is `ttl`, and the client is told (RFC 8767 section 4, RFC 8914). */
export function staleReply(region: Region, q: Query, ttl: number): Reply | null {
  if (!copyEntry(region, q)) return null;
  const length = messageLength(region.shape);
  setTtls(bytes, words, wordAt + ((length + 3) >> 2), ttlCount(region.shape), ttl);
  const reply = q.replyWire(bytes, length, 0);
  reply.ede = reply.rcode === Rcode.NXDOMAIN ? Ede.STALE_NXDOMAIN_ANSWER : Ede.STALE_ANSWER;
  return reply;
}

/** Copies the found entry to the query's own buffer, or to the scratch buffer when it has no room or is not aligned. False when it was changed. */
function copyEntry(region: Region, q: Query): boolean {
  const { reader } = region;
  const out = q.out;
  const bodyWords = reader.bodyWords;
  if ((out.byteOffset & 3) === 0 && HEADER_BYTES + bodyWords * 4 <= out.length) {
    bytes = out;
    words = out.buffer === lastBuffer ? lastWords : wordsOf(out.buffer);
    wordAt = out.byteOffset >> 2;
  } else {
    bytes = scratch.bytes;
    words = scratch.words;
    wordAt = 0;
  }
  if (!reader.copyBody(words, wordAt + HEADER_WORDS) || !reader.isWhole) return false;
  writeHeader(region, q);
  return true;
}

/** Header and question: id, RD, CD and the spelling of the name are the client's. */
function writeHeader({ flags, counts }: Region, q: Query): void {
  const wire = q.wire;
  const to = bytes;
  to[0] = wire[0] as number;
  to[1] = wire[1] as number;
  to[2] = (flags >>> 24) | ((wire[2] as number) & 0x01);
  to[3] = (flags >>> 16) | ((wire[3] as number) & 0x10);
  to[4] = 0;
  to[5] = 1;
  to[6] = flags >>> 8;
  to[7] = flags;
  to[8] = counts >>> 24;
  to[9] = counts >>> 16;
  to[10] = counts >>> 8;
  to[11] = counts;
  const end = q.qnameEnd;
  for (let i = HEADER_BYTES; i < end; i++) to[i] = wire[i] as number;
}

function addExtendedError(reply: Reply, q: Query, at: number): void {
  if (q.optOffset === 0) return;
  const head = words[at] as number;
  const textAt = (at - wordAt + 1) * 4;
  reply.ede = head >>> 16;
  // A copy: text is not decoded from shared memory.
  reply.edeText = decoder.decode(bytes.slice(textAt, textAt + (head & 0xffff)));
}

function wordsOf(buffer: ArrayBufferLike): Int32Array {
  let found = knownWords.get(buffer);
  if (found === undefined) {
    found = new Int32Array(buffer, 0, buffer.byteLength >> 2);
    knownWords.set(buffer, found);
  }
  lastBuffer = buffer;
  lastWords = found;
  return found;
}
