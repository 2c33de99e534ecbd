// Hot path. Messages on their way into a byte stream, each with its two-byte length in front (RFC 1035 4.2.2), gathered for one write.
import type { Writable } from 'node:stream';

/** From so many gathered bytes on they are to be written: more in one write saves nothing. */
const FULL_BYTES = 32_768;

/** First size of the buffer, for a dozen replies of the usual length. */
const FIRST_BYTES = 1024;

const LENGTH_BYTES = 2;

/** A loop copies up to this many bytes faster than `set` with its view (bench/micro/finish.ts). */
const SHORT_COPY_BYTES = 48;

const EMPTY: Buffer = Buffer.alloc(0);

export class FrameWriter {
  readonly #keptBytes: number;
  #bytes = EMPTY;
  #length = 0;

  /** A buffer of up to `keptBytes` is kept from one write to the next. */
  constructor(keptBytes = FIRST_BYTES) {
    this.#keptBytes = keptBytes;
  }

  get isEmpty(): boolean {
    return this.#length === 0;
  }

  /** Enough is gathered: `writeTo` before more is added. */
  get isFull(): boolean {
    return this.#length >= FULL_BYTES;
  }

  /** Adds a copy of the first `length` bytes of `message`, 65,535 at most. */
  append(message: Uint8Array, length: number): void {
    let at = this.#length;
    const end = at + LENGTH_BYTES + length;
    if (end > this.#bytes.length) this.#grow(end);
    const bytes = this.#bytes;
    bytes[at++] = length >> 8;
    bytes[at++] = length & 255;
    if (length > SHORT_COPY_BYTES) bytes.set(message.subarray(0, length), at);
    else for (let i = 0; i < length; i++) bytes[at + i] = message[i] as number;
    this.#length = end;
  }

  /** Writes what is gathered. False asks to wait for `drain`, as `write` does. */
  writeTo(stream: Writable): boolean {
    const isTaken = stream.write(this.#bytes.subarray(0, this.#length));
    this.#length = 0;
    // What the kernel did not take at once is still read from the buffer, which is the stream's then.
    if (stream.writableLength > 0 || this.#bytes.length > this.#keptBytes) this.#bytes = EMPTY;
    return isTaken;
  }

  clear(): void {
    this.#length = 0;
  }

  #grow(size: number): void {
    // Not from Buffer's pool: a view of it would keep 8 KB alive.
    const bytes = Buffer.allocUnsafeSlow(Math.max(FIRST_BYTES, size, this.#bytes.length * 2));
    this.#bytes.copy(bytes, 0, 0, this.#length);
    this.#bytes = bytes;
  }
}

/** A writer for connections that are served one after another: it keeps a buffer of the size that busy ones need. */
export function sharedFrameWriter(): FrameWriter {
  return new FrameWriter(2 * FULL_BYTES);
}
