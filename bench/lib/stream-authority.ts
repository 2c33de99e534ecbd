// An upstream for benchmarks over pipelined TCP, or TLS with the certificate in FOLDER: answers every question with one A record of 300 s.
// `node stream-authority.js PORT [FOLDER]`.
import { readFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import { HEADER_BYTES, RECORD_BYTES, writeAnswer } from './canned-answer.js';

/** The least a query takes in a stream: length, header, root, type and class. */
const QUERY_BYTES = 2 + HEADER_BYTES + 5;

const [port = '5353', folder] = process.argv.slice(2);

/** Answers the queries of a connection: what came in one read leaves in one write. */
function serve(stream: Socket): void {
  let rest: Buffer | undefined;
  stream.on('data', (read) => {
    const bytes = rest === undefined ? read : Buffer.concat([rest, read]);
    const most = Math.ceil(bytes.length / QUERY_BYTES);
    const out = Buffer.allocUnsafe(bytes.length + most * RECORD_BYTES);
    let from = 0;
    let to = 0;
    while (from + 2 <= bytes.length) {
      const end = from + 2 + (((bytes[from] as number) << 8) | (bytes[from + 1] as number));
      if (end > bytes.length) break;
      const next = writeAnswer(bytes, from + 2, out, to + 2);
      const length = next - to - 2;
      out[to] = length >> 8;
      out[to + 1] = length & 255;
      to = next;
      from = end;
    }
    rest = from === bytes.length ? undefined : bytes.subarray(from);
    if (to > 0) stream.write(out.subarray(0, to));
  });
  stream.on('error', () => stream.destroy());
}

const streams = new Set<Socket>();
const onStream = (stream: Socket): void => {
  streams.add(stream);
  stream.once('close', () => streams.delete(stream));
  serve(stream);
};
const server =
  folder === undefined
    ? createServer({ noDelay: true }, onStream)
    : createTlsServer(
        {
          key: readFileSync(join(folder, 'key.pem')),
          cert: readFileSync(join(folder, 'cert.pem')),
          ALPNProtocols: ['dot'],
          noDelay: true,
        },
        onStream,
      );
server.listen(Number(port), '127.0.0.1');
process.once('SIGTERM', () => {
  server.close();
  for (const stream of streams) stream.destroy();
});
