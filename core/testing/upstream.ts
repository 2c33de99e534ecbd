// A real server on loopback, UDP and TCP on one port, that answers as its script says and counts what reached it.
import { createSocket, type RemoteInfo, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { type DecodedPacket, decode, encode, type Packet } from 'dns-packet';

/**
 * What the upstream does with a query: a packet (id and question are filled in), raw bytes, several messages, or undefined for silence.
 * `transport` is the one the query came by. The decoded query is in lower case, `raw` as it came; a packet repeats the question as it came, as
 * servers do.
 */
export type Script = (
  query: DecodedPacket,
  transport: 'udp' | 'tcp',
  raw: Buffer,
) =>
  | Packet
  | Uint8Array
  | readonly Uint8Array[]
  | undefined
  | Promise<Packet | Uint8Array | undefined>;

export class FakeUpstream {
  /** Every query that reached it, in order; names in lower case, `raw` as it came. */
  readonly queries: { transport: 'udp' | 'tcp'; name: string; type: string; raw: Buffer }[] = [];
  readonly #udp: UdpSocket;
  readonly #tcp: Server;
  readonly #connections = new Set<Socket>();
  #script: Script;

  private constructor(udp: UdpSocket, tcp: Server, script: Script) {
    this.#udp = udp;
    this.#tcp = tcp;
    this.#script = script;
    udp.on('message', (message, from) => void this.#onUdp(message, from));
    udp.on('error', () => {});
    tcp.on('connection', (socket) => this.#onConnection(socket));
  }

  /** Listens on 127.0.0.1 (or `address`); port 0 takes one that is free for UDP and TCP. */
  static async start(script: Script, address = '127.0.0.1', port = 0): Promise<FakeUpstream> {
    for (let attempt = 0; ; attempt++) {
      const tcp = createServer();
      tcp.listen(port, address);
      await once(tcp, 'listening');
      const taken = (tcp.address() as AddressInfo).port;
      const udp = createSocket(address.includes(':') ? 'udp6' : 'udp4');
      try {
        udp.bind(taken, address);
        await once(udp, 'listening');
        return new FakeUpstream(udp, tcp, script);
      } catch (error) {
        udp.close();
        tcp.close();
        if (attempt === 20 || port !== 0) throw error;
      }
    }
  }

  get port(): number {
    return this.#udp.address().port;
  }

  /** `IP:PORT` as a Corefile wants it. */
  get address(): string {
    const { address, port, family } = this.#udp.address();
    return family === 'IPv6' ? `[${address}]:${port}` : `${address}:${port}`;
  }

  set script(script: Script) {
    this.#script = script;
  }

  async stop(): Promise<void> {
    for (const socket of this.#connections) socket.destroy();
    this.#udp.close();
    this.#tcp.close();
    await Promise.all([once(this.#udp, 'close'), once(this.#tcp, 'close')]);
  }

  async #onUdp(message: Buffer, from: RemoteInfo): Promise<void> {
    for (const reply of await this.#answer(message, 'udp')) {
      this.#udp.send(reply, from.port, from.address, () => {});
    }
  }

  #onConnection(socket: Socket): void {
    this.#connections.add(socket);
    socket.on('close', () => this.#connections.delete(socket));
    socket.on('error', () => {});
    let buffered = Buffer.alloc(0);
    socket.on('data', (chunk) => {
      buffered = Buffer.concat([buffered, chunk]);
      while (buffered.length >= 2 && buffered.length >= 2 + buffered.readUInt16BE(0)) {
        const message = buffered.subarray(2, 2 + buffered.readUInt16BE(0));
        buffered = buffered.subarray(2 + message.length);
        void this.#answerStream(socket, message);
      }
    });
  }

  async #answerStream(socket: Socket, message: Buffer): Promise<void> {
    for (const reply of await this.#answer(message, 'tcp')) {
      const frame = Buffer.alloc(2 + reply.length);
      frame.writeUInt16BE(reply.length);
      frame.set(reply, 2);
      if (!socket.destroyed) socket.write(frame);
    }
  }

  async #answer(message: Buffer, transport: 'udp' | 'tcp'): Promise<readonly Uint8Array[]> {
    const query = decode(message);
    for (const asked of query.questions ?? []) Object.assign(asked, lowered(asked));
    const question = query.questions?.[0];
    this.queries.push({
      transport,
      name: question?.name ?? '',
      type: question?.type ?? '',
      raw: Buffer.from(message),
    });
    const said = await this.#script(query, transport, message);
    if (said === undefined) return [];
    if (said instanceof Uint8Array) return [said];
    if (Array.isArray(said)) return said as readonly Uint8Array[];
    const reply = encode({
      type: 'response',
      id: query.id ?? 0,
      questions: query.questions ?? [],
      ...(said as Packet),
    });
    repeatQuestion(message, reply);
    return [reply];
  }
}

function lowered<T extends { readonly name: string }>(asked: T): T {
  return { ...asked, name: asked.name.replace(/[A-Z]/g, (letter) => letter.toLowerCase()) };
}

/** Puts the question of `query` into `reply`, which has the same one but for case, or none. */
function repeatQuestion(query: Buffer, reply: Buffer): void {
  if (query.readUInt16BE(4) !== 1 || reply.readUInt16BE(4) !== 1) return;
  let end = 12;
  while (query[end] !== 0) end += (query[end] as number) + 1;
  const fold = (message: Buffer): string => message.toString('latin1', 12, end).toLowerCase();
  if (fold(query) === fold(reply)) query.copy(reply, 12, 12, end);
}
