// What people and programs ask with: the command-line tools, Node's resolver, and glibc through resolv.conf.
import assert from 'node:assert/strict';
import { Resolver } from 'node:dns/promises';
import test, { type TestContext } from 'node:test';
import { type NameServer, startNsd } from '../lib/authoritative.js';
import { run } from '../lib/child.js';
import { digWith } from '../lib/client.js';
import { startHeimdall } from '../lib/heimdall.js';
import { startNamespace } from '../lib/namespace.js';
import { freePort } from '../lib/ports.js';
import { needNamespaces, needTools } from '../lib/tools.js';
import { ZONE, zoneText } from '../lib/zone.js';

/** The server in front of NSD; its port. */
async function startPair(t: TestContext): Promise<number> {
  const nsd = await startNsd(ZONE, zoneText);
  t.after(() => nsd.stop());
  const port = await freePort();
  const heimdall = await startHeimdall(resolver(port, nsd));
  t.after(() => heimdall.stop());
  return port;
}

function resolver(port: number, upstream: NameServer): string {
  return `.:${port} {
    bind 127.0.0.1
    errors
    cache
    forward . ${upstream.address}
}
`;
}

test('clients: kdig resolves over UDP and TCP', needTools('nsd', 'kdig'), async (t) => {
  const port = await startPair(t);
  for (const transport of ['+notcp', '+tcp']) {
    const short = await digWith('kdig', port, transport, '+short', 'www.example.org', 'A');
    assert.deepEqual(short.trim().split('\n').sort(), ['192.0.2.1', '192.0.2.2']);
    const full = await digWith('kdig', port, transport, 'www.example.org', 'AAAA');
    assert.match(full, /status: NOERROR/);
    assert.match(full, /^www\.example\.org\.\s+\d+\s+IN\s+AAAA\s+2001:db8::1$/m);
  }
});

test('clients: dig resolves over UDP and TCP', needTools('nsd', 'dig'), async (t) => {
  const port = await startPair(t);
  for (const transport of ['+notcp', '+tcp']) {
    const full = await digWith('dig', port, transport, 'alias.example.org', 'AAAA');
    assert.match(full, /status: NOERROR/);
    assert.match(full, /^alias\.example\.org\.\s+\d+\s+IN\s+CNAME\s+alias2\.example\.org\.$/m);
    assert.match(full, /^www\.example\.org\.\s+\d+\s+IN\s+AAAA\s+2001:db8::1$/m);
    assert.doesNotMatch(full, /malformed|extra bytes|mismatch/i);
  }
});

test('clients: drill resolves over UDP and TCP', needTools('nsd', 'drill'), async (t) => {
  const port = await startPair(t);
  for (const transport of ['-u', '-t']) {
    const full = await digWith('drill', port, transport, 'example.org', 'MX');
    assert.match(full, /rcode: NOERROR/);
    assert.match(full, /^example\.org\.\s+\d+\s+IN\s+MX\s+20 mail\.example\.net\.$/m);
  }
});

test('clients: Node resolves every type it knows', needTools('nsd'), async (t) => {
  const port = await startPair(t);
  const client = new Resolver({ timeout: 2_000, tries: 2 });
  client.setServers([`127.0.0.1:${port}`]);
  assert.deepEqual((await client.resolve4('www.example.org')).sort(), ['192.0.2.1', '192.0.2.2']);
  assert.deepEqual(await client.resolve6('www.example.org'), ['2001:db8::1']);
  const [srv] = await client.resolveSrv('_dns._udp.example.org');
  assert.equal(
    `${srv?.priority} ${srv?.weight} ${srv?.port} ${srv?.name}`,
    '1 2 53 ns.example.org',
  );
  assert.equal((await client.resolveSoa('example.org')).minttl, 60);
  // Node retries over TCP when a reply is truncated.
  assert.equal((await client.resolveTxt('big.example.org'))[0]?.length, 30);
  await assert.rejects(client.resolve4('missing.example.org'), { code: 'ENOTFOUND' });
  await assert.rejects(client.resolve4('text.example.org'), { code: 'ENODATA' });
});

test('clients: glibc resolves through resolv.conf', needNamespaces('nsd', 'getent'), async (t) => {
  const namespace = await startNamespace('nameserver 127.0.0.1\noptions timeout:2 attempts:1\n');
  t.after(() => namespace.stop());
  const nsd = await startNsd(ZONE, zoneText, { port: 5300, namespace });
  t.after(() => nsd.stop());
  const heimdall = await startHeimdall(resolver(53, nsd), { namespace });
  t.after(() => heimdall.stop());

  for (const RES_OPTIONS of ['', 'use-vc', 'edns0 trust-ad']) {
    const got = await run([...namespace.enter(), 'getent', 'ahosts', 'alias.example.org'], {
      env: { RES_OPTIONS },
    });
    const addresses = new Set(got.stdout.split('\n').map((line) => line.split(/\s/)[0]));
    addresses.delete('');
    assert.deepEqual([...addresses].sort(), ['192.0.2.1', '192.0.2.2', '2001:db8::1']);
  }
  const missing = await run([...namespace.enter(), 'getent', 'ahosts', 'missing.example.org']);
  assert.equal(missing.code, 2);
});
