// Hot path. Gives an entry to a client: copied out of the slab, with the TTLs of now.
import { Ede, type Query, Rcode, type Reply } from '../../core/plugin.js';
import { Kind } from './classify.js';
import { HEADER_WORDS, hasExtendedError, messageLength, Scratch, ttlCount } from './entry.js';
import type { Region } from './region.js';
import { ageTtls, setTtls } from './ttl.js';

/** Where entries go that have no room in a query's own buffer, until the reply is delivered. */
const scratch = new Scratch();

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
  if (hasExtendedError(region.shape)) addExtendedError(reply, q, listAt + ((count + 1) >> 1));
  else if (region.kind === Kind.FAILURE) reply.ede = Ede.CACHED_ERROR;
  return reply;
}

/** The same from a stale entry: every TTL is `ttl`, and the client is told (RFC 8767 section 4, RFC 8914). */
export function staleReply(region: Region, q: Query, ttl: number): Reply | null {
  if (!copyEntry(region, q)) return null;
  const length = messageLength(region.shape);
  setTtls(bytes, words, (length + 3) >> 2, ttlCount(region.shape), ttl);
  const reply = q.replyWire(bytes, length, 0);
  reply.ede = reply.rcode === Rcode.NXDOMAIN ? Ede.STALE_NXDOMAIN_ANSWER : Ede.STALE_ANSWER;
  return reply;
}

/**
 * Copies the found entry to the query's own buffer, or to the scratch buffer when it has no room or is not aligned. False when it was changed. Id,
 * RD, CD and the spelling of the name are put right when the reply is sent.
 */
function copyEntry(region: Region, q: Query): boolean {
  const { reader } = region;
  const view = wordsOf(q.out);
  if (view !== null && HEADER_WORDS + reader.bodyWords <= view.length) {
    bytes = q.out;
    words = view;
  } else {
    bytes = scratch.bytes;
    words = scratch.words;
  }
  words[0] = region.head0;
  words[1] = region.head1;
  words[2] = region.head2;
  return reader.copyBody(words, HEADER_WORDS) && reader.isWhole;
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
