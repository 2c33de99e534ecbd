// Unbound over TLS and HTTPS as upstream: verified by name, authority and key, or not used at all.
import assert from 'node:assert/strict';
import test from 'node:test';
import { startUnbound } from '../lib/authoritative.js';
import { makeCertificate, pinOf, SERVER_NAME } from '../lib/certificates.js';
import { ask } from '../lib/client.js';
import { startHeimdall } from '../lib/heimdall.js';
import { freePort } from '../lib/ports.js';
import { needTools } from '../lib/tools.js';
import { ZONE, zoneText } from '../lib/zone.js';

test('tls upstream: unbound', needTools('unbound', 'openssl'), async (t) => {
  const tls = await makeCertificate();
  const unbound = await startUnbound(ZONE, zoneText, { tls });
  t.after(() => unbound.stop());
  const other = await makeCertificate();

  const good = `tls_servername ${SERVER_NAME}`;
  const rows = [
    { name: 'the right name and authority', ca: tls.cert, trust: good, isUsed: true },
    {
      name: 'another name',
      ca: tls.cert,
      trust: 'tls_servername other.example.net',
      isUsed: false,
    },
    { name: 'another authority', ca: other.cert, trust: good, isUsed: false },
    {
      name: 'a name and a pin',
      ca: tls.cert,
      trust: `${good}\ntls_pin sha256/${pinOf(tls.cert)}`,
      isUsed: true,
    },
    {
      name: 'the pin of another key',
      ca: tls.cert,
      trust: `${good}\ntls_pin sha256/${pinOf(other.cert)}`,
      isUsed: false,
    },
  ];
  for (const { name, ca, trust, isUsed } of rows) {
    await t.test(`tls upstream: ${name} ${isUsed ? 'answers' : 'is refused'}`, async (t) => {
      const port = await freePort();
      const heimdall = await startHeimdall(
        `.:${port} {
    bind 127.0.0.1
    errors
    forward . tls://${unbound.address} {
        tls ca.pem
        ${trust}
    }
}
`,
        { files: { 'ca.pem': ca } },
      );
      t.after(() => heimdall.stop());
      const wanted = isUsed ? 'NOERROR' : 'SERVFAIL';
      for (const tcp of [false, true]) {
        assert.equal((await ask(port, 'www.example.org', 'A', { tcp })).rcode, wanted);
      }
      if (!isUsed) return;
      const names = Array.from({ length: 100 }, (_, i) => `n${i}.wild.example.org`);
      const replies = await Promise.all(names.map((each) => ask(port, each, 'A')));
      assert.ok(replies.every((reply) => reply.message.answers?.length === 1));
    });
  }
});

test('https upstream: unbound', needTools('unbound', 'openssl'), async (t) => {
  const tls = await makeCertificate();
  const unbound = await startUnbound(ZONE, zoneText, { tls, path: '/family' });
  t.after(() => unbound.stop());
  for (const { method, path, isUsed } of [
    { method: 'POST', path: '/family', isUsed: true },
    { method: 'GET', path: '/family{?dns}', isUsed: true },
    { method: 'POST', path: '/dns-query', isUsed: false },
  ]) {
    await t.test(
      `https upstream: ${method} at ${path} ${isUsed ? 'answers' : 'is an error'}`,
      async (t) => {
        const port = await freePort();
        const heimdall = await startHeimdall(
          `.:${port} {
    bind 127.0.0.1
    errors
    forward . https://127.0.0.1%${SERVER_NAME}:${unbound.port}${path} {
        tls ca.pem
        doh_method ${method}
    }
}
`,
          { files: { 'ca.pem': tls.cert } },
        );
        t.after(() => heimdall.stop());
        const names = Array.from({ length: 100 }, (_, i) => `n${i}.wild.example.org`);
        const replies = await Promise.all(names.map((each) => ask(port, each, 'A')));
        const wanted = isUsed ? 'NOERROR' : 'SERVFAIL';
        assert.ok(replies.every(({ rcode }) => rcode === wanted));
        if (!isUsed) await heimdall.waitFor(/HTTP status 404/);
      },
    );
  }
});
