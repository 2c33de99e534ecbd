// Hot path. Gives a kept reply to a client: copied out of the slab, TTLs of now, the client's own id and question.
import { Ede, type Query, Rcode, type Reply, type SlabReader } from '../../core/plugin.js';
import {
  HEADER_BYTES,
  hasEde,
  MAX_EDE_TEXT_BYTES,
  Meta,
  messageLength,
  Scratch,
  ttlCount,
} from './entry.js';
import { ageTtls, setTtls } from './ttl.js';

const HEADER_WORDS = HEADER_BYTES / 4;

/** TTLs as they were stored. */
export const KEEP_TTL = -1;

/** Where entries go that have no room in a query's own buffer. */
const scratch = new Scratch();

const decoder = new TextDecoder();

/** A reply buffer as words. Two kinds are in use at any time, the send slots and the buffer of deferred queries; others cost a map. */
class WordViews {
  #buffer: ArrayBufferLike = scratch.words.buffer;
  #words: Int32Array = scratch.words;
  readonly #known = new WeakMap<ArrayBufferLike, Int32Array>();

  of(buffer: ArrayBufferLike): Int32Array {
    return buffer === this.#buffer ? this.#words : this.#switchTo(buffer);
  }

  #switchTo(buffer: ArrayBufferLike): Int32Array {
    let words = this.#known.get(buffer);
    if (words === undefined) {
      words = new Int32Array(buffer, 0, buffer.byteLength >> 2);
      this.#known.set(buffer, words);
    }
    this.#buffer = buffer;
    this.#words = words;
    return words;
  }
}

const views = new WordViews();

/** How a stale entry is given out. */
export interface StaleTtl {
  readonly ttl: number;
}

/**
 * The reply for `q` from the entry that `reader` found; null when the entry was changed meanwhile. `age` seconds are taken off its TTLs, with
 * KEEP_TTL none.
 */
export function freshReply(reader: SlabReader, q: Query, age: number): Reply | null {
  const at = copyEntry(reader, q);
  if (at < 0) return null;
  const shape = reader.meta(Meta.SHAPE);
  return null;
}
