// An upstream for benchmarks over HTTPS, HTTP/2 only, POST and GET, with the certificate in FOLDER: answers every question with one A record
// of 300 s. `node https-authority.js PORT FOLDER`.
import { readFileSync } from 'node:fs';
import { createSecureServer, type ServerHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { RECORD_BYTES, writeAnswer } from './canned-answer.js';

const HEADERS = { ':status': 200, 'content-type': 'application/dns-message' };

const [port = '5353', folder = '.'] = process.argv.slice(2);

function answer(stream: ServerHttp2Stream, query: Buffer): void {
  // Who asked may have given up.
  if (stream.destroyed) return;
  const out = Buffer.allocUnsafe(query.length + RECORD_BYTES);
  const length = writeAnswer(query, 0, out, 0);
  stream.respond(HEADERS);
  stream.end(out.subarray(0, length));
}

const sockets = new Set<Socket>();
const server = createSecureServer({
  key: readFileSync(join(folder, 'key.pem')),
  cert: readFileSync(join(folder, 'cert.pem')),
  settings: { maxConcurrentStreams: 1000 },
});
server.on('stream', (stream, headers) => {
  stream.on('error', () => {});
  if (headers[':method'] === 'GET') {
    const { searchParams } = new URL(String(headers[':path']), 'https://localhost');
    answer(stream, Buffer.from(searchParams.get('dns') ?? '', 'base64url'));
    return;
  }
  let body: Buffer = Buffer.alloc(0);
  stream.on('data', (chunk: Buffer) => {
    body = body.length === 0 ? chunk : Buffer.concat([body, chunk]);
  });
  stream.on('end', () => answer(stream, body));
});
server.on('secureConnection', (socket: Socket) => {
  sockets.add(socket);
  socket.once('close', () => sockets.delete(socket));
});
server.on('sessionError', () => {});
server.listen(Number(port), '127.0.0.1');
process.once('SIGTERM', () => {
  server.close();
  for (const socket of sockets) socket.destroy();
});
