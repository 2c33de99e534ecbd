// The kernel's message structures on 64-bit Linux, in 32-bit words, and the block of memory they are laid out in.

// struct mmsghdr. Counts are written as their low word: musl declares them 32 bits wide with padding after.
//   0-1 msg_name   2 msg_namelen   4-5 msg_iov   6-7 msg_iovlen   8-9 msg_control   10-11 msg_controllen   12 msg_flags   14 msg_len
export const HEADER_WORDS = 16;
export const HEADER_BYTES = HEADER_WORDS * 4;
export const NAME_LENGTH = 2;
export const VECTOR_POINTER = 4;
export const VECTOR_COUNT = 6;
export const CONTROL_POINTER = 8;
export const CONTROL_LENGTH = 10;
export const FLAGS = 12;
export const MESSAGE_LENGTH = 14;

// struct iovec: 0-1 base   2-3 length.
export const VECTOR_WORDS = 4;
export const VECTOR_LENGTH = 2;

/** Socket addresses are 28 bytes and stand 32 apart. */
export const ADDRESS_WORDS = 8;

// struct cmsghdr: 0-1 length   2 level   3 type, then the data, padded to 8 bytes.
export const CMSG_LEVEL = 2;
export const CMSG_TYPE = 3;
export const CMSG_DATA = 4;
export const CMSG_HEADER_BYTES = 16;

const CACHE_LINE = 64;

/** Slots stand an odd number of cache lines apart: at a power of two their first lines would share a few cache sets. */
export function slotStride(slotBytes: number): number {
  const lines = Math.ceil(slotBytes / CACHE_LINE);
  return (lines % 2 === 0 ? lines + 1 : lines) * CACHE_LINE;
}

/** Hands out offsets for `capacity` things at a time, on cache lines. */
export class BlockLayout {
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

/** Writes a 64-bit address as two words. */
export function writePointer(words: Int32Array, at: number, address: number): void {
  words[at] = address | 0;
  words[at + 1] = Math.floor(address / 0x100000000);
}
