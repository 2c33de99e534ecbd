// Whom *forward* trusts over TLS and HTTPS: servers that an authority vouches for by name or address, or whose key is known; others are told nothing.
import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import { frame, serveStreams } from '../../core/testing.js';
import { type Issued, makeIssued, pinOf } from '../../test/lib/certificates.js';
import { answerTo, dohServer } from '../../test/lib/doh-server.js';
import { forwardRig, octetOf, until } from '../../test/lib/forward-rig.js';
import { tempFolder } from '../../test/lib/temp-folder.js';
import { needTools } from '../../test/lib/tools.js';

const need = { timeout: 30_000, ...needTools('openssl') };

interface Server {
  readonly port: number;
  /** Connections, and queries on them. */
  seen(): readonly [number, number];
}

const SCHEMES = {
  async tls(t: TestContext, certificate: Issued): Promise<Server> {
    const { port, sockets, arrivals } = await serveStreams(
      t,
      (query, socket) => socket.write(frame(answerTo(query))),
      certificate,
    );
    return { port, seen: () => [sockets.length, arrivals.length] };
  },
  async https(t: TestContext, certificate: Issued): Promise<Server> {
    const { port, connections, requests } = await dohServer(t, certificate);
    return { port, seen: () => [connections(), requests.length] };
  },
} as const;

/** The certificate is one for dns.example.net, issued by an authority of the test's own; `CA` stands for that, `PIN` for the pin of the key. */
const cases: readonly { name: string; to: string; properties: string; refusal?: RegExp }[] = [
  { name: 'an authority and a name', to: '', properties: 'tls CA\ntls_servername dns.example.net' },
  { name: 'a name behind the address', to: '%dns.example.net', properties: 'tls CA' },
  {
    name: 'an authority, but neither a name nor a key',
    to: '',
    properties: 'tls CA',
    refusal: /its certificate is for dns\.example\.net, not for 127\.0\.0\.1$/,
  },
  {
    name: 'neither an authority nor a name nor a key',
    to: '',
    properties: '',
    refusal: /its certificate comes from an authority that is not trusted/,
  },
  {
    name: 'a name, but no authority',
    to: '%dns.example.net',
    properties: '',
    refusal: /its certificate comes from an authority that is not trusted/,
  },
  {
    name: 'another name',
    to: '%other.example.net',
    properties: 'tls CA',
    refusal: /its certificate is for dns\.example\.net, not for other\.example\.net$/,
  },
  { name: 'a key alone', to: '', properties: 'tls_pin sha256/PIN' },
  {
    name: 'another key',
    to: '',
    properties: `tls_pin sha256/${'A'.repeat(43)}=`,
    refusal: /its key is none of those pinned, but sha256\/[A-Za-z0-9+/]{43}=$/,
  },
  { name: 'tls_insecure', to: '', properties: 'tls_insecure' },
];

for (const scheme of ['tls', 'https'] as const) {
  for (const { name, to, properties, refusal } of cases) {
    const claim = refusal === undefined ? 'is enough' : 'is not enough, and the log says why';
    test(`trust: ${scheme}: ${name} ${claim}`, need, async (t) => {
      const certificate = await makeIssued();
      const folder = tempFolder();
      t.after(() => folder.remove());
      const server = await SCHEMES[scheme](t, certificate);
      const written = properties
        .replace('CA', folder.write('ca.pem', certificate.ca))
        .replace('PIN', pinOf(certificate.cert));
      const text = `forward . ${scheme}://127.0.0.1${to}:${server.port} {\nmax_fails 0\n${written}\n}`;
      const r = await forwardRig(t, text);
      const reply = await r.ask('www.example.org');
      if (refusal === undefined) {
        assert.equal(octetOf(reply), 7);
        return;
      }
      assert.equal(reply.rcode, 'SERVFAIL');
      const [line = ''] = r.services.lines.filter((each) => each.startsWith('warning'));
      assert.match(line, refusal);
      await until(() => r.services.metrics.value('connections') === 0);
      assert.equal(server.seen()[1], 0, 'it was told the question');
    });
  }
}
