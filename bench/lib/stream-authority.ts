// An upstream for benchmarks over pipelined TCP: answers every question with one A record of 300 s. `node stream-authority.js PORT [CPU]`.
import { createServer, type Socket } from 'node:net';
import { pinThread } from '../../core/system/affinity.js';

const HEADER_BYTES = 12;
/** The least a query takes in a stream: length, header, root, type and class. */
const QUERY_BYTES = 2 + HEADER_BYTES + 5;
/** Owner: the question's name; A, IN, 300 s, 192.0.2.1. */
const RECORD = [0xc0, 12, 0, 1, 0, 1, 0, 0, 1, 44, 0, 4, 192, 0, 2, 1];

const [port = '5353', cpu] = process.argv.slice(2);
if (cpu !== undefined) pinThread(Number(cpu));

/** Writes the answer to the query in `from` from `start`, framed, to `out` from `at`; returns the offset behind it. */
function answer(from: Uint8Array, start: number, out: Uint8Array, at: number): number {
  let end = start + HEADER_BYTES;
  while (from[end] !== 0) end += (from[end] as number) + 1;
  end += 5;
  const body = at + 2 - start;
  for (let i = start; i < end; i++) out[body + i] = from[i] as number;
  const message = at + 2;
  // QR and AA, RD as asked; one question, one answer, nothing else.
  out[message + 2] = 0x84 | ((from[start + 2] as number) & 1);
  out[message + 3] = 0x80;
  out[message + 7] = 1;
  out[message + 9] = 0;
  out[message + 11] = 0;
  for (let i = 0; i < RECORD.length; i++) out[body + end + i] = RECORD[i] as number;
  const length = end - start + RECORD.length;
  out[at] = length >> 8;
  out[at + 1] = length & 255;
  return message + length;
}

/** Answers the queries of a connection: what came in one read leaves in one write. */
function serve(stream: Socket): void {
  let rest: Buffer | undefined;
  stream.on('data', (read) => {
    const bytes = rest === undefined ? read : Buffer.concat([rest, read]);
    const most = Math.ceil(bytes.length / QUERY_BYTES);
    const out = Buffer.allocUnsafe(bytes.length + most * RECORD.length);
    let from = 0;
    let to = 0;
    while (from + 2 <= bytes.length) {
      const end = from + 2 + (((bytes[from] as number) << 8) | (bytes[from + 1] as number));
      if (end > bytes.length) break;
      to = answer(bytes, from + 2, out, to);
      from = end;
    }
    rest = from === bytes.length ? undefined : bytes.subarray(from);
    if (to > 0) stream.write(out.subarray(0, to));
  });
  stream.on('error', () => stream.destroy());
}

const streams = new Set<Socket>();
const server = createServer({ noDelay: true }, (stream) => {
  streams.add(stream);
  stream.once('close', () => streams.delete(stream));
  serve(stream);
});
server.listen(Number(port), '127.0.0.1');
process.once('SIGTERM', () => {
  server.close();
  for (const stream of streams) stream.destroy();
});
