// The stream pool over TLS: which certificates are taken, and what is kept from one handshake to the next.
import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import test from 'node:test';
import type { TlsOptions } from 'node:tls';
import { makeCertificate } from '../../test/lib/certificates.js';
import { needTools } from '../../test/lib/tools.js';
import { answerStream, rcodeOf, serveStreams, streamRig } from '../testing/streams.js';
import { Failure } from './exchange.js';
import { createTlsContext, type StreamTls } from './tls.js';

const need = { timeout: 30_000, ...needTools('openssl') };
const made = need.skip === undefined ? await makeCertificate(undefined, '127.0.0.1') : undefined;

function tlsFor(servername: string, ca = made?.cert): StreamTls {
  return {
    servername,
    context: createTlsContext({ cert: undefined, key: undefined, ca: ca || undefined }),
    isVerified: true,
    pins: [],
  };
}

function tlsServer(): TlsOptions {
  return { key: made?.key ?? '', cert: made?.cert ?? '', ALPNProtocols: ['dot'] };
}

for (const [servername, claim] of [
  ['dns.example.net', 'by name'],
  ['', 'by address'],
  ['127.0.0.1', 'by address given as name'],
] as const) {
  test(`stream pool: TLS with a certificate that is right ${claim}`, need, async (t) => {
    const server = await serveStreams(t, answerStream, tlsServer());
    const r = streamRig(t, server.port, { tls: tlsFor(servername) });
    rcodeOf(await r.ask('www.example.org'));
    const socket = server.sockets[0] as Socket & { alpnProtocol: string; servername: string };
    assert.equal(socket.alpnProtocol, 'dot');
    assert.equal(socket.servername || '', servername === 'dns.example.net' ? servername : '');
  });
}

test('stream pool: TLS with a certificate for another name is refused', need, async (t) => {
  const server = await serveStreams(t, answerStream, tlsServer());
  const r = streamRig(t, server.port, { tls: tlsFor('other.example.net') });
  assert.equal(await r.ask('www.example.org'), Failure.NETWORK);
  assert.match(r.errors[0] ?? '', /other\.example\.net/);
  assert.equal(server.arrivals.length, 0);
});

test('stream pool: TLS with an unknown authority is refused', need, async (t) => {
  const server = await serveStreams(t, answerStream, tlsServer());
  const r = streamRig(t, server.port, { tls: tlsFor('dns.example.net', '') });
  assert.equal(await r.ask('www.example.org'), Failure.NETWORK);
  assert.match(r.errors[0] ?? '', /certificate/);
});

test('stream pool: TLS sessions are resumed', need, async (t) => {
  const server = await serveStreams(t, answerStream, tlsServer());
  const r = streamRig(t, server.port, { tls: tlsFor('dns.example.net'), expireMs: 1000 });
  rcodeOf(await r.ask('a.example.org'));
  await new Promise((resolve) => setTimeout(resolve, 50));
  r.clock.advance(1000);
  rcodeOf(await r.ask('b.example.org'));
  const second = server.sockets[1] as Socket & { isSessionReused(): boolean };
  assert.equal(second.isSessionReused(), true);
});

test('stream pool: a server that speaks no TLS fails the query', need, async (t) => {
  const server = await serveStreams(t, (_query, socket) => socket.destroy());
  server.sockets.length = 0;
  const r = streamRig(t, server.port, { tls: tlsFor('dns.example.net') });
  const asked = r.ask('www.example.org');
  while (server.sockets.length === 0) await new Promise((resolve) => setImmediate(resolve));
  server.sockets[0]?.end('HTTP/1.1 400 Bad Request\r\n\r\n');
  assert.equal(await asked, Failure.NETWORK);
});
