// DNS over HTTPS servers for tests: real ones on loopback, HTTP/2 or 1.1, that say what a test wants.
import { once } from 'node:events';
import type { RequestListener } from 'node:http';
import {
  createSecureServer,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type Settings,
} from 'node:http2';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { TestContext } from 'node:test';
import { TLSSocket } from 'node:tls';
import { decode, encode } from 'dns-packet';
import { makeCertificate } from './certificates.js';
import { tempFolder } from './temp-folder.js';

/** A certificate for dns.example.net and 127.0.0.1, with the file it is in. */
export async function certificate(
  t: TestContext,
): Promise<{ key: string; cert: string; file: string }> {
  const folder = tempFolder();
  t.after(() => folder.remove());
  const made = await makeCertificate('dns.example.net', '127.0.0.1');
  return { ...made, file: folder.write('ca.pem', made.cert) };
}

/** The answer to a query message: 192.0.2.7. */
export function answerTo(message: Buffer): Buffer {
  const query = decode(message);
  const name = query.questions?.[0]?.name ?? '';
  return encode({
    type: 'response',
    id: query.id ?? 0,
    questions: query.questions ?? [],
    answers: [{ name, type: 'A', ttl: 60, data: '192.0.2.7' }],
  });
}

export interface DohRequest {
  readonly method: string;
  readonly path: string;
  readonly version: string;
  readonly authority: string;
  /** Number of the connection it came on. */
  readonly connection: number;
  readonly message: Buffer;
}

export interface DohServer {
  readonly port: number;
  readonly requests: DohRequest[];
  readonly connections: () => number;
  readonly sockets: readonly Socket[];
  /** Whether each connection resumed a TLS session. */
  readonly resumed: readonly boolean[];
  /** Closes the port and every connection. */
  stop(): void;
}

export type Respond = (request: DohRequest, response: Http2ServerResponse) => void;

export const sayAnswer: Respond = ({ message }, response) => {
  response.writeHead(200, { 'content-type': 'application/dns-message' });
  response.end(answerTo(message));
};

export async function dohServer(
  t: TestContext,
  options: { key: string; cert: string; isHttp1?: boolean; settings?: Settings; port?: number },
  respond: Respond = sayAnswer,
): Promise<DohServer> {
  const requests: DohRequest[] = [];
  const sockets: Socket[] = [];
  const resumed: boolean[] = [];
  /** By the port of the other side. */
  const places = new Map<number, number>();
  const onRequest = async (
    from: Http2ServerRequest,
    response: Http2ServerResponse,
  ): Promise<void> => {
    const connection = places.get(from.socket.remotePort ?? 0) ?? -1;
    const chunks: Buffer[] = [];
    for await (const chunk of from) chunks.push(chunk as Buffer);
    const query = new URL(from.url, 'https://x').searchParams.get('dns') ?? '';
    const message = from.method === 'GET' ? Buffer.from(query, 'base64url') : Buffer.concat(chunks);
    const request = {
      method: from.method,
      path: from.url,
      version: from.httpVersion,
      authority: from.authority ?? from.headers.host ?? '',
      connection,
      message,
    };
    requests.push(request);
    respond(request, response);
  };
  const listener = (from: Http2ServerRequest, response: Http2ServerResponse): void => {
    onRequest(from, response).catch(() => {});
  };
  const server =
    options.isHttp1 === true
      ? createHttpsServer(options, listener as unknown as RequestListener)
      : createSecureServer({ ...options, allowHTTP1: true }, listener);
  server.on('secureConnection', (socket: Socket) => {
    places.set(socket.remotePort ?? 0, sockets.push(socket) - 1);
    resumed.push(socket instanceof TLSSocket && socket.isSessionReused());
  });
  server.on('sessionError', () => {});
  server.listen(options.port ?? 0, '127.0.0.1');
  await once(server, 'listening');
  const stop = (): void => {
    for (const socket of sockets) socket.destroy();
    server.close();
  };
  t.after(stop);
  const { port } = server.address() as AddressInfo;
  return { port, requests, connections: () => sockets.length, sockets, resumed, stop };
}
