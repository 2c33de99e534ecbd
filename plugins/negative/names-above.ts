// Hot path for misses. The names above a question name, the nearest first, as words for hashing and comparing.
import type { Query } from '../../core/plugin.js';

/** The longest name in words (RFC 1035 2.3.4). */
const NAME_WORDS = 64;

/** Names looked at for one query: real names have fewer labels; one made of 127 is made to cost time. */
const MAX_NAMES = 16;

/** One query after another; one per worker and cache. */
export class NamesAbove {
  /** The name that `next` came to, in lower case with zeros behind it, and its length in bytes. */
  readonly words = new Uint32Array(NAME_WORDS);
  bytes = 0;
  /** Where it starts in the question name. */
  at = 0;
  readonly #octets = new Uint8Array(this.words.buffer);
  #folded: Uint8Array = this.#octets;
  #end = 0;
  #left = 0;

  /** Begins with the names above that of `q` that have more than `labels` labels. */
  begin(q: Query, labels: number): void {
    this.#folded = q.folded;
    this.#end = q.qnameEnd - q.qnameOffset;
    this.at = 0;
    this.#left = Math.min(q.labels - 1 - labels, MAX_NAMES);
  }

  /** Goes to the next name; false when there is none. */
  next(): boolean {
    if (this.#left <= 0) return false;
    this.#left--;
    this.skip();
    return true;
  }

  /** Goes one label up, however many names were looked at. */
  skip(): void {
    const from = this.#folded;
    const to = this.#octets;
    this.at += (from[this.at] as number) + 1;
    this.bytes = this.#end - this.at;
    this.words[(this.bytes - 1) >> 2] = 0;
    for (let i = 0; i < this.bytes; i++) to[i] = from[this.at + i] as number;
  }
}
