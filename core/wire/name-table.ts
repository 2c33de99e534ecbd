// Which names a message being written holds already, so that others can point to them (RFC 1035 4.1.4).
import { equalNames, FOLD, MAX_LABEL_BYTES, MAX_NAME_BYTES, NameError } from './name.js';

/**
 * Places of the hash table, a power of two; it is kept at most three quarters full. Names past that are only not pointed to: 16 KB, as far as a pointer
 * reaches, have no more than these unless their labels are single letters.
 */
const TABLE_SIZE = 4096;
const MAX_ENTRIES = 3072;

/** The highest offset a pointer can name: 14 bits. */
const MAX_POINTER = 0x3fff;

/** Labels a name of 255 bytes can have, the root not counted. */
const MAX_LABELS = 127;

/**
 * Open-addressed hash table of offsets in the message. `load` takes a name in hand; `find` and `remember` then speak of its tail from label
 * `i` on. Entries can be taken back only newest first, which keeps every probe sequence whole.
 */
export class NameTable {
  /** Offset just past the name in hand, root included. */
  end = 0;
  /** Offsets of the labels of the name in hand. */
  readonly labels = new Uint16Array(MAX_LABELS);
  /** Hashes of the name in hand from each label on. */
  readonly #hashes = new Uint32Array(MAX_LABELS);
  /** Offset of a name in the message; 0 is an empty place. */
  readonly #places = new Uint16Array(TABLE_SIZE);
  /** The places taken, oldest first. */
  readonly #taken = new Uint16Array(MAX_ENTRIES);
  #count = 0;

  /** Entries so far: what `forget` goes back to. */
  get count(): number {
    return this.#count;
  }

  clear(): void {
    this.forget(0);
  }

  /** Takes the uncompressed name at `at`, which must end before `end`, and returns its number of labels. Throws NameError. */
  load(name: Uint8Array, at: number, end: number): number {
    let count = 0;
    let pos = at;
    let octet = pos < end ? name[pos]! : 0xff;
    while (octet !== 0) {
      if (octet > MAX_LABEL_BYTES || count === MAX_LABELS) throw malformed();
      this.labels[count++] = pos;
      pos += octet + 1;
      octet = pos < end ? name[pos]! : 0xff;
    }
    if (pos + 1 - at > MAX_NAME_BYTES) throw malformed();
    this.end = pos + 1;
    // From the right, so that equal tails have equal hashes (FNV-1a).
    let hash = 0x811c9dc5;
    for (let i = count - 1; i >= 0; i--) {
      const start = this.labels[i]!;
      for (let p = start + name[start]!; p >= start; p--) {
        hash = Math.imul(hash ^ FOLD[name[p]!]!, 0x01000193);
      }
      this.#hashes[i] = hash;
    }
    return count;
  }

  /** Where in `out` the tail of `name`, the name in hand, stands from label `i` on; 0 when it does not. */
  find(i: number, name: Uint8Array, out: Uint8Array): number {
    let place = this.#first(i);
    let offset = this.#places[place]!;
    while (offset !== 0) {
      if (equalNames(out, offset, name, this.labels[i]!)) return offset;
      place = (place + 1) & (TABLE_SIZE - 1);
      offset = this.#places[place]!;
    }
    return 0;
  }

  /** Notes that the tail of the name in hand from label `i` on stands at `offset`. */
  remember(i: number, offset: number): void {
    if (offset > MAX_POINTER || this.#count === MAX_ENTRIES) return;
    let place = this.#first(i);
    while (this.#places[place] !== 0) place = (place + 1) & (TABLE_SIZE - 1);
    this.#places[place] = offset;
    this.#taken[this.#count++] = place;
  }

  /** Takes back the newest entries until `count` are left. */
  forget(count: number): void {
    while (this.#count > count) this.#places[this.#taken[--this.#count]!] = 0;
  }

  #first(i: number): number {
    const hash = this.#hashes[i]!;
    return (hash ^ (hash >>> 16)) & (TABLE_SIZE - 1);
  }
}

function malformed(): NameError {
  return new NameError('not a domain name in wire form');
}
