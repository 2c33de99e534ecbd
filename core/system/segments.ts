// Hot path. Datagrams of one length to one peer leave as one message that the kernel cuts (UDP_SEGMENT), so that the way down the stack is
// paid once. It pays where few clients ask much (a proxy, a resolver with one socket) and where queries go to one upstream: echo with 8 clients of 32
// outstanding queries each 2.87 us per answer, 3.10 without; a client that groups its queries too brings it to 1.7 us.
import { SOCKADDR4_BYTES } from './address.js';
import type { Libc } from './libc.js';
import { SOL_UDP, UDP_SEGMENT } from './linux.js';
import {
  ADDRESS_WORDS,
  BlockLayout,
  CMSG_DATA,
  CMSG_HEADER_BYTES,
  CMSG_LEVEL,
  CMSG_TYPE,
  CONTROL_LENGTH,
  CONTROL_POINTER,
  HEADER_BYTES,
  HEADER_WORDS,
  NAME_LENGTH,
  VECTOR_COUNT,
  VECTOR_LENGTH,
  VECTOR_POINTER,
  VECTOR_WORDS,
  writePointer,
} from './message-layout.js';

/** Segments the kernel accepts in one message (UDP_MAX_SEGMENTS of older kernels). */
const MAX_SEGMENTS = 64;
/** A segment must fit the path whole: what every IPv6 path carries, 1280 bytes less the headers. */
const MAX_LENGTH = 1232;
const CONTROL_WORDS = 6;
const CONTROL_BYTES = CONTROL_WORDS * 4;
const SEGMENT_SIZE_BYTES = 2;

/** The tables of the batch whose slots are sent, as 32-bit words. */
export interface SendTables {
  readonly capacity: number;
  readonly lengths: Int32Array;
  readonly headers: Int32Array;
  readonly vectors: Int32Array;
  readonly peers: Int32Array;
}

/** Message headers for groups of slots. A group keeps the order of its slots; groups are in the order of their first slots. */
export class Segments {
  /** Address of the header table. */
  readonly headers: number;
  readonly #from: SendTables;
  readonly #headers: Int32Array;
  readonly #vectors: Int32Array;
  readonly #vectorsAddress: number;
  readonly #control: Int32Array;
  /** Per group: its first slot, how many it has, where its vectors start and how many are written. */
  readonly #firsts: Int32Array;
  readonly #sizes: Int32Array;
  readonly #starts: Int32Array;
  readonly #filled: Int32Array;
  /** Slot behind each vector; group of each slot. */
  readonly #slots: Int32Array;
  readonly #groups: Int32Array;
  /** Open addressing by peer and length: number of the group that takes more of its kind, plus 1. At most half full. */
  readonly #index: Int32Array;
  readonly #mask: number;

  constructor(libc: Libc, from: SendTables) {
    const { capacity } = from;
    this.#from = from;
    const layout = new BlockLayout(capacity);
    const headers = layout.take(HEADER_BYTES);
    const vectors = layout.take(VECTOR_WORDS * 4);
    const control = layout.take(CONTROL_BYTES);
    const memory = new SharedArrayBuffer(layout.bytes);
    const base = libc.addressOf(new Uint8Array(memory));
    this.headers = base + headers;
    this.#vectorsAddress = base + vectors;
    this.#headers = new Int32Array(memory, headers);
    this.#vectors = new Int32Array(memory, vectors);
    this.#control = new Int32Array(memory, control);
    for (let i = 0; i < capacity; i++) {
      const c = i * CONTROL_WORDS;
      this.#control[c] = CMSG_HEADER_BYTES + SEGMENT_SIZE_BYTES;
      this.#control[c + CMSG_LEVEL] = SOL_UDP;
      this.#control[c + CMSG_TYPE] = UDP_SEGMENT;
      const pointer = i * HEADER_WORDS + CONTROL_POINTER;
      writePointer(this.#headers, pointer, base + control + i * CONTROL_BYTES);
    }
    this.#firsts = new Int32Array(capacity);
    this.#sizes = new Int32Array(capacity);
    this.#starts = new Int32Array(capacity);
    this.#filled = new Int32Array(capacity);
    this.#slots = new Int32Array(capacity);
    this.#groups = new Int32Array(capacity);
    this.#index = new Int32Array(2 << (32 - Math.clz32(capacity - 1)));
    this.#mask = this.#index.length - 1;
  }

  /**
   * Groups slots `first` to `first + count` - 1 and writes a header for each group; how many there are. `nameLength` is that of a peer's address, 0 on a
   * connected socket, where only lengths count.
   */
  group(first: number, count: number, nameLength: number): number {
    this.#index.fill(0);
    let groups = 0;
    for (let slot = first; slot < first + count; slot++) {
      const group = this.#find(slot, groups, nameLength);
      if (group === groups) {
        groups++;
        this.#firsts[group] = slot;
        this.#sizes[group] = 0;
      }
      this.#sizes[group] = (this.#sizes[group] as number) + 1;
      this.#groups[slot] = group;
    }
    this.#writeHeaders(groups, nameLength);
    for (let slot = first; slot < first + count; slot++) this.#writeVector(slot);
    return groups;
  }

  /** Datagrams in a group. */
  sizeOf(group: number): number {
    return this.#sizes[group] as number;
  }

  /** The slot of the `i`-th datagram of a group. */
  memberOf(group: number, i: number): number {
    return this.#slots[(this.#starts[group] as number) + i] as number;
  }

  /** The group that `slot` joins; `fresh`, the next number, when it starts one. */
  #find(slot: number, fresh: number, nameLength: number): number {
    const length = this.#from.lengths[slot] as number;
    if (length <= 0 || length > MAX_LENGTH) return fresh;
    const index = this.#index;
    for (let at = this.#hash(slot, length, nameLength); ; at++) {
      const group = (index[at & this.#mask] as number) - 1;
      const isOther = group >= 0 && !this.#isAlike(this.#firsts[group] as number, slot, nameLength);
      if (isOther) continue;
      if (group >= 0 && (this.#sizes[group] as number) < MAX_SEGMENTS) return group;
      index[at & this.#mask] = fresh + 1;
      return fresh;
    }
  }

  #hash(slot: number, length: number, nameLength: number): number {
    const { peers } = this.#from;
    const mixedLength = Math.imul(length, 0x9e3779b1);
    if (nameLength === 0) return mixedLength ^ (mixedLength >>> 16);
    const p = slot * ADDRESS_WORDS;
    const address = peers[nameLength === SOCKADDR4_BYTES ? p + 1 : p + 5] as number;
    const h = Math.imul((peers[p] as number) ^ mixedLength, 0x85ebca6b);
    const mixed = Math.imul(h ^ (h >>> 15) ^ address, 0xc2b2ae35);
    return mixed ^ (mixed >>> 16);
  }

  #isAlike(a: number, b: number, nameLength: number): boolean {
    const { lengths, peers } = this.#from;
    if (lengths[a] !== lengths[b]) return false;
    const words = nameLength >> 2;
    const p = a * ADDRESS_WORDS;
    const q = b * ADDRESS_WORDS;
    // sockaddr_in counts up to its address: the 8 bytes after are padding.
    const end = nameLength === SOCKADDR4_BYTES ? 2 : words;
    for (let i = 0; i < end; i++) if (peers[p + i] !== peers[q + i]) return false;
    return true;
  }

  #writeHeaders(groups: number, nameLength: number): void {
    const headers = this.#headers;
    const from = this.#from;
    let start = 0;
    for (let group = 0; group < groups; group++) {
      const slot = this.#firsts[group] as number;
      const size = this.#sizes[group] as number;
      const h = group * HEADER_WORDS;
      const own = slot * HEADER_WORDS;
      headers[h] = from.headers[own] as number;
      headers[h + 1] = from.headers[own + 1] as number;
      headers[h + NAME_LENGTH] = nameLength;
      writePointer(headers, h + VECTOR_POINTER, this.#vectorsAddress + start * VECTOR_WORDS * 4);
      headers[h + VECTOR_COUNT] = size;
      headers[h + CONTROL_LENGTH] = size > 1 ? CONTROL_BYTES : 0;
      this.#control[group * CONTROL_WORDS + CMSG_DATA] = from.lengths[slot] as number;
      this.#starts[group] = start;
      this.#filled[group] = start;
      start += size;
    }
  }

  #writeVector(slot: number): void {
    const from = this.#from;
    const group = this.#groups[slot] as number;
    const at = this.#filled[group] as number;
    this.#filled[group] = at + 1;
    this.#slots[at] = slot;
    const v = at * VECTOR_WORDS;
    const own = slot * VECTOR_WORDS;
    this.#vectors[v] = from.vectors[own] as number;
    this.#vectors[v + 1] = from.vectors[own + 1] as number;
    this.#vectors[v + VECTOR_LENGTH] = from.lengths[slot] as number;
  }
}
