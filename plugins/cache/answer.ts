// Hot path. Gives an entry to a client: copied out of the slab, with the TTLs of now.
import { Ede, type Query, Rcode, type Reply, shiftPointers } from '../../core/plugin.js';
import { Kind } from './classify.js';
import {
  HEADER_BYTES,
  HEADER_WORDS,
  hasExtendedError,
  isPlainAnswer,
  messageLength,
  Reach,
  reachOf,
  Scratch,
  ttlCount,
} from './entry.js';
import type { Region } from './region.js';
import { ageTtls, setTtls } from './ttl.js';

/** Where entries go that have no room in a query's own buffer, until the reply is delivered. */
const scratch = new Scratch();

/** Compression pointers reach this far (RFC 1035 4.1.4). */
const MAX_POINTED = 0x3fff;

const decoder = new TextDecoder();

/** The words of each reply buffer; null for one that is not aligned. 6 ns, 26 ns for `buffer` and `byteOffset` (bench/micro/cache-hit.ts). */
const views = new WeakMap<Uint8Array, Int32Array | null>();

/** Where the last copy went. */
let bytes: Uint8Array = scratch.bytes;
let words: Int32Array = scratch.words;

/** The reply for `q` from the fresh entry that `region` found; null when it was changed meanwhile. With `keepTtl` its TTLs stay as stored. */
export function freshReply(region: Region, q: Query, keepTtl: boolean): Reply | null {
  if (!copyEntry(region, q)) return null;
  const length = messageLength(region.shape);
  const count = ttlCount(region.shape);
  const listAt = (length + 3) >> 2;
  const age = region.ageSeconds;
  if (!keepTtl && age > 0) ageTtls(bytes, words, listAt, count, age);
  const reply = q.replyWire(bytes, length, 0);
  if (!isPlainAnswer(region.shape)) completeReply(reply, region, q, listAt + ((count + 1) >> 1));
  return reply;
}

/**
 * The reply for `q` from the fresh NXDOMAIN that `region` found for a name above its own, `nameBytes` long: the same message with more labels in front
 * of the name, so that whatever points into it points that much further. Null when it was changed meanwhile, or is too long.
 */
export function replyBelow(region: Region, q: Query, nameBytes: number): Reply | null {
  const { out, wire, qnameEnd } = q;
  bytes = scratch.bytes;
  words = scratch.words;
  if (!copyWhole(region)) return null;
  const from = bytes;
  const stored = messageLength(region.shape);
  const added = qnameEnd - q.qnameOffset - nameBytes;
  const length = stored + added;
  if (length > out.length || length > MAX_POINTED) return null;
  const listAt = (stored + 3) >> 2;
  const count = ttlCount(region.shape);
  ageTtls(from, words, listAt, count, region.ageSeconds);
  for (let i = 0; i < HEADER_BYTES; i++) out[i] = from[i] as number;
  for (let i = HEADER_BYTES; i < qnameEnd + 4; i++) out[i] = wire[i] as number;
  for (let i = qnameEnd + 4; i < length; i++) out[i] = from[i - added] as number;
  const reply = q.replyWire(out, length, 0);
  const { layout } = reply;
  for (let i = 0; i < layout.count; i++) {
    const end = i + 1 < layout.count ? (layout.owners[i + 1] as number) : layout.end;
    const owner = layout.owners[i] as number;
    const typeAt = layout.types[i] as number;
    if (!shiftPointers(out, owner, typeAt, end, HEADER_BYTES, -added)) return null;
  }
  if (hasExtendedError(region.shape)) addExtendedError(reply, q, listAt + ((count + 1) >> 1));
  return layout.isValid ? reply : null;
}

/** The same from a stale entry: every TTL is `ttl`, and the client is told (RFC 8767 section 4, RFC 8914). */
export function staleReply(region: Region, q: Query, ttl: number): Reply | null {
  if (!copyEntry(region, q)) return null;
  const length = messageLength(region.shape);
  setTtls(bytes, words, (length + 3) >> 2, ttlCount(region.shape), ttl);
  if (region.kind === Kind.DENIAL) putType(q);
  const reply = q.replyWire(bytes, length, 0);
  reply.ede = reply.rcode === Rcode.NXDOMAIN ? Ede.STALE_NXDOMAIN_ANSWER : Ede.STALE_ANSWER;
  return reply;
}

/**
 * Copies the found entry to the query's own buffer, or to the scratch buffer when it has no room or is not aligned. False when it was changed. Id,
 * RD, CD and the spelling of the name are put right when the reply is sent.
 */
function copyEntry(region: Region, q: Query): boolean {
  const view = wordsOf(q.out);
  if (view !== null && HEADER_WORDS + region.reader.bodyWords <= view.length) {
    bytes = q.out;
    words = view;
  } else {
    bytes = scratch.bytes;
    words = scratch.words;
  }
  return copyWhole(region);
}

/** Copies the found entry to `words`. False when it was changed. */
function copyWhole(region: Region): boolean {
  const { reader } = region;
  // A network in front of the body comes to lie where the header goes.
  const at = reachOf(region.head0) === Reach.ONE_NETWORK ? 0 : HEADER_WORDS;
  if (!reader.copyBody(words, at)) return false;
  words[0] = region.head0;
  words[1] = region.head1;
  words[2] = region.head2;
  return reader.isWhole;
}

/** What replies have that are no answer, or have an extended error, which is at word `edeAt`. */
function completeReply(reply: Reply, region: Region, q: Query, edeAt: number): void {
  if (region.kind === Kind.DENIAL) putType(q);
  if (hasExtendedError(region.shape)) addExtendedError(reply, q, edeAt);
  else if (region.kind === Kind.FAILURE) reply.ede = Ede.CACHED_ERROR;
}

/** NXDOMAIN came with the type that was asked for first. */
function putType(q: Query): void {
  bytes[q.qnameEnd] = q.qtype >> 8;
  bytes[q.qnameEnd + 1] = q.qtype;
}

function addExtendedError(reply: Reply, q: Query, at: number): void {
  if (q.optOffset === 0) return;
  const head = words[at] as number;
  const textAt = (at + 1) * 4;
  reply.ede = head >>> 16;
  // A copy: text is not decoded from shared memory.
  reply.edeText = decoder.decode(bytes.slice(textAt, textAt + (head & 0xffff)));
}

function wordsOf(out: Uint8Array): Int32Array | null {
  const known = views.get(out);
  if (known !== undefined) return known;
  const isAligned = (out.byteOffset & 3) === 0;
  const view = isAligned ? new Int32Array(out.buffer, out.byteOffset, out.length >> 2) : null;
  views.set(out, view);
  return view;
}
