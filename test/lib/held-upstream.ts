// An upstream that keeps every query until it is told to answer: UDP, TCP or TLS on loopback, as bytes, for thousands of queries at a time.
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import type { TestContext } from 'node:test';
import { frame, serveStreams } from '../../core/testing.js';
import type { Certificate } from './certificates.js';

/** Held queries that are answered before the event loop turns, so that no socket buffer is filled. */
const BURST = 100;

export interface HeldUpstream {
  readonly port: number;
  /** The numbers in the names of the queries it keeps: `nNUMBER.` in front. */
  readonly numbers: ReadonlySet<number>;
  /** Answers everything it keeps, the newest first, and what comes from now on. `pause` is waited for after every BURST. */
  release(pause: () => Promise<void>): Promise<void>;
}

/** The four octets of the address that a number stands for. */
export function addressFor(number: number): Buffer {
  return Buffer.from([10, number >> 16, (number >> 8) & 255, number & 255]);
}

/** The number in the first label, which is `nNUMBER`. */
export function numberIn(message: Buffer): number {
  return Number(message.toString('latin1', 14, 13 + (message[12] as number)));
}

/** The query with QR, RA and one A record behind the question. */
function answerTo(query: Buffer): Buffer {
  let end = 12;
  while (query[end] !== 0) end += (query[end] as number) + 1;
  end += 5;
  const record = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
  const reply = Buffer.concat([query.subarray(0, end), record, addressFor(numberIn(query))]);
  reply.writeUInt16BE(0x8180, 2);
  reply.fill(0, 6, 12);
  reply[7] = 1;
  return reply;
}

export async function heldUpstream(
  t: TestContext,
  over: 'udp' | 'tcp' | 'tls',
  tls?: Certificate,
): Promise<HeldUpstream> {
  const held: (() => void)[] = [];
  const numbers = new Set<number>();
  let isReleased = false;
  const keep = (query: Buffer, send: (reply: Buffer) => void): void => {
    const answer = (): void => send(answerTo(query));
    numbers.add(numberIn(query));
    if (isReleased) answer();
    else held.push(answer);
  };
  const port =
    over === 'udp'
      ? await overUdp(t, keep)
      : (
          await serveStreams(
            t,
            (query, socket) => keep(query, (reply) => void socket.write(frame(reply))),
            over === 'tls' ? { key: tls?.key, cert: tls?.cert } : undefined,
          )
        ).port;
  return {
    port,
    numbers,
    async release(pause) {
      isReleased = true;
      while (held.length > 0) {
        for (const answer of held.splice(-BURST).reverse()) answer();
        await pause();
      }
    },
  };
}

async function overUdp(
  t: TestContext,
  keep: (query: Buffer, send: (reply: Buffer) => void) => void,
): Promise<number> {
  const socket = createSocket({ type: 'udp4', recvBufferSize: 4 << 20 });
  t.after(() => socket.close());
  socket.on('message', (query, from) =>
    keep(query, (reply) => socket.send(reply, from.port, from.address)),
  );
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return socket.address().port;
}
