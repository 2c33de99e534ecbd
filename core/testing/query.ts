// Queries made from text, and asking a handler or chain without a network.
import { type DecodedPacket, decode, encode, type Packet } from 'dns-packet';
import { finish } from '../chain/finish.js';
import type { Handler, Next } from '../chain/handler.js';
import { type Answer, Pending } from '../chain/pending.js';
import { Query, type ReplySink, SOCKADDR_BYTES, Transport } from '../chain/query.js';
import { Reply } from '../chain/reply.js';
import { accept, Verdict } from '../wire/accept.js';
import { classFromName, typeFromName } from '../wire/constants.js';
import { parseName } from '../wire/name.js';
import { writeSockaddr } from '../wire/sockaddr.js';

export interface QueryOptions {
  readonly id?: number;
  readonly class?: string;
  readonly rd?: boolean;
  readonly cd?: boolean;
  readonly ad?: boolean;
  /** Sends EDNS with this payload size; `do` alone sends 1232. */
  readonly udpSize?: number;
  readonly do?: boolean;
  /** Raw EDNS options: code and data. */
  readonly options?: readonly (readonly [number, Uint8Array])[];
  readonly transport?: Transport;
  readonly client?: string;
  readonly port?: number;
  readonly server?: number;
  readonly zone?: number;
  readonly receivedMs?: number;
}

/** A decoded message with the rcode's mnemonic. */
export type DecodedReply = DecodedPacket & { readonly rcode: string };

/** Takes the replies of deferred queries and keeps them finished, as a client would get them. */
export class TestSink implements ReplySink {
  readonly #waiting = new Map<Query, (wire: Uint8Array | Error) => void>();
  readonly faults: unknown[] = [];

  deliver(q: Query, reply: Reply): void {
    this.#waiting.get(q)?.(finished(q, reply));
    this.#waiting.delete(q);
  }

  fault(q: Query, error: unknown): void {
    this.faults.push(error);
    this.#waiting.get(q)?.(error instanceof Error ? error : new Error(String(error)));
    this.#waiting.delete(q);
  }

  /** The finished reply of a deferred query. */
  wait(q: Query): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      this.#waiting.set(q, (wire) => (wire instanceof Error ? reject(wire) : resolve(wire)));
    });
  }
}

/** A query as the server would hand it to the chain. Throws when the acceptance gate would refuse it. */
export function makeQuery(
  name: string,
  type: string,
  options: QueryOptions = {},
  sink: ReplySink = new TestSink(),
): Query {
  const q = new Query(sink);
  q.wire = queryWire(name, type, options);
  q.length = q.wire.length;
  q.peer = new Uint8Array(SOCKADDR_BYTES);
  writeSockaddr(q.peer, options.client ?? '127.0.0.1', options.port ?? 40000);
  q.transport = options.transport ?? Transport.UDP;
  q.out = new Uint8Array(q.transport === Transport.UDP ? 4096 : 65535);
  q.server = options.server ?? 0;
  q.zone = options.zone ?? 0;
  q.receivedMs = options.receivedMs ?? 0;
  q.reset();
  const verdict = accept(q);
  if (verdict !== Verdict.ACCEPT) throw new Error(`not acceptable: verdict ${verdict}`);
  return q;
}

/** What the client gets from a handler (or a whole chain's `run`) for `q`, decoded, and after `next` where it calls that. */
export async function ask(
  target: Handler | Next,
  q: Query,
  next: Next = () => {
    throw new Error('next was called');
  },
): Promise<DecodedReply> {
  const answer: Answer = typeof target === 'function' ? target(q) : target.serve(q, next);
  if (answer instanceof Reply) return decoded(finished(q, answer));
  const sink = q.sink as TestSink;
  if (answer instanceof Pending) return decoded(await retained(q, sink));
  q.retain();
  return decoded(finished(q, await answer));
}

/** A reply for `q` that passes on this message, as if an upstream had sent it; question and id are filled in. */
export function replyFrom(q: Query, packet: Packet): Reply {
  const message = encode({
    type: 'response',
    id: q.id,
    ...packet,
    questions: packet.questions ?? [decodedQuestion(q)],
  });
  return q.replyWire(message, message.length);
}

function decoded(wire: Uint8Array): DecodedReply {
  return decode(Buffer.from(wire)) as DecodedReply;
}

function decodedQuestion(q: Query): NonNullable<Packet['questions']>[number] {
  return (decode(Buffer.from(q.wire.subarray(0, q.length))).questions ?? [])[0] as NonNullable<
    Packet['questions']
  >[number];
}

function retained(q: Query, sink: TestSink): Promise<Uint8Array> {
  q.retain();
  return sink.wait(q);
}

function finished(q: Query, reply: Reply): Uint8Array {
  const limit = q.transport === Transport.UDP ? q.udpSize : 65535;
  const length = finish(q, reply, limit);
  return q.out.slice(0, length);
}

function queryWire(name: string, type: string, options: QueryOptions): Uint8Array {
  const qname = parseName(name);
  const hasEdns =
    options.udpSize !== undefined || options.do === true || options.options !== undefined;
  const ednsOptions = options.options ?? [];
  const rdlength = ednsOptions.reduce((sum, [, data]) => sum + 4 + data.length, 0);
  const wire = new Uint8Array(12 + qname.length + 4 + (hasEdns ? 11 + rdlength : 0));
  const view = new DataView(wire.buffer);
  view.setUint16(0, options.id ?? 0x1234);
  wire[2] = options.rd === false ? 0 : 1;
  wire[3] = (options.ad === true ? 0x20 : 0) | (options.cd === true ? 0x10 : 0);
  view.setUint16(4, 1);
  wire.set(qname, 12);
  let o = 12 + qname.length;
  view.setUint16(o, typeFromName(type) ?? 0);
  view.setUint16(o + 2, classFromName(options.class ?? 'IN') ?? 1);
  if (!hasEdns) return wire;
  view.setUint16(10, 1);
  o += 5;
  view.setUint16(o, 41);
  view.setUint16(o + 2, options.udpSize ?? 1232);
  view.setUint16(o + 6, options.do === true ? 0x8000 : 0);
  view.setUint16(o + 8, rdlength);
  o += 10;
  for (const [code, data] of ednsOptions) {
    view.setUint16(o, code);
    view.setUint16(o + 2, data.length);
    wire.set(data, o + 4);
    o += 4 + data.length;
  }
  return wire;
}
