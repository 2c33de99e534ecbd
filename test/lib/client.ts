// Clients: messages over UDP and TCP as bytes, and the usual command-line tools.
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect } from 'node:net';
import { type DecodedPacket, decode, encode, type Packet } from 'dns-packet';
import { EdnsOption, rcodeName } from '../../core/plugin.js';
import { run } from './child.js';
import { toolPath } from './tools.js';

/** Longer than any time-out of the server, so that a test fails for what the server did. */
const REPLY_LIMIT_MS = 12_000;

export interface AskOptions {
  readonly tcp?: boolean;
  readonly address?: string;
  /** EDNS payload size; without it no OPT is sent, unless `do` is set. */
  readonly udpSize?: number;
  readonly do?: boolean;
  readonly rd?: boolean;
  readonly cd?: boolean;
  readonly ad?: boolean;
  readonly id?: number;
}

export interface Got {
  readonly raw: Buffer;
  readonly message: DecodedPacket;
  /** Mnemonic of the header's rcode. */
  readonly rcode: string;
  /** Extended error (RFC 8914), -1 without one. */
  readonly ede: number;
  /** Address the reply came from. */
  readonly from: string;
}

/** Asks one question and gives the reply. */
export async function ask(
  port: number,
  name: string,
  type: string,
  options: AskOptions = {},
): Promise<Got> {
  const { raw, from } = await exchange(port, queryBytes(name, type, options), options);
  const message = decode(raw);
  return {
    raw,
    message,
    rcode: rcodeName((raw[3] as number) & 15),
    ede: extendedError(message),
    from,
  };
}

/** The bytes of a query. `type` may be `TYPEn`. */
export function queryBytes(name: string, type: string, options: AskOptions = {}): Buffer {
  const query: Packet = {
    type: 'query',
    id: options.id ?? Math.floor(Math.random() * 0x10000),
    flags:
      (options.rd === false ? 0 : 0x100) |
      (options.ad === true ? 0x20 : 0) |
      (options.cd === true ? 0x10 : 0),
    questions: [{ name, type: type.replace(/^TYPE/, 'UNKNOWN_') as 'A' }],
  };
  if (options.udpSize !== undefined || options.do === true) {
    query.additionals = [
      {
        type: 'OPT',
        name: '.',
        udpPayloadSize: options.udpSize ?? 1232,
        extendedRcode: 0,
        ednsVersion: 0,
        flags: options.do === true ? 0x8000 : 0,
        flag_do: options.do === true,
        options: [],
      },
    ];
  }
  const bytes = encode(query);
  const unknown = /^TYPE(\d+)$/.exec(type);
  // dns-packet writes a type it does not know as 0.
  if (unknown !== null) bytes.writeUInt16BE(Number(unknown[1]), questionEnd(bytes) - 4);
  return bytes;
}

/** Sends one message and gives the first reply with its id. */
export function exchange(
  port: number,
  message: Uint8Array,
  options: Pick<AskOptions, 'tcp' | 'address'> = {},
): Promise<{ raw: Buffer; from: string }> {
  const address = options.address ?? '127.0.0.1';
  return options.tcp === true
    ? exchangeTcp(port, address, message)
    : exchangeUdp(port, address, message);
}

/** Offset just past the question section of a message with one question. */
export function questionEnd(message: Uint8Array): number {
  let o = 12;
  while (message[o] !== 0) o += (message[o] as number) + 1;
  return o + 5;
}

/** Runs kdig, dig or drill against a server and gives what it printed. Throws when it failed. */
export async function digWith(
  tool: 'kdig' | 'dig' | 'drill',
  port: number,
  ...args: readonly string[]
): Promise<string> {
  const port_ = ['-p', String(port)];
  const { code, stdout, stderr } = await run([toolPath(tool), '@127.0.0.1', ...port_, ...args]);
  if (code !== 0)
    throw new Error(`${tool} ${args.join(' ')} failed with ${code}: ${stdout}${stderr}`);
  return stdout;
}

function extendedError(message: DecodedPacket): number {
  const opt = message.additionals?.find((rr) => rr.type === 'OPT');
  const options = (opt?.options ?? []) as readonly { code: number; data?: Buffer }[];
  return options.find(({ code }) => code === EdnsOption.EDE)?.data?.readUInt16BE(0) ?? -1;
}

async function exchangeUdp(
  port: number,
  address: string,
  message: Uint8Array,
): Promise<{ raw: Buffer; from: string }> {
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
  try {
    // Not connected, so that a reply from another address would be seen rather than dropped by the kernel.
    socket.send(message, port, address);
    const signal = AbortSignal.timeout(REPLY_LIMIT_MS);
    for (;;) {
      const [raw, peer] = (await once(socket, 'message', { signal })) as [
        Buffer,
        { address: string },
      ];
      if (raw[0] === message[0] && raw[1] === message[1]) return { raw, from: peer.address };
    }
  } finally {
    socket.close();
  }
}

async function exchangeTcp(
  port: number,
  address: string,
  message: Uint8Array,
): Promise<{ raw: Buffer; from: string }> {
  const socket = connect(port, address);
  socket.setTimeout(REPLY_LIMIT_MS, () => socket.destroy(new Error('no reply over TCP')));
  try {
    const frame = Buffer.alloc(2 + message.length);
    frame.writeUInt16BE(message.length);
    frame.set(message, 2);
    socket.write(frame);
    let got = Buffer.alloc(0);
    for await (const chunk of socket) {
      got = Buffer.concat([got, chunk as Buffer]);
      const end = got.length < 2 ? Number.POSITIVE_INFINITY : 2 + got.readUInt16BE(0);
      if (got.length >= end) return { raw: got.subarray(2, end), from: address };
    }
    throw new Error(`connection closed after ${got.length} bytes`);
  } finally {
    socket.destroy();
  }
}
