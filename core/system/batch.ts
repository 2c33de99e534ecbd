// Hot path. The memory of a batch for recvmmsg and sendmmsg: slots, message headers and control messages in one block the kernel is pointed to.
import { SOCKADDR_BYTES, SOCKADDR4_BYTES } from './address.js';
import type { Libc } from './libc.js';
import {
  AF_INET,
  AF_INET6,
  IP_PKTINFO,
  IPPROTO_IP,
  IPPROTO_IPV6,
  IPV6_PKTINFO,
  MSG_TRUNC,
} from './linux.js';
import type { Batch } from './sockets.js';

// struct mmsghdr on 64-bit Linux, in 32-bit words. Counts are written as their low word: musl declares them 32 bits wide with padding after.
//   0-1 msg_name   2 msg_namelen   4-5 msg_iov   6-7 msg_iovlen   8-9 msg_control   10-11 msg_controllen   12 msg_flags   14 msg_len
const HEADER_WORDS = 16;
const NAME_LENGTH = 2;
const CONTROL_LENGTH = 10;
const FLAGS = 12;
const MESSAGE_LENGTH = 14;

// struct iovec: 0-1 base   2-3 length.
const VECTOR_WORDS = 4;
const VECTOR_LENGTH = 2;

/** Socket addresses are 28 bytes and stand 32 apart. */
const ADDRESS_WORDS = 8;

// struct cmsghdr: 0-1 length   2 level   3 type, then in_pktinfo (ifindex, spec_dst, addr) or in6_pktinfo (addr of 4 words, ifindex).
const CONTROL_WORDS = 12;
const CONTROL_BYTES = CONTROL_WORDS * 4;
const CMSG_HEADER_BYTES = 16;
const PKTINFO4_BYTES = 12;
const PKTINFO6_BYTES = 20;

/** recvmmsg and sendmmsg take no more (UIO_MAXIOV). */
const MAX_CAPACITY = 1024;
const CACHE_LINE = 64;

/** A batch for the kernel. The header tables hold pointers into the block itself, so a batch must stay referenced while a call runs. */
export class MmsgBatch implements Batch {
  readonly capacity: number;
  readonly data: readonly Uint8Array[];
  readonly lengths: Int32Array;
  readonly peers: readonly Uint8Array[];
  readonly locals: readonly Uint8Array[];
  /** Addresses of the two header tables. */
  readonly receiveHeaders: number;
  readonly sendHeaders: number;
  readonly #receive: Int32Array;
  readonly #send: Int32Array;
  readonly #sendVectors: Int32Array;
  readonly #locals: Int32Array;
  readonly #receiveControl: Int32Array;
  readonly #sendControl: Int32Array;
  #takesControl = false;
  #sendsControl = false;

  constructor(libc: Libc, capacity: number, slotBytes: number) {
    if (capacity < 1 || capacity > MAX_CAPACITY) throw new RangeError(`batch of ${capacity}`);
    this.capacity = capacity;
    this.lengths = new Int32Array(capacity);
    const stride = slotStride(slotBytes);
    const layout = new Block(capacity);
    const data = layout.take(stride);
    const receive = layout.take(HEADER_WORDS * 4);
    const send = layout.take(HEADER_WORDS * 4);
    const receiveVectors = layout.take(VECTOR_WORDS * 4);
    const sendVectors = layout.take(VECTOR_WORDS * 4);
    const peers = layout.take(ADDRESS_WORDS * 4);
    const locals = layout.take(ADDRESS_WORDS * 4);
    const receiveControl = layout.take(CONTROL_BYTES);
    const sendControl = layout.take(CONTROL_BYTES);

    const memory = new SharedArrayBuffer(layout.bytes);
    const base = libc.addressOf(new Uint8Array(memory));
    const words = (offset: number): Int32Array => new Int32Array(memory, offset);
    const slots = (offset: number, step: number, size: number): Uint8Array[] =>
      Array.from({ length: capacity }, (_, i) => new Uint8Array(memory, offset + i * step, size));
    this.data = slots(data, stride, slotBytes);
    this.peers = slots(peers, ADDRESS_WORDS * 4, SOCKADDR_BYTES);
    this.locals = slots(locals, ADDRESS_WORDS * 4, SOCKADDR_BYTES);
    this.receiveHeaders = base + receive;
    this.sendHeaders = base + send;
    this.#receive = words(receive);
    this.#send = words(send);
    this.#sendVectors = words(sendVectors);
    this.#locals = words(locals);
    this.#receiveControl = words(receiveControl);
    this.#sendControl = words(sendControl);

    const pointers = new BigUint64Array(memory);
    const table = (headers: number, vectors: number, control: number): void => {
      for (let i = 0; i < capacity; i++) {
        const header = (headers + i * HEADER_WORDS * 4) / 8;
        const vector = vectors + i * VECTOR_WORDS * 4;
        pointers[header] = BigInt(base + peers + i * ADDRESS_WORDS * 4);
        pointers[header + 1] = BigInt(SOCKADDR_BYTES);
        pointers[header + 2] = BigInt(base + vector);
        pointers[header + 3] = 1n;
        pointers[header + 4] = BigInt(base + control + i * CONTROL_BYTES);
        pointers[vector / 8] = BigInt(base + data + i * stride);
        pointers[vector / 8 + 1] = BigInt(slotBytes);
      }
    };
    table(receive, receiveVectors, receiveControl);
    table(send, sendVectors, sendControl);
  }

  /** Before a receive: whether the kernel is asked for local addresses. Costs something only when the batch last served a socket of the other sort. */
  askForLocals(wanted: boolean): void {
    if (this.#takesControl === wanted) return;
    this.#takesControl = wanted;
    for (let i = 0; i < this.capacity; i++) {
      this.#receive[i * HEADER_WORDS + CONTROL_LENGTH] = wanted ? CONTROL_BYTES : 0;
      this.#locals[i * ADDRESS_WORDS] = 0;
    }
  }

  /** After a receive of `count`: fills `lengths` and `locals` and restores what the kernel overwrote in the headers. `portWord` is for `locals`. */
  takeReceived(count: number, portWord: number): void {
    const headers = this.#receive;
    const lengths = this.lengths;
    for (let i = 0, h = 0; i < count; i++, h += HEADER_WORDS) {
      const isCut = ((headers[h + FLAGS] as number) & MSG_TRUNC) !== 0;
      lengths[i] = isCut ? -1 : (headers[h + MESSAGE_LENGTH] as number);
      headers[h + NAME_LENGTH] = SOCKADDR_BYTES;
      if (this.#takesControl) {
        this.#takeLocal(i, headers[h + CONTROL_LENGTH] as number, portWord);
        headers[h + CONTROL_LENGTH] = CONTROL_BYTES;
      }
    }
  }

  /** Before a send of slots `first` to `first + count` - 1. `nameLength` is 0 on a connected socket, else that of the socket's family. */
  prepareSend(first: number, count: number, nameLength: number, hasLocals: boolean): void {
    const headers = this.#send;
    const vectors = this.#sendVectors;
    const lengths = this.lengths;
    for (let i = first, h = first * HEADER_WORDS; i < first + count; i++, h += HEADER_WORDS) {
      headers[h + NAME_LENGTH] = nameLength;
      vectors[i * VECTOR_WORDS + VECTOR_LENGTH] = lengths[i] as number;
      if (hasLocals) headers[h + CONTROL_LENGTH] = this.#giveLocal(i);
      else if (this.#sendsControl) headers[h + CONTROL_LENGTH] = 0;
    }
    if (hasLocals) this.#sendsControl = true;
  }

  #takeLocal(i: number, controlLength: number, portWord: number): void {
    const c = i * CONTROL_WORDS;
    const a = i * ADDRESS_WORDS;
    const control = this.#receiveControl;
    const locals = this.#locals;
    const type = control[c + 3] as number;
    locals[a] = 0;
    if (controlLength < CMSG_HEADER_BYTES) return;
    if (type === IP_PKTINFO && control[c + 2] === IPPROTO_IP) {
      locals[a] = AF_INET | portWord;
      locals[a + 1] = control[c + 5] as number;
    } else if (type === IPV6_PKTINFO && control[c + 2] === IPPROTO_IPV6) {
      locals[a] = AF_INET6 | portWord;
      locals[a + 1] = 0;
      for (let k = 0; k < 4; k++) locals[a + 2 + k] = control[c + 4 + k] as number;
      // Only a link-local address is bound to its interface; for others the route decides. fe80::/10, bytes in memory order.
      const isLinkLocal = ((control[c + 4] as number) & 0xc0ff) === 0x80fe;
      locals[a + 6] = isLinkLocal ? (control[c + 8] as number) : 0;
    }
  }

  /** Writes the control message that makes slot `i` go from its local address; gives its length. */
  #giveLocal(i: number): number {
    const c = i * CONTROL_WORDS;
    const a = i * ADDRESS_WORDS;
    const control = this.#sendControl;
    const locals = this.#locals;
    const family = (locals[a] as number) & 0xffff;
    if (family === AF_INET) {
      control[c] = CMSG_HEADER_BYTES + PKTINFO4_BYTES;
      control[c + 2] = IPPROTO_IP;
      control[c + 3] = IP_PKTINFO;
      control[c + 4] = 0;
      control[c + 5] = locals[a + 1] as number;
      return CMSG_HEADER_BYTES + 16;
    }
    if (family === AF_INET6) {
      control[c] = CMSG_HEADER_BYTES + PKTINFO6_BYTES;
      control[c + 2] = IPPROTO_IPV6;
      control[c + 3] = IPV6_PKTINFO;
      for (let k = 0; k < 4; k++) control[c + 4 + k] = locals[a + 2 + k] as number;
      control[c + 8] = locals[a + 6] as number;
      return CMSG_HEADER_BYTES + 24;
    }
    return 0;
  }
}

/** The length of a peer's address that sendmmsg wants for a socket of `family`. */
export function nameLengthOf(family: 4 | 6): number {
  return family === 4 ? SOCKADDR4_BYTES : SOCKADDR_BYTES;
}

/** Slots stand an odd number of cache lines apart: at a power of two their first lines would share a few cache sets. */
function slotStride(slotBytes: number): number {
  const lines = Math.ceil(slotBytes / CACHE_LINE);
  return (lines % 2 === 0 ? lines + 1 : lines) * CACHE_LINE;
}

/** Hands out offsets for `capacity` things at a time, on cache lines. */
class Block {
  readonly #capacity: number;
  bytes = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  take(stride: number): number {
    const offset = this.bytes;
    this.bytes += Math.ceil((stride * this.#capacity) / CACHE_LINE) * CACHE_LINE;
    return offset;
  }
}
