// Takes a byte stream apart into messages with a two-byte length in front (RFC 1035 4.2.2), however the stream is split.

/** The longest length prefix plus message. */
const MAX_FRAME = 2 + 65_535;

export class FrameReader {
  readonly #onMessage: (wire: Uint8Array) => void;
  /** Start of a message whose end has not come yet; grows to the whole frame once its length is known. */
  #partial: Uint8Array = new Uint8Array(2);
  #have = 0;
  /** What was not read yet when `hold` was called. */
  #rest: Uint8Array | undefined;
  #isHeld = false;

  /** `onMessage` gets each whole message; its bytes are borrowed until it returns. */
  constructor(onMessage: (wire: Uint8Array) => void) {
    this.#onMessage = onMessage;
  }

  /** A message has begun and not ended. */
  get isPartial(): boolean {
    return this.#have > 0;
  }

  get isHeld(): boolean {
    return this.#isHeld;
  }

  /** Delivers no more messages until `release`; what comes in is kept. The caller stops reading. */
  hold(): void {
    this.#isHeld = true;
  }

  release(): void {
    this.#isHeld = false;
    const rest = this.#rest;
    this.#rest = undefined;
    if (rest !== undefined) this.push(rest);
  }

  /** Takes the next bytes of the stream. */
  push(chunk: Uint8Array): void {
    if (this.#isHeld) {
      this.#rest = this.#rest === undefined ? chunk : Buffer.concat([this.#rest, chunk]);
      return;
    }
    let o = 0;
    while (o < chunk.length) {
      if (this.#isHeld) {
        this.#rest = chunk.subarray(o);
        return;
      }
      o = this.#have > 0 ? this.#fill(chunk, o) : this.#take(chunk, o);
    }
  }

  /** A message that starts at `o`: delivered in place when it is whole, else its start is kept. Gives the offset behind it. */
  #take(chunk: Uint8Array, o: number): number {
    const left = chunk.length - o;
    if (left >= 2) {
      const end = o + 2 + (((chunk[o] as number) << 8) | (chunk[o + 1] as number));
      if (end <= chunk.length) {
        this.#onMessage(chunk.subarray(o + 2, end));
        return end;
      }
    }
    return this.#fill(chunk, o);
  }

  /** Adds bytes to the message under way, and delivers it when that completes it. Gives the offset behind what was used. */
  #fill(chunk: Uint8Array, from: number): number {
    let o = from;
    while (this.#have < 2 && o < chunk.length) this.#partial[this.#have++] = chunk[o++] as number;
    if (this.#have < 2) return o;
    const size = 2 + (((this.#partial[0] as number) << 8) | (this.#partial[1] as number));
    if (this.#partial.length < size) {
      const whole = new Uint8Array(Math.min(size, MAX_FRAME));
      whole.set(this.#partial.subarray(0, 2));
      this.#partial = whole;
    }
    const count = Math.min(size - this.#have, chunk.length - o);
    this.#partial.set(chunk.subarray(o, o + count), this.#have);
    this.#have += count;
    if (this.#have < size) return o + count;
    const whole = this.#partial;
    this.#partial = new Uint8Array(2);
    this.#have = 0;
    this.#onMessage(whole.subarray(2, size));
    return o + count;
  }
}
