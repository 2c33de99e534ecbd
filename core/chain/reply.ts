// Hot path. A reply as a value on its way back up the chain. Pooled with its query; one shape for life.
import { Layout, scanMessage } from '../wire/layout.js';
import type { DnsError } from './errors.js';
import type { Query } from './query.js';

/** Layouts that no reply has, no more than there ever were replies with one at once. The last one used is still in the processor's cache. */
const layouts: Layout[] = [];

/**
 * A message to be sent. `wire` is either the query's own `out` or borrowed from whoever made the reply, until it is delivered. Only the
 * maker writes to it: a plugin that changes a reply it did not create copies it first.
 */
export class Reply {
  readonly query: Query;
  wire: Uint8Array;
  length = 0;
  /** The whole rcode, 12 bits with those in OPT (RFC 6891 6.1.3). */
  rcode = 0;
  /** Offset of the OPT record, 0 when there is none, -1 when nobody looked. */
  optOffset = 0;
  /** Extended error to send, -1 for none (RFC 8914). */
  ede = -1;
  edeText = '';
  /** Why the reply is an error, for *errors*. */
  error: DnsError | undefined;
  /** Another query got the very same reply, and it was or is shown to all plugins: one that keeps replies has it. */
  isShared = false;
  /** Null when nobody looked at the message as it is now. */
  #layout: Layout | null = null;

  constructor(query: Query) {
    this.query = query;
    this.wire = query.out;
  }

  /** Starts a reply in the query's own buffer: header and question, no records. */
  begin(rcode: number): void {
    const q = this.query;
    const from = q.wire;
    const out = q.out;
    const end = q.qnameEnd + 4;
    for (let i = 0; i < end; i++) out[i] = from[i] as number;
    // QR; opcode, RD and CD are the client's (RFC 1035 4.1.1, RFC 4035 3.2.2).
    out[2] = 0x80 | ((from[2] as number) & 0x79);
    out[3] = ((from[3] as number) & 0x10) | (rcode & 15);
    out[4] = 0;
    out[5] = 1;
    for (let i = 6; i < 12; i++) out[i] = 0;
    this.pass(out, end, 0);
    this.rcode = rcode;
  }

  /** Makes this the reply that passes on `wire`. */
  pass(wire: Uint8Array, length: number, optOffset: number): void {
    this.wire = wire;
    this.length = length;
    this.rcode = (wire[3] as number) & 15;
    this.optOffset = optOffset;
    this.ede = -1;
    this.edeText = '';
    this.error = undefined;
    this.isShared = false;
    this.touch();
  }

  /** Says that bytes of `wire` or `length` changed, so that the next `layout` is made anew. */
  touch(): void {
    if (this.#layout === null) return;
    layouts.push(this.#layout);
    this.#layout = null;
  }

  /** Where the records are, until the reply is changed or sent; made on first use. `isValid` is false for a message that cannot be walked. */
  get layout(): Layout {
    if (this.#layout === null) {
      const layout = layouts.pop() ?? new Layout();
      scanMessage(this.wire, this.length, layout);
      this.#layout = layout;
    }
    return this.#layout;
  }

  get truncated(): boolean {
    return ((this.wire[2] as number) & 0x02) !== 0;
  }

  get authoritative(): boolean {
    return ((this.wire[2] as number) & 0x04) !== 0;
  }

  /** The same reply for another query of the same question. The message stays where it is: borrowed as `replyWire` does. */
  handTo(q: Query): Reply {
    const same = q.replyWire(this.wire, this.length, this.optOffset);
    same.rcode = this.rcode;
    same.ede = this.ede;
    same.edeText = this.edeText;
    same.error = this.error;
    same.isShared = this.isShared;
    q.origin = this.query.origin;
    return same;
  }

  /** A reply of the same content that owns its bytes. Allocates. */
  copy(): Reply {
    const reply = new Reply(this.query);
    reply.pass(this.wire.slice(0, this.length), this.length, this.optOffset);
    reply.rcode = this.rcode;
    reply.ede = this.ede;
    reply.edeText = this.edeText;
    reply.error = this.error;
    return reply;
  }
}
