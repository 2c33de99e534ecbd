// Unbound over TLS as upstream: verified by name and authority, or not used at all.
import assert from 'node:assert/strict';
import test from 'node:test';
import { startUnbound } from '../lib/authoritative.js';
import { makeCertificate, SERVER_NAME } from '../lib/certificates.js';
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

  const rows = [
    { name: 'the right name and authority', ca: tls.cert, server: SERVER_NAME, isUsed: true },
    { name: 'another name', ca: tls.cert, server: 'other.example.net', isUsed: false },
    { name: 'another authority', ca: other.cert, server: SERVER_NAME, isUsed: false },
  ];
  for (const { name, ca, server, isUsed } of rows) {
    await t.test(`tls upstream: ${name} ${isUsed ? 'answers' : 'is refused'}`, async (t) => {
      const port = await freePort();
      const heimdall = await startHeimdall(
        `.:${port} {
    bind 127.0.0.1
    errors
    forward . tls://${unbound.address} {
        tls ca.pem
        tls_servername ${server}
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
