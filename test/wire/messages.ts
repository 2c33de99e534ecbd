// Messages built byte by byte, malformed ones too, for tests of what reads them.
import { Query, type ReplySink, SOCKADDR_BYTES, Transport } from '../../core/chain/query.js';
import { Opcode, RRClass, RRType } from '../../core/wire/constants.js';
import { parseName } from '../../core/wire/name.js';

/** A name as text, or as bytes where it is compressed or malformed. */
export type NameSpec = string | readonly number[];

export interface RecordSpec {
  readonly owner?: NameSpec;
  readonly type: number;
  readonly class?: number;
  readonly ttl?: number;
  readonly rdata?: Iterable<number>;
  /** RDLENGTH where it shall not be that of `rdata`. */
  readonly rdlength?: number;
}

export interface MessageSpec {
  readonly id?: number;
  /** The 16 bits after the id; a recursive query without. */
  readonly flags?: number;
  readonly opcode?: number;
  readonly qname?: NameSpec;
  readonly qtype?: number;
  readonly qclass?: number;
  /** No question at all. */
  readonly noQuestion?: boolean;
  readonly answers?: readonly RecordSpec[];
  readonly authorities?: readonly RecordSpec[];
  readonly additionals?: readonly RecordSpec[];
  /** QDCOUNT, ANCOUNT, NSCOUNT and ARCOUNT where they shall not be what is there. */
  readonly counts?: readonly (number | undefined)[];
  /** Bytes after the last record. */
  readonly tail?: Iterable<number>;
}

export interface OptSpec {
  readonly owner?: NameSpec;
  readonly size?: number;
  /** Upper 8 bits of the rcode. */
  readonly rcode?: number;
  readonly version?: number;
  readonly flags?: number;
  readonly options?: readonly (readonly [code: number, data: Iterable<number>])[];
}

export function message(spec: MessageSpec = {}): Uint8Array {
  const { answers = [], authorities = [], additionals = [], counts = [] } = spec;
  const question =
    spec.noQuestion === true
      ? []
      : [
          ...nameBytes(spec.qname ?? 'www.example.org.'),
          ...uint16(spec.qtype ?? RRType.A),
          ...uint16(spec.qclass ?? RRClass.IN),
        ];
  const present = [
    spec.noQuestion === true ? 0 : 1,
    answers.length,
    authorities.length,
    additionals.length,
  ];
  return Uint8Array.from([
    ...uint16(spec.id ?? 0x1234),
    ...uint16((spec.flags ?? 0x0100) | ((spec.opcode ?? Opcode.QUERY) << 11)),
    ...present.flatMap((count, i) => uint16(counts[i] ?? count)),
    ...question,
    ...[...answers, ...authorities, ...additionals].flatMap(recordBytes),
    ...(spec.tail ?? []),
  ]);
}

/** A message of the same kind as a reply: QR, RD and RA set. */
export function response(spec: MessageSpec = {}): Uint8Array {
  return message({ flags: 0x8180, ...spec });
}

export function optRecord(spec: OptSpec = {}): RecordSpec {
  const { rcode = 0, version = 0, flags = 0 } = spec;
  return {
    owner: spec.owner ?? '.',
    type: RRType.OPT,
    class: spec.size ?? 1232,
    ttl: rcode * 0x1000000 + version * 0x10000 + flags,
    rdata: (spec.options ?? []).flatMap(([code, data]) => {
      const bytes = [...data];
      return [...uint16(code), ...uint16(bytes.length), ...bytes];
    }),
  };
}

/** A query object as the server has it before the gate: message in a slot, nothing read yet. */
export function slotQuery(wire: Uint8Array, transport: Transport = Transport.UDP): Query {
  const q = new Query(NO_SINK);
  q.wire = wire;
  q.length = wire.length;
  q.peer = new Uint8Array(SOCKADDR_BYTES);
  q.transport = transport;
  q.out = new Uint8Array(transport === Transport.UDP ? 4096 : 65535);
  return q;
}

export function nameBytes(name: NameSpec): number[] {
  return typeof name === 'string' ? [...parseName(name)] : [...name];
}

export function uint16(n: number): number[] {
  return [(n >> 8) & 255, n & 255];
}

function recordBytes(spec: RecordSpec): number[] {
  const rdata = [...(spec.rdata ?? [])];
  const ttl = spec.ttl ?? 300;
  return [
    ...nameBytes(spec.owner ?? [0xc0, 0x0c]),
    ...uint16(spec.type),
    ...uint16(spec.class ?? RRClass.IN),
    ...uint16(Math.floor(ttl / 65536)),
    ...uint16(ttl),
    ...uint16(spec.rdlength ?? rdata.length),
    ...rdata,
  ];
}

const NO_SINK: ReplySink = {
  deliver: () => {
    throw new Error('delivered');
  },
  fault: (_q, error) => {
    throw error;
  },
};
