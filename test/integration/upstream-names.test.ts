// Host names of upstreams as the system finds them: name servers of resolv.conf with their TTLs, /etc/hosts without.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { startNsd } from '../lib/authoritative.js';
import { run } from '../lib/child.js';
import { startHeimdall } from '../lib/heimdall.js';
import { type Namespace, startNamespace } from '../lib/namespace.js';
import { tempFolder } from '../lib/temp-folder.js';
import { needNamespaces } from '../lib/tools.js';

const LIMIT = { timeout: 120_000 };

/** The system may take its time. */
const PATIENCE_MS = 60_000;

const LOOKUP = fileURLToPath(new URL('../../plugins/forward/lookup.js', import.meta.url));

const zone = `$ORIGIN example.org.
@ 60 IN SOA ns hostmaster 1 60 60 60 60
@ 60 IN NS ns
ns 60 IN A 127.0.0.1
dns 77 IN A 192.0.2.1
dns 99 IN AAAA 2001:db8::1
only4 55 IN A 192.0.2.4
`;

/** A machine whose names are in /etc/hosts, then in NSD. */
async function machine(t: TestContext, resolvConf: string): Promise<Namespace> {
  const folder = tempFolder();
  t.after(() => folder.remove());
  const hosts = folder.write(
    'hosts',
    '127.0.0.1 localhost\n192.0.2.9 hosted.example.net\n192.0.2.8 only4.example.org\n',
  );
  const nsswitch = folder.write('nsswitch', 'hosts: files dns\n');
  const namespace = await startNamespace(resolvConf, [
    `mount --bind '${hosts}' /etc/hosts`,
    `mount --bind '${nsswitch}' /etc/nsswitch.conf`,
  ]);
  t.after(() => namespace.stop());
  return namespace;
}

/** What is found of a name there: addresses and TTL, or the error and whether it is final. */
async function found(namespace: Namespace, name: string): Promise<unknown> {
  const script = `
const { lookupBySystem } = await import(process.argv[1]);
const show = await lookupBySystem()(process.argv[2]).then(
  ({ addresses, ttl }) => [[...addresses].sort(), ttl ?? 'none'],
  ({ isFinal }) => ['error', isFinal],
);
console.log(JSON.stringify(show));`;
  const node = [process.execPath, '--input-type=module', '-e', script, LOOKUP, name];
  const { stdout, stderr } = await run([...namespace.enter(), ...node]);
  assert.equal(stderr, '');
  return JSON.parse(stdout);
}

test('names: the system says which addresses, its servers for how long', {
  ...LIMIT,
  ...needNamespaces('nsd'),
}, async (t) => {
  const namespace = await machine(t, 'nameserver 127.0.0.1\noptions timeout:2 attempts:1\n');
  const nsd = await startNsd('example.org', zone, { port: 53, namespace });
  t.after(() => nsd.stop());
  assert.deepEqual(await found(namespace, 'dns.example.org'), [['192.0.2.1', '2001:db8::1'], 77]);
  // Names in /etc/hosts have no TTL, whatever the servers say of them.
  assert.deepEqual(await found(namespace, 'hosted.example.net'), [['192.0.2.9'], 'none']);
  assert.deepEqual(await found(namespace, 'only4.example.org'), [['192.0.2.8'], 'none']);
  assert.deepEqual(await found(namespace, 'missing.example.org'), ['error', true]);
});

test('names: without a server that answers nothing is said of a name but that', {
  ...LIMIT,
  ...needNamespaces(),
}, async (t) => {
  const namespace = await machine(t, 'nameserver 127.0.0.1\noptions timeout:1 attempts:1\n');
  assert.deepEqual(await found(namespace, 'dns.example.org'), ['error', false]);
  assert.deepEqual(await found(namespace, 'hosted.example.net'), [['192.0.2.9'], 'none']);
});

test('names: a machine that asks this server for the names of its upstreams is told so', {
  ...LIMIT,
  ...needNamespaces(),
}, async (t) => {
  const namespace = await machine(t, 'nameserver 127.0.0.1\noptions timeout:1 attempts:1\n');
  const heimdall = await startHeimdall('.:53 {\n    forward . dns.example.org\n}\n', {
    namespace,
    args: ['-workers', '1'],
  });
  t.after(() => heimdall.stop());
  await heimdall.waitFor(
    /cannot look up upstream dns\.example\.org: .*, the system asks this server itself: name others with resolver; it is tried again/,
    PATIENCE_MS,
  );
});
