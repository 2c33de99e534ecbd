// A socket layer without a network: every datagram sent on a connected socket is answered at once, with an A record. For what a miss costs beside the
// system calls.
import type { Batch, SocketLayer, UdpSocket } from '../../core/system/sockets.js';
import { createSocketLayer } from '../../core/testing.js';
import { writeAnswer } from './canned-answer.js';

export class ShortCircuit implements SocketLayer {
  readonly isBatched = true;
  readonly stats = { wakeups: 0, batches: 0 };
  readonly wakeup = -1;
  readonly #batches = createSocketLayer({ force: 'dgram' });
  readonly #hooks: (() => void)[] = [];
  readonly #sockets = new Set<EchoSocket>();

  createBatch(capacity: number, slotBytes: number): Batch {
    return this.#batches.createBatch(capacity, slotBytes);
  }

  listen(): Promise<UdpSocket> {
    return Promise.reject(new Error('nothing listens here'));
  }

  connect(_remote: object, _local: string | undefined, read: (s: UdpSocket) => void): UdpSocket {
    const socket = new EchoSocket(read, () => this.#sockets.delete(socket));
    this.#sockets.add(socket);
    return socket;
  }

  onFlush(hook: () => void): () => void {
    this.#hooks.push(hook);
    return () => this.#hooks.splice(this.#hooks.indexOf(hook), 1);
  }

  requestFlush(): void {}

  start(): void {}

  async stop(): Promise<void> {}

  /** Sends what is queued, then brings in the answers. */
  turn(): void {
    for (let i = 0; i < this.#hooks.length; i++) this.#hooks[i]?.();
    for (const socket of this.#sockets) socket.read();
  }
}

class EchoSocket implements UdpSocket {
  readonly family = 4;
  readonly localPort = 0;
  readonly #onReadable: (socket: UdpSocket) => void;
  readonly #onClose: () => void;
  /** What was sent, until it is received. */
  #sent: Batch | undefined;
  #first = 0;
  #count = 0;

  constructor(onReadable: (socket: UdpSocket) => void, onClose: () => void) {
    this.#onReadable = onReadable;
    this.#onClose = onClose;
  }

  read(): void {
    while (this.#count > 0) this.#onReadable(this);
  }

  receive(into: Batch): number {
    const from = this.#sent;
    const count = Math.min(into.capacity, this.#count);
    for (let i = 0; i < count && from !== undefined; i++) {
      const query = from.data[this.#first + i] as Uint8Array;
      into.lengths[i] = writeAnswer(query, 0, into.data[i] as Uint8Array, 0);
    }
    this.#first += count;
    this.#count -= count;
    return count;
  }

  /** The slots are only used again after a turn. */
  send(from: Batch, first: number, count: number): number {
    this.#sent = from;
    this.#first = first;
    this.#count = count;
    return count;
  }

  pause(): void {}

  close(): void {
    this.#onClose();
  }
}
