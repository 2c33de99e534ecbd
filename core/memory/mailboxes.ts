// Messages of words from worker to worker: a ring in shared memory for each, and a wake-up for who sleeps. For what is rare: a wake-up costs some 10 us.
//
// Senders write one at a time, under the box's lock; its owner reads without. A message is one piece, its length first; a length of 0 says that the next
// one is at the start of the ring. When there is no room the message is lost, and the owner is told that something was.
import { takeOver, tryLock, unlock } from './lock.js';

/** Words before the ring: its lock, where the next message is written and read, what wakes the owner, whether something was lost. */
const Box = { LOCK: 0, HEAD: 1, TAIL: 2, SIGNAL: 3, LOST: 4 } as const;
const RING_AT = 16;

/** Words of a ring: 256 KiB, three of the largest messages that DNS has or a thousand usual ones. */
const RING_WORDS = 65_536;

const BOX_WORDS = RING_AT + RING_WORDS;

/** Empty boxes for so many workers. */
export function allocateMailboxes(workers: number): SharedArrayBuffer {
  return new SharedArrayBuffer(workers * BOX_WORDS * Int32Array.BYTES_PER_ELEMENT);
}

export class Mailboxes {
  readonly #words: Int32Array;
  /** Who writes, for the locks: not 0. */
  readonly #owner: number;
  /** The box that is read. */
  readonly #own: number;
  #onMail: () => void = () => {};
  #isOpen = false;

  constructor(memory: SharedArrayBuffer, worker: number) {
    this.#words = new Int32Array(memory);
    this.#owner = worker + 1;
    this.#own = worker * BOX_WORDS;
  }

  /** Sends the first `count` words, at least one. False when there is no room: the receiver is told that it missed something. */
  post(worker: number, message: Int32Array, count: number): boolean {
    const box = worker * BOX_WORDS;
    let isPosted = false;
    if (tryLock(this.#words, box + Box.LOCK, this.#owner)) {
      isPosted = this.#append(box, message, count);
      unlock(this.#words, box + Box.LOCK);
    }
    if (isPosted) this.#wake(box);
    else this.lose(worker);
    return isPosted;
  }

  /** Tells a worker that it missed something. */
  lose(worker: number): void {
    const box = worker * BOX_WORDS;
    Atomics.store(this.#words, box + Box.LOST, 1);
    this.#wake(box);
  }

  /** Copies the next message; gives its words, 0 when there is none. `into` has room for the longest one. */
  take(into: Int32Array): number {
    const words = this.#words;
    const ring = this.#own + RING_AT;
    const head = Atomics.load(words, this.#own + Box.HEAD);
    let tail = words[this.#own + Box.TAIL]!;
    if (tail === head) return 0;
    if (words[ring + tail] === 0) tail = 0;
    const count = words[ring + tail]!;
    into.set(words.subarray(ring + tail + 1, ring + tail + 1 + count));
    Atomics.store(words, this.#own + Box.TAIL, (tail + 1 + count) % RING_WORDS);
    return count;
  }

  /** Whether something was lost since the last call. */
  takeLost(): boolean {
    return Atomics.exchange(this.#words, this.#own + Box.LOST, 0) !== 0;
  }

  /** Calls `onMail` when there may be something to take, until `close`. */
  open(onMail: () => void): void {
    this.#onMail = onMail;
    this.#isOpen = true;
    this.#listen();
  }

  close(): void {
    this.#isOpen = false;
    // Nobody waits for it any more.
    this.#wake(this.#own);
  }

  /** Frees the locks that a worker held when it ended; what it was writing was never there. For the main thread. */
  releaseAll(worker: number): void {
    for (let box = 0; box < this.#words.length; box += BOX_WORDS) {
      if (takeOver(this.#words, box + Box.LOCK, worker + 1, this.#owner)) {
        unlock(this.#words, box + Box.LOCK);
      }
    }
  }

  readonly #listen = (): void => {
    if (!this.#isOpen) return;
    const at = this.#own + Box.SIGNAL;
    const seen = Atomics.load(this.#words, at);
    this.#onMail();
    const waiting = Atomics.waitAsync(this.#words, at, seen);
    if (waiting.async) void waiting.value.then(this.#listen);
    else setImmediate(this.#listen);
  };

  #wake(box: number): void {
    Atomics.add(this.#words, box + Box.SIGNAL, 1);
    Atomics.notify(this.#words, box + Box.SIGNAL);
  }

  /** Head and tail are never the same while there is something in between. */
  #append(box: number, message: Int32Array, count: number): boolean {
    const words = this.#words;
    const ring = box + RING_AT;
    const tail = Atomics.load(words, box + Box.TAIL);
    let head = words[box + Box.HEAD]!;
    const end = head + 1 + count;
    if (head < tail) {
      if (end >= tail) return false;
    } else if (end > RING_WORDS || (end === RING_WORDS && tail === 0)) {
      if (1 + count >= tail) return false;
      words[ring + head] = 0;
      head = 0;
    }
    words[ring + head] = count;
    words.set(count === message.length ? message : message.subarray(0, count), ring + head + 1);
    Atomics.store(words, box + Box.HEAD, (head + 1 + count) % RING_WORDS);
    return true;
  }
}
