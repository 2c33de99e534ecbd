// Upstreams over TLS and HTTPS: certificates, what is sent, what counts as a failure.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { AddressInfo, Socket } from 'node:net';
import test, { type TestContext } from 'node:test';
import { createServer as createTlsServer } from 'node:tls';
import { encode } from 'dns-packet';
import {
  answerTo,
  certificate,
  type DohRequest,
  dohServer,
  type Respond,
} from '../../test/lib/doh-server.js';
import { forwardRig, octetOf, until } from '../../test/lib/forward-rig.js';
import { needTools } from '../../test/lib/tools.js';

const need = { timeout: 30_000, ...needTools('openssl') };

async function dotServer(t: TestContext, key: string, cert: string): Promise<number> {
  const sockets: Socket[] = [];
  const server = createTlsServer({ key, cert, ALPNProtocols: ['dot'] }, (socket) => {
    sockets.push(socket);
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      const answer = answerTo(chunk.subarray(2));
      socket.write(Buffer.from([answer.length >> 8, answer.length & 255]));
      socket.write(answer);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

for (const [how, servername] of [
  ['tls_servername', 'tls_servername dns.example.net'],
  ['its address', ''],
] as const) {
  test(`encrypted: a TLS upstream is known by ${how}`, need, async (t) => {
    const { key, cert, file } = await certificate(t);
    const port = await dotServer(t, key, cert);
    const r = await forwardRig(
      t,
      `forward . tls://127.0.0.1:${port} {\ntls ${file}\n${servername}\n}`,
    );
    assert.equal(octetOf(await r.ask('www.example.org')), 7);
    const labels = { to: `127.0.0.1:${port}`, proto: 'tcp-tls' };
    const { metrics } = r.services;
    assert.equal(metrics.value('connections_ahead_total', labels), 1);
    assert.equal(metrics.value('/proxy_conn_cache_hits_total', labels), 1);
    assert.equal(metrics.value('connections', labels), 1);
  });
}

test('encrypted: each TLS upstream may have a name of its own', need, async (t) => {
  const { key, cert, file } = await certificate(t);
  const port = await dotServer(t, key, cert);
  const text = `forward . tls://127.0.0.1%dns.example.net:${port} {\ntls ${file}\n}`;
  assert.equal(octetOf(await (await forwardRig(t, text)).ask('www.example.org')), 7);
});

test('encrypted: a wrong certificate is SERVFAIL and one line in the log', need, async (t) => {
  const { key, cert, file } = await certificate(t);
  const port = await dotServer(t, key, cert);
  const text = `forward . tls://127.0.0.1%other.example.net:${port} {\ntls ${file}\nmax_fails 0\n}`;
  const r = await forwardRig(t, text);
  for (let i = 0; i < 3; i++) assert.equal((await r.ask('www.example.org')).rcode, 'SERVFAIL');
  const lines = r.services.lines.filter((line) => line.startsWith('warning'));
  assert.equal(lines.length, 1);
  assert.match(lines[0] ?? '', /^warning upstream tls:\/\/127\.0\.0\.1:\d+: .*other\.example\.net/);
});

for (const [name, property, isHttp1, want] of [
  ['POST over HTTP/2', '', false, 'POST /dns-query 2.0'],
  ['GET over HTTP/2', 'doh_method GET', false, 'GET /dns-query?dns= 2.0'],
  ['POST over HTTP/1.1', '', true, 'POST /dns-query 1.1'],
] as const) {
  test(`encrypted: HTTPS by ${name}`, need, async (t) => {
    const { key, cert, file } = await certificate(t);
    const server = await dohServer(t, { key, cert, isHttp1 });
    const text = `forward . https://127.0.0.1:${server.port} {\ntls ${file}\ntls_servername dns.example.net\n${property}\n}`;
    const r = await forwardRig(t, text);
    const replies = await Promise.all(
      Array.from({ length: 20 }, (_, i) => r.ask(`n${i}.example.org`)),
    );
    for (const reply of replies) assert.equal(octetOf(reply), 7);
    const { method, path, version, message } = server.requests[0] as DohRequest;
    assert.equal(`${method} ${path.replace(/=.*/, '=')} ${version}`, want);
    assert.equal(message.readUInt16BE(0), 0);
    if (version === '2.0') assert.ok(server.connections() <= 8);
  });
}

for (const [name, respond] of [
  ['another status', (_, response) => response.writeHead(503).end('busy')],
  [
    'another content',
    (_, response) => response.writeHead(200, { 'content-type': 'text/html' }).end('hello'),
  ],
  [
    'another question',
    (_, response) => {
      response.writeHead(200, { 'content-type': 'application/dns-message' });
      response.end(answerTo(encode({ questions: [{ name: 'x.example', type: 'A' }] })));
    },
  ],
  [
    'no end',
    (_, response) => {
      response.writeHead(200, { 'content-type': 'application/dns-message' });
      const chunk = Buffer.alloc(16_384);
      const more = (): void => {
        const { stream } = response;
        if (!stream.destroyed && !stream.closed) response.write(chunk, () => setImmediate(more));
      };
      more();
    },
  ],
] as const satisfies readonly (readonly [string, Respond])[]) {
  test(`encrypted: an HTTPS reply with ${name} is a failure`, need, async (t) => {
    const { key, cert, file } = await certificate(t);
    const server = await dohServer(t, { key, cert }, respond);
    const text = `forward . https://127.0.0.1:${server.port} {\ntls ${file}\nmax_fails 0\nmax_connect_attempts 1\n}`;
    const r = await forwardRig(t, text);
    const reply = await r.ask('www.example.org', 'A', { udpSize: 1232 });
    assert.equal(reply.rcode, 'SERVFAIL');
    assert.equal(server.requests.length, 1);
  });
}

test(
  'encrypted: an HTTPS upstream that does not answer costs one read_timeout',
  need,
  async (t) => {
    const { key, cert, file } = await certificate(t);
    const server = await dohServer(t, { key, cert }, () => {});
    const text = `forward . https://127.0.0.1:${server.port} {\ntls ${file}\nmax_fails 0\n}`;
    const r = await forwardRig(t, text);
    const reply = r.ask('www.example.org');
    await until(() => server.requests.length === 1);
    r.clock.advance(2000);
    assert.equal((await reply).rcode, 'SERVFAIL');
    assert.equal(server.requests.length, 1);
  },
);

test('encrypted: idle HTTPS connections are closed and opened again', need, async (t) => {
  const { key, cert, file } = await certificate(t);
  const server = await dohServer(t, { key, cert });
  const text = `forward . https://127.0.0.1:${server.port} {\ntls ${file}\nexpire 1s\n}`;
  const r = await forwardRig(t, text);
  for (const expected of [1, 2]) {
    for (let i = 0; i < 3; i++) assert.equal(octetOf(await r.ask(`n${i}.example.org`)), 7);
    assert.equal(server.connections(), expected);
    r.clock.advance(1000);
  }
});

test(
  'encrypted: a certificate that an HTTPS upstream should not have is refused',
  need,
  async (t) => {
    const { key, cert, file } = await certificate(t);
    const server = await dohServer(t, { key, cert });
    const text = `forward . https://127.0.0.1:${server.port} {\ntls ${file}\ntls_servername other.example.net\nmax_fails 0\n}`;
    const r = await forwardRig(t, text);
    assert.equal((await r.ask('www.example.org')).rcode, 'SERVFAIL');
    assert.match(r.services.lines.join('\n'), /other\.example\.net/);
    assert.equal(server.requests.length, 0);
  },
);
