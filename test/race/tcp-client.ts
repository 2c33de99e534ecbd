// One TCP connection of the clients: pipelines a window of questions, and opens another one when the server has closed it.
import { connect, type Socket } from 'node:net';
import type { Asked } from './check.js';
import type { Draft } from './questions.js';

/** Who asks over connections. */
export interface TcpOwner {
  next(id: number, tcp: boolean): Asked | undefined;
  again(draft: Draft, id: number): Asked;
  /** `cutAt` is the room that the same question's reply over UDP had too little of, 0 when it was not asked. */
  take(asked: Asked, wire: Buffer, cutAt: number): void;
  unexpected: number;
  lost: number;
}

interface Outstanding {
  readonly asked: Asked;
  readonly cutAt: number;
}

const REOPEN_MS = 50;
/** What waits to be asked again; more is dropped. */
const MAX_WAITING = 256;
/** After so many questions a connection is closed and another one opened. */
const MAX_QUESTIONS = 5000;

export class TcpClient {
  readonly #port: number;
  readonly #window: number;
  readonly #owner: TcpOwner;
  readonly #outstanding = new Map<number, Outstanding>();
  readonly #waiting: { draft: Draft; cutAt: number }[] = [];
  #socket: Socket;
  #buffered = Buffer.alloc(0);
  #id = 0;
  #asked = 0;
  #isClosed = false;
  #isOpen = false;

  constructor(port: number, window: number, owner: TcpOwner) {
    this.#port = port;
    this.#window = window;
    this.#owner = owner;
    this.#socket = this.#open();
  }

  askAgain(draft: Draft, cutAt: number): void {
    if (this.#waiting.length < MAX_WAITING) this.#waiting.push({ draft, cutAt });
    if (this.#isOpen) this.#fill();
  }

  /** Gives up what was sent before; how many. */
  tick(beforeMs: number): number {
    let count = 0;
    for (const [id, { asked }] of this.#outstanding) {
      if (asked.sentMs >= beforeMs) break;
      this.#outstanding.delete(id);
      count++;
    }
    if (this.#isOpen) this.#fill();
    return count;
  }

  close(): void {
    this.#isClosed = true;
    this.#socket.destroy();
  }

  #open(): Socket {
    const socket = connect({ host: '127.0.0.1', port: this.#port, noDelay: true });
    this.#buffered = Buffer.alloc(0);
    this.#asked = 0;
    socket.on('connect', () => {
      this.#isOpen = true;
      this.#fill();
    });
    socket.on('data', (chunk) => this.#read(chunk));
    socket.on('error', () => {});
    socket.on('close', () => {
      this.#isOpen = false;
      // The server may close whenever it likes; what was asked is lost then.
      this.#owner.lost += this.#outstanding.size;
      this.#outstanding.clear();
      if (!this.#isClosed) setTimeout(() => this.#reopen(), REOPEN_MS);
    });
    return socket;
  }

  #reopen(): void {
    if (!this.#isClosed) this.#socket = this.#open();
  }

  #fill(): void {
    const frames: Buffer[] = [];
    while (this.#outstanding.size < this.#window && this.#asked < MAX_QUESTIONS) {
      const id = this.#id;
      const again = this.#waiting.shift();
      const asked =
        again === undefined ? this.#owner.next(id, true) : this.#owner.again(again.draft, id);
      if (asked === undefined) break;
      this.#id = (id + 1) & 0xffff;
      this.#asked++;
      this.#outstanding.set(id, { asked, cutAt: again?.cutAt ?? 0 });
      const length = Buffer.alloc(2);
      length.writeUInt16BE(asked.wire.length);
      frames.push(length, asked.wire);
    }
    if (frames.length > 0) this.#socket.write(Buffer.concat(frames));
    else if (this.#asked >= MAX_QUESTIONS && this.#outstanding.size === 0) this.#socket.end();
  }

  #read(chunk: Buffer): void {
    this.#buffered = Buffer.concat([this.#buffered, chunk]);
    while (this.#buffered.length >= 2) {
      const end = 2 + this.#buffered.readUInt16BE(0);
      if (this.#buffered.length < end) break;
      const wire = Buffer.from(this.#buffered.subarray(2, end));
      this.#buffered = this.#buffered.subarray(end);
      const id = wire.length < 2 ? -1 : wire.readUInt16BE(0);
      const found = this.#outstanding.get(id);
      this.#outstanding.delete(id);
      if (found === undefined) this.#owner.unexpected++;
      else this.#owner.take(found.asked, wire, found.cutAt);
    }
    this.#fill();
  }
}
