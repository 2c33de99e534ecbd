// Sends the server one query through its own door, as a client would: of a name that nobody else asks for.
import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import { parseName, RRClass, RRType } from '../../core/plugin.js';

/** Where the server listens, from the client's side. */
export interface Door {
  readonly address: string;
  readonly port: number;
}

/** Where a listener on all addresses is reached from this machine. */
const LOOPBACK: ReadonlyMap<string, string> = new Map([
  ['', '127.0.0.1'],
  ['0.0.0.0', '127.0.0.1'],
  ['::', '::1'],
]);

/** The door behind a listener as metrics write it, `dns://:53` or `dns://[::1]:53`; undefined for one that is not plain DNS. */
export function doorOf(listener: string): Door | undefined {
  const match = /^dns:\/\/(?:\[(.+)\]|([^[\]]*)):(\d+)$/.exec(listener);
  if (match === null) return undefined;
  const [, six, four = '', port] = match;
  const address = six ?? four;
  return { address: LOOPBACK.get(address) ?? address, port: Number(port) };
}

/** A name below `zone`, in wire form: 128 random bits, which nobody asks for by chance. */
export function probeName(zone: string): Uint8Array {
  const label = (): string => randomBytes(8).toString('hex');
  return parseName(`${label()}.${label()}.${zone === '.' ? '' : zone}`);
}

/** Asks for HINFO of `name`; whether any reply came within `timeoutMs`. Never rejects. */
export async function sendProbe(
  door: Door,
  name: Uint8Array,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<boolean> {
  const query = probeMessage(name);
  const socket = createSocket(isIPv6(door.address) ? 'udp6' : 'udp4');
  try {
    return await new Promise<boolean>((resolve) => {
      const limit = setTimeout(() => resolve(false), timeoutMs);
      const end = (isReply: boolean): void => {
        clearTimeout(limit);
        resolve(isReply);
      };
      signal.addEventListener('abort', () => end(false), { once: true });
      socket.on('error', () => end(false));
      socket.on('message', (message) => {
        if (message.length > 1 && message.readUInt16BE(0) === query.readUInt16BE(0)) end(true);
      });
      socket.connect(door.port, door.address, () => socket.send(query));
    });
  } finally {
    socket.close();
  }
}

/** RD set, one question. */
function probeMessage(name: Uint8Array): Buffer {
  const tail = Buffer.alloc(4);
  tail.writeUInt16BE(RRType.HINFO, 0);
  tail.writeUInt16BE(RRClass.IN, 2);
  const head = Buffer.from([...randomBytes(2), 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
  return Buffer.concat([head, name, tail]);
}
