// The stream pool over TLS: which certificates are taken, and what is kept from one handshake to the next.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import test from 'node:test';
import type { TlsOptions } from 'node:tls';
import {
  makeCertificate,
  makeExpiredCertificate,
  pinOf as pinOfCertificate,
} from '../../test/lib/certificates.js';
import { needTools } from '../../test/lib/tools.js';
import {
  answerStream,
  rcodeOf,
  type StreamRig,
  serveStreams,
  streamReply,
  streamRig,
} from '../testing/streams.js';
import { Failure } from './exchange.js';
import { createTlsContext, type StreamTls } from './tls.js';

const need = { timeout: 30_000, ...needTools('openssl') };
const hasTools = need.skip === undefined;
const made = hasTools ? await makeCertificate(undefined, '127.0.0.1') : undefined;
const other = hasTools ? await makeCertificate(undefined, '127.0.0.1') : undefined;
const expired = hasTools ? await makeExpiredCertificate() : undefined;

interface Trust {
  readonly ca?: string | undefined;
  readonly pins?: readonly string[];
  readonly isVerified?: boolean;
}

function tlsFor(servername: string, { ca = made?.cert, ...rest }: Trust = {}): StreamTls {
  return {
    servername,
    context: createTlsContext({ cert: undefined, key: undefined, ca: ca || undefined }),
    isVerified: true,
    pins: [],
    ...rest,
  };
}

function pinOf(cert: string | undefined): string {
  return cert === undefined ? '' : pinOfCertificate(cert);
}

function tlsServer(certificate = made): TlsOptions {
  return { key: certificate?.key ?? '', cert: certificate?.cert ?? '', ALPNProtocols: ['dot'] };
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

for (const { name, certificate, servername, trust, want } of [
  {
    name: 'for another name',
    certificate: made,
    servername: 'other.example.net',
    trust: {},
    want: /^its certificate is for dns\.example\.net, 127\.0\.0\.1, not for other\.example\.net$/,
  },
  {
    name: 'of an unknown authority',
    certificate: made,
    servername: 'dns.example.net',
    trust: { ca: '' },
    want: /^its certificate comes from an authority that is not trusted \(DEPTH_ZERO_SELF_SIGNED_CERT\)$/,
  },
  {
    name: 'that has expired',
    certificate: expired,
    servername: 'dns.example.net',
    trust: { ca: expired?.cert },
    want: /^its certificate has expired \(CERT_HAS_EXPIRED\)$/,
  },
  {
    name: 'with another key than those pinned',
    certificate: made,
    servername: 'dns.example.net',
    trust: { pins: [pinOf(other?.cert)] },
    want: /^its key is none of those pinned, but sha256\/[A-Za-z0-9+/]{43}=$/,
  },
  {
    name: 'with another key than the one that is all that counts',
    certificate: made,
    servername: '',
    trust: { ca: '', pins: [pinOf(other?.cert)], isVerified: false },
    want: /^its key is none of those pinned, but sha256/,
  },
  {
    name: 'with the pinned key, but for another name',
    certificate: made,
    servername: 'other.example.net',
    trust: { pins: [pinOf(made?.cert)] },
    want: /not for other\.example\.net$/,
  },
] as const) {
  test(
    `stream pool: TLS with a certificate ${name} is refused, and told nothing`,
    need,
    async (t) => {
      const server = await serveStreams(t, answerStream, tlsServer(certificate));
      const r = streamRig(t, server.port, { tls: tlsFor(servername, trust) });
      assert.equal(await r.ask('www.example.org'), Failure.NETWORK);
      assert.equal(r.errors.length, 1);
      assert.match(r.errors[0] ?? '', want);
      // TLS 1.3 lets the server believe that all is well; until it sees the end nothing may have come.
      await Promise.all(server.sockets.map((socket) => socket.closed || once(socket, 'close')));
      assert.equal(server.arrivals.length, 0);
    },
  );
}

for (const { name, certificate, servername, trust } of [
  {
    name: 'a pin alone, whatever the certificate',
    certificate: expired,
    servername: '',
    trust: { ca: '', pins: [pinOf(made?.cert), pinOf(expired?.cert)], isVerified: false },
  },
  {
    name: 'a name and a pin that both hold',
    certificate: made,
    servername: 'dns.example.net',
    trust: { pins: [pinOf(made?.cert)] },
  },
  {
    name: 'nothing verified',
    certificate: expired,
    servername: 'other.example.net',
    trust: { ca: '', isVerified: false },
  },
] as const) {
  test(`stream pool: TLS with ${name} is taken, resumed sessions too`, need, async (t) => {
    const server = await serveStreams(t, answerStream, tlsServer(certificate));
    const tls = tlsFor(servername, trust);
    const r = streamRig(t, server.port, { tls, expireMs: 1000 });
    await askTwice(r);
    assert.deepEqual(server.resumed, [false, true]);
  });
}

for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
  test(`stream pool: sessions of ${maxVersion} are resumed`, need, async (t) => {
    const server = await serveStreams(t, answerStream, { ...tlsServer(), maxVersion });
    const r = streamRig(t, server.port, { tls: tlsFor('dns.example.net'), expireMs: 1000 });
    await askTwice(r);
    assert.deepEqual(server.resumed, [false, true]);
  });
}

test('stream pool: TLS below 1.2 is refused', need, async (t) => {
  const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'ALL:@SECLEVEL=0' } as const;
  const server = await serveStreams(t, answerStream, { ...tlsServer(), ...old });
  const r = streamRig(t, server.port, { tls: tlsFor('dns.example.net') });
  assert.equal(await r.ask('www.example.org'), Failure.NETWORK);
  assert.match(r.errors[0] ?? '', /version/i);
});

test('stream pool: queries over TLS are padded, if they have EDNS', need, async (t) => {
  const lengths: number[] = [];
  const server = await serveStreams(
    t,
    (query, socket) => {
      lengths.push(query.length);
      socket.write(streamReply(query));
    },
    tlsServer(),
  );
  const r = streamRig(t, server.port, { tls: tlsFor('dns.example.net') });
  rcodeOf(await r.ask('a.example.org', true));
  rcodeOf(await r.ask(`${'x'.repeat(60)}.${'y'.repeat(60)}.example.org`, true));
  rcodeOf(await r.ask('a.example.org'));
  assert.deepEqual(lengths, [128, 256, 31]);
});

/** Asks on one connection, and on a second one when the first has expired. */
async function askTwice(r: StreamRig): Promise<void> {
  rcodeOf(await r.ask('a.example.org'));
  // The session comes when the server likes, with TLS 1.3 behind the handshake.
  await new Promise((resolve) => setTimeout(resolve, 50));
  r.clock.advance(1000);
  rcodeOf(await r.ask('b.example.org'));
}

test('stream pool: a server that speaks no TLS fails the query', need, async (t) => {
  const server = await serveStreams(t, (_query, socket) => socket.destroy());
  server.sockets.length = 0;
  const r = streamRig(t, server.port, { tls: tlsFor('dns.example.net') });
  const asked = r.ask('www.example.org');
  while (server.sockets.length === 0) await new Promise((resolve) => setImmediate(resolve));
  server.sockets[0]?.end('HTTP/1.1 400 Bad Request\r\n\r\n');
  assert.equal(await asked, Failure.NETWORK);
});
