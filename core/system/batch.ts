// Hot path. The memory of a batch for recvmmsg and sendmmsg: slots, message headers and control messages in one block the kernel is pointed to.
import { offsetsInKernels, placeForKernels } from '../simd/kernels.js';
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
import {
  ADDRESS_WORDS,
  BlockLayout,
  CMSG_DATA,
  CMSG_HEADER_BYTES,
  CMSG_LEVEL,
  CMSG_TYPE,
  CONTROL_LENGTH,
  CONTROL_POINTER,
  FLAGS,
  HEADER_BYTES,
  HEADER_WORDS,
  MESSAGE_LENGTH,
  NAME_LENGTH,
  slotStride,
  VECTOR_COUNT,
  VECTOR_LENGTH,
  VECTOR_POINTER,
  VECTOR_WORDS,
  writePointer,
} from './message-layout.js';
import { Segments } from './segments.js';
import type { Batch } from './sockets.js';

/** Room for in_pktinfo (ifindex, spec_dst, addr) or in6_pktinfo (addr of 4 words, ifindex) with header and padding. */
const CONTROL_WORDS = 12;
const CONTROL_BYTES = CONTROL_WORDS * 4;
const PKTINFO4_BYTES = 12;
const PKTINFO6_BYTES = 20;

/** recvmmsg and sendmmsg take no more (UIO_MAXIOV). */
const MAX_CAPACITY = 1024;

/** A batch for the kernel. The header tables hold pointers into the block itself, so a batch must stay referenced while a call runs. */
export class MmsgBatch implements Batch {
  readonly capacity: number;
  readonly data: readonly Uint8Array[];
  readonly kernelAt: Int32Array;
  readonly lengths: Int32Array;
  readonly peers: readonly Uint8Array[];
  readonly locals: readonly Uint8Array[];
  /** Addresses of the two header tables. */
  readonly receiveHeaders: number;
  readonly sendHeaders: number;
  readonly #libc: Libc;
  readonly #receive: Int32Array;
  readonly #send: Int32Array;
  readonly #sendVectors: Int32Array;
  readonly #peers: Int32Array;
  readonly #locals: Int32Array;
  readonly #receiveControl: Int32Array;
  readonly #sendControl: Int32Array;
  #takesControl = false;
  #sendsControl = false;
  #segments: Segments | undefined;

  constructor(libc: Libc, capacity: number, slotBytes: number, isForKernels = false) {
    if (capacity < 1 || capacity > MAX_CAPACITY) throw new RangeError(`batch of ${capacity}`);
    this.#libc = libc;
    this.capacity = capacity;
    this.lengths = new Int32Array(capacity);
    const stride = slotStride(slotBytes);
    const layout = new BlockLayout(capacity);
    const data = layout.take(stride);
    const receive = layout.take(HEADER_BYTES);
    const send = layout.take(HEADER_BYTES);
    const receiveVectors = layout.take(VECTOR_WORDS * 4);
    const sendVectors = layout.take(VECTOR_WORDS * 4);
    const peers = layout.take(ADDRESS_WORDS * 4);
    const locals = layout.take(ADDRESS_WORDS * 4);
    const receiveControl = layout.take(CONTROL_BYTES);
    const sendControl = layout.take(CONTROL_BYTES);

    const place = isForKernels ? placeForKernels(layout.bytes) : undefined;
    const { memory, at } = place ?? { memory: new SharedArrayBuffer(layout.bytes), at: 0 };
    const base = libc.addressOf(new Uint8Array(memory, at));
    const words = (offset: number): Int32Array => new Int32Array(memory, at + offset);
    const slots = (offset: number, step: number, size: number): Uint8Array[] =>
      Array.from({ length: capacity }, (_, i) => {
        return new Uint8Array(memory, at + offset + i * step, size);
      });
    this.data = slots(data, stride, slotBytes);
    this.kernelAt = offsetsInKernels(place, capacity, data, stride);
    this.peers = slots(peers, ADDRESS_WORDS * 4, SOCKADDR_BYTES);
    this.locals = slots(locals, ADDRESS_WORDS * 4, SOCKADDR_BYTES);
    this.receiveHeaders = base + receive;
    this.sendHeaders = base + send;
    this.#receive = words(receive);
    this.#send = words(send);
    this.#sendVectors = words(sendVectors);
    this.#peers = words(peers);
    this.#locals = words(locals);
    this.#receiveControl = words(receiveControl);
    this.#sendControl = words(sendControl);

    const all = words(0);
    const table = (headers: number, vectors: number, control: number): void => {
      for (let i = 0; i < capacity; i++) {
        const header = headers / 4 + i * HEADER_WORDS;
        const vector = vectors / 4 + i * VECTOR_WORDS;
        writePointer(all, header, base + peers + i * ADDRESS_WORDS * 4);
        all[header + NAME_LENGTH] = SOCKADDR_BYTES;
        writePointer(all, header + VECTOR_POINTER, base + vector * 4);
        all[header + VECTOR_COUNT] = 1;
        writePointer(all, header + CONTROL_POINTER, base + control + i * CONTROL_BYTES);
        writePointer(all, vector, base + data + i * stride);
        all[vector + VECTOR_LENGTH] = slotBytes;
      }
    };
    table(receive, receiveVectors, receiveControl);
    table(send, sendVectors, sendControl);
  }

  /** Tables to send this batch in groups, made when first asked for. */
  get segments(): Segments {
    this.#segments ??= new Segments(this.#libc, {
      capacity: this.capacity,
      lengths: this.lengths,
      headers: this.#send,
      vectors: this.#sendVectors,
      peers: this.#peers,
    });
    return this.#segments;
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
    const type = control[c + CMSG_TYPE] as number;
    locals[a] = 0;
    if (controlLength < CMSG_HEADER_BYTES) return;
    if (type === IP_PKTINFO && control[c + CMSG_LEVEL] === IPPROTO_IP) {
      locals[a] = AF_INET | portWord;
      locals[a + 1] = control[c + CMSG_DATA + 1] as number;
    } else if (type === IPV6_PKTINFO && control[c + CMSG_LEVEL] === IPPROTO_IPV6) {
      locals[a] = AF_INET6 | portWord;
      locals[a + 1] = 0;
      for (let k = 0; k < 4; k++) locals[a + 2 + k] = control[c + CMSG_DATA + k] as number;
      // Only a link-local address is bound to its interface; for others the route decides. fe80::/10, bytes in memory order.
      const isLinkLocal = ((control[c + CMSG_DATA] as number) & 0xc0ff) === 0x80fe;
      locals[a + 6] = isLinkLocal ? (control[c + CMSG_DATA + 4] as number) : 0;
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
      control[c + CMSG_LEVEL] = IPPROTO_IP;
      control[c + CMSG_TYPE] = IP_PKTINFO;
      control[c + CMSG_DATA] = 0;
      control[c + CMSG_DATA + 1] = locals[a + 1] as number;
      return CMSG_HEADER_BYTES + 16;
    }
    if (family === AF_INET6) {
      control[c] = CMSG_HEADER_BYTES + PKTINFO6_BYTES;
      control[c + CMSG_LEVEL] = IPPROTO_IPV6;
      control[c + CMSG_TYPE] = IPV6_PKTINFO;
      for (let k = 0; k < 4; k++) control[c + CMSG_DATA + k] = locals[a + 2 + k] as number;
      control[c + CMSG_DATA + 4] = locals[a + 6] as number;
      return CMSG_HEADER_BYTES + 24;
    }
    return 0;
  }
}

/** The length of a peer's address that sendmmsg wants for a socket of `family`. */
export function nameLengthOf(family: 4 | 6): number {
  return family === 4 ? SOCKADDR4_BYTES : SOCKADDR_BYTES;
}
