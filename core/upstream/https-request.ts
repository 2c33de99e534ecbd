// One DNS message as an HTTP request (RFC 8484), and the reply that comes back for it.
import type { Dispatcher } from 'undici';
import type { Exchange } from './exchange.js';

/** The longest message (RFC 1035 4.2.2). */
const MAX_MESSAGE_BYTES = 65_535;

const MEDIA_TYPE = 'application/dns-message';
const EMPTY: Buffer = Buffer.alloc(0);

const GET_HEADERS = { accept: MEDIA_TYPE };
const POST_HEADERS = { accept: MEDIA_TYPE, 'content-type': MEDIA_TYPE };

/** Why a reply is none. */
export const Fault = {
  /** Another status than 200, or no DNS message in it. */
  HTTP: 0,
  /** Longer than a message can be. */
  OVERSIZE: 1,
} as const;
export type Fault = (typeof Fault)[keyof typeof Fault];

/** Who waits for a request. Told of one outcome, and after that of the end once nothing more of it is under way. */
export interface RequestOwner {
  onReply(request: HttpsRequest, wire: Uint8Array): void;
  /** `text` says what came instead. */
  onFault(request: HttpsRequest, fault: Fault, text: string): void;
  onBreak(request: HttpsRequest, error: Error): void;
  onEnd(): void;
}

export class HttpsRequest implements Dispatcher.DispatchHandler {
  /** What waits for the reply; null once that has it or does not want it any more. */
  exchange: Exchange | null;
  readonly #message: Buffer;
  readonly #owner: RequestOwner;
  #controller: Dispatcher.DispatchController | undefined;
  #body = EMPTY;
  #length = 0;
  #isEnded = false;

  /** `message` is this request's own. */
  constructor(exchange: Exchange, message: Buffer, owner: RequestOwner) {
    this.exchange = exchange;
    this.#message = message;
    this.#owner = owner;
  }

  /** How it is put to the server at `path`. */
  optionsFor(path: string, method: 'GET' | 'POST'): Dispatcher.DispatchOptions {
    // Whoever asks twice gets the same answer: without "idempotent" a POST would have an HTTP/2 connection to itself.
    if (method === 'POST') {
      return { path, method, headers: POST_HEADERS, body: this.#message, idempotent: true };
    }
    const mark = path.includes('?') ? '&' : '?';
    const dns = this.#message.toString('base64url');
    return { path: `${path}${mark}dns=${dns}`, method, headers: GET_HEADERS, idempotent: true };
  }

  /** The reply is not wanted any more. */
  abort(): void {
    this.exchange = null;
    this.#body = EMPTY;
    if (!this.#isEnded) this.#controller?.abort(new Error('not wanted any more'));
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.exchange === null) this.abort();
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: Readonly<Record<string, string | string[] | undefined>>,
  ): void {
    const type = String(headers['content-type'] ?? '');
    if (status !== 200) this.#fault(Fault.HTTP, `HTTP status ${status}`);
    else if (!type.startsWith(MEDIA_TYPE)) {
      this.#fault(Fault.HTTP, `HTTP content type ${JSON.stringify(type.slice(0, 80))}`);
    }
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#length += chunk.length;
    if (this.#length > MAX_MESSAGE_BYTES) {
      this.#fault(Fault.OVERSIZE, 'an HTTP reply longer than a DNS message can be');
      this.abort();
    } else if (this.exchange !== null) {
      this.#body = this.#body.length === 0 ? chunk : Buffer.concat([this.#body, chunk]);
    }
  }

  onResponseEnd(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    if (this.exchange !== null) this.#owner.onReply(this, this.#body);
    this.#owner.onEnd();
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    // Never inside of the call that put the request under way.
    queueMicrotask(() => {
      if (this.exchange !== null) this.#owner.onBreak(this, error);
      this.#owner.onEnd();
    });
  }

  #fault(fault: Fault, text: string): void {
    if (this.exchange !== null) this.#owner.onFault(this, fault, text);
  }
}
