import assert from 'node:assert/strict';
import { join } from 'node:path';
import test from 'node:test';
import { Rcode } from '../../core/plugin.js';
import { directiveProblems, parseDirective } from '../../core/testing.js';
import { publishForward } from '../../test/lib/forward-rig.js';
import { tempFolder } from '../../test/lib/temp-folder.js';
import forward from './setup.js';

/** A file that exists. */
const HERE = join(process.cwd(), 'package.json');

/** The hash of some key. */
const PIN = 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=';

const PLAIN = { kind: 'address', scheme: 'dns', servername: '' };

/** Every property's default. */
const DEFAULTS = {
  from: ['.'],
  to: [{ ...PLAIN, address: '192.0.2.1', port: 53 }],
  except: [],
  force_tcp: false,
  prefer_udp: false,
  no_0x20: false,
  expire: undefined,
  max_age: 0,
  max_idle_conns: 0,
  max_fails: 2,
  max_connect_attempts: undefined,
  read_timeout: 2000,
  tls: undefined,
  tls_servername: '',
  tls_pin: [],
  tls_insecure: false,
  policy: 'fastest',
  health_check: [500, { recursionDesired: true, domain: Uint8Array.of(0) }],
  max_concurrent: 0,
  next: [],
  next_on_nodata: false,
  failfast_all_unhealthy_upstreams: false,
  failover: [],
  source_address: undefined,
  resolver: [],
  doh_method: 'POST',
  parallel: 1,
  hedge: undefined,
  log_disagreements: false,
  persist: undefined,
};

test('forward syntax: defaults', () => {
  assert.deepEqual(parseDirective(forward, 'forward . 192.0.2.1'), [DEFAULTS]);
});

const properties = [
  [
    'except Example.org example.net\nexcept 10.0.0.0/8',
    { except: ['example.org.', 'example.net.', '10.in-addr.arpa.'] },
  ],
  ['force_tcp\nprefer_udp', { force_tcp: true, prefer_udp: true }],
  ['no_0x20', { no_0x20: true }],
  ['expire 0s', { expire: 0 }],
  ['expire 1m', { expire: 60_000 }],
  ['max_age 5m', { max_age: 300_000 }],
  ['max_idle_conns 4', { max_idle_conns: 4 }],
  ['max_fails 0', { max_fails: 0 }],
  ['max_connect_attempts 0', { max_connect_attempts: 0 }],
  ['read_timeout 500ms', { read_timeout: 500 }],
  ['policy hash', { policy: 'hash' }],
  ['policy round_robin', { policy: 'round_robin' }],
  ['policy random\npolicy sequential', { policy: 'sequential' }],
  [
    'health_check 5s',
    { health_check: [5000, { recursionDesired: true, domain: Uint8Array.of(0) }] },
  ],
  [
    'health_check 1s no_rec domain a.b',
    { health_check: [1000, { recursionDesired: false, domain: Uint8Array.of(1, 97, 1, 98, 0) }] },
  ],
  ['max_concurrent 1000', { max_concurrent: 1000 }],
  [
    'next NXDOMAIN servfail\nnext NOERROR',
    { next: [Rcode.NXDOMAIN, Rcode.SERVFAIL, Rcode.NOERROR] },
  ],
  ['next_on_nodata', { next_on_nodata: true }],
  ['failover REFUSED', { failover: [Rcode.REFUSED] }],
  ['failfast_all_unhealthy_upstreams', { failfast_all_unhealthy_upstreams: true }],
  ['source_address 2001:db8::2', { source_address: '2001:db8::2' }],
  ['tls_servername dns.example.net', { tls_servername: 'dns.example.net' }],
  ['tls', { tls: { cert: undefined, key: undefined, ca: undefined } }],
  ['tls package.json', { tls: { cert: undefined, key: undefined, ca: HERE } }],
  [`tls ${HERE} ${HERE}`, { tls: { cert: HERE, key: HERE, ca: undefined } }],
  [`tls ${HERE} ${HERE} ${HERE}`, { tls: { cert: HERE, key: HERE, ca: HERE } }],
  ['resolver 192.0.2.9 [2001:db8::9]:5353', { resolver: ['192.0.2.9:53', '[2001:db8::9]:5353'] }],
  ['parallel 3', { parallel: 3 }],
  ['hedge 2.5', { hedge: 2.5 }],
  ['log_disagreements', { log_disagreements: true }],
  ['persist /var/tmp/upstreams', { persist: ['/var/tmp/upstreams', 300_000] }],
  ['persist /var/tmp/upstreams 0', { persist: ['/var/tmp/upstreams', 0] }],
  ['doh_method get', { doh_method: 'GET' }],
] as const;

for (const [text, want] of properties) {
  test(`forward syntax: ${text.replaceAll('\n', ', ')}`, () => {
    const configs = parseDirective(forward, `forward . 192.0.2.1 {\n${text}\n}`);
    assert.deepEqual(configs, [{ ...DEFAULTS, ...want }]);
  });
}

const targets = [
  ['192.0.2.1:5353', { ...PLAIN, address: '192.0.2.1', port: 5353 }],
  ['dns://192.0.2.1', { ...PLAIN, address: '192.0.2.1', port: 53 }],
  ['2001:db8::1', { ...PLAIN, address: '2001:db8::1', port: 53 }],
  ['[2001:db8::1]', { ...PLAIN, address: '2001:db8::1', port: 53 }],
  ['[2001:db8::1]:54', { ...PLAIN, address: '2001:db8::1', port: 54 }],
  ['fe80::1%eth0', { ...PLAIN, address: 'fe80::1%eth0', port: 53 }],
  ['[fe80::1%eth0]:54', { ...PLAIN, address: 'fe80::1%eth0', port: 54 }],
  ['tls://192.0.2.1', { ...PLAIN, scheme: 'tls', address: '192.0.2.1', port: 853 }],
  [
    'tls://192.0.2.1%a.b:854',
    { kind: 'address', scheme: 'tls', servername: 'a.b', address: '192.0.2.1', port: 854 },
  ],
  [
    'tls://2001:db8::1%a.b',
    { kind: 'address', scheme: 'tls', servername: 'a.b', address: '2001:db8::1', port: 853 },
  ],
  [
    'tls://[2001:db8::1%a.b]:854',
    { kind: 'address', scheme: 'tls', servername: 'a.b', address: '2001:db8::1', port: 854 },
  ],
  ['https://192.0.2.1', { ...PLAIN, scheme: 'https', address: '192.0.2.1', port: 443 }],
  [
    'https://192.0.2.1/other',
    { ...PLAIN, scheme: 'https', address: '192.0.2.1', port: 443, path: '/other' },
  ],
  [
    'https://192.0.2.1/dns-query{?dns}',
    { ...PLAIN, scheme: 'https', address: '192.0.2.1', port: 443 },
  ],
  [
    'https://192.0.2.1%a.b:444/q?key=1{&dns}',
    {
      kind: 'address',
      scheme: 'https',
      servername: 'a.b',
      address: '192.0.2.1',
      port: 444,
      path: '/q?key=1',
    },
  ],
  [
    'https://dns.example.net/other{?dns}',
    { kind: 'name', scheme: 'https', name: 'dns.example.net', port: 443, path: '/other' },
  ],
  ['HTTPS://[2001:db8::1]:4443', { ...PLAIN, scheme: 'https', address: '2001:db8::1', port: 4443 }],
  ['dns.example.net', { kind: 'name', scheme: 'dns', name: 'dns.example.net', port: 53 }],
  [
    'tls://dns.example.net:854',
    { kind: 'name', scheme: 'tls', name: 'dns.example.net', port: 854 },
  ],
  ['/etc/hosts', { kind: 'file', path: '/etc/hosts' }],
] as const;

for (const [text, want] of targets) {
  test(`forward syntax: upstream ${text}`, () => {
    assert.deepEqual(parseDirective(forward, `forward . ${text} 192.0.2.1`)[0]?.to[0], want);
  });
}

test('forward syntax: tls_pin and tls_insecure are for upstreams over TLS', () => {
  const pins = parseDirective(
    forward,
    `forward . https://dns.example.net {\ntls_pin sha256/${PIN}\ntls_pin sha256/${PIN}\n}`,
  );
  assert.deepEqual(pins[0]?.tls_pin, [PIN, PIN]);
  const insecure = parseDirective(forward, 'forward . tls://192.0.2.1 {\ntls_insecure\n}');
  assert.equal(insecure[0]?.tls_insecure, true);
});

test('forward syntax: weight=N belongs to the upstream before it', (t) => {
  const folder = tempFolder();
  t.after(() => folder.remove());
  const file = folder.write('resolv.conf', 'nameserver 192.0.2.7\nnameserver 192.0.2.8\n');
  const text = `forward . 192.0.2.1 weight=3 192.0.2.2 ${file} weight=2`;
  const { targets } = publishForward(text, 1) as {
    targets: readonly { address: string; weight?: number }[];
  };
  assert.deepEqual(
    targets.map(({ address, weight }) => `${address} ${weight}`),
    ['192.0.2.1 3', '192.0.2.2 undefined', '192.0.2.7 2', '192.0.2.8 2'],
  );
});

const WANT_TARGET =
  'want IP[:PORT], tls://IP[%SERVERNAME][:PORT], https://IP[%SERVERNAME][:PORT][/PATH], a host name or a resolv.conf file';

const errors = [
  [
    'forward . 192.0.2.1 {\npersist a 10ms\n}',
    '2: forward: "10ms" is out of range, want 0 or 1s..24h',
  ],
  ['forward', '1: forward: missing argument FROM, want a zone name or network'],
  ['forward .', '1: forward: missing argument TO, want an upstream'],
  [
    'forward . 1.1.1.300',
    `1: forward: "1.1.1.300" is not an IP address, host name or file, ${WANT_TARGET}`,
  ],
  [
    'forward . /no/such/file',
    `1: forward: "/no/such/file" is not an IP address, host name or file, ${WANT_TARGET}`,
  ],
  [
    'forward . 192.0.2.1:99999',
    '1: forward: "192.0.2.1:99999" has a port out of range, want 1..65535',
  ],
  [
    'forward . quic://192.0.2.1',
    '1: forward: "quic://192.0.2.1" has a scheme that is not supported, want dns://, tls:// or https://',
  ],
  [
    'forward . https://192.0.2.1/',
    '1: forward: paths are not allowed in HTTPS upstream addresses unless they name something: "https://192.0.2.1/", want /dns-query or another one',
  ],
  [
    'forward . https://192.0.2.1/x{?other}',
    '1: forward: "https://192.0.2.1/x{?other}" has a path that is none, want one such as /dns-query or /dns-query{?dns}',
  ],
  [
    'forward . tls://192.0.2.1 {\ntls_pin sha256/abc\n}',
    '2: forward: "sha256/abc" is not the hash of a public key, want sha256/ and 44 characters of base64',
  ],
  [
    `forward . 192.0.2.1 {\ntls_pin sha256/${PIN}\n}`,
    '2: forward: no upstream is asked over TLS, want tls:// or https://',
  ],
  [
    'forward . 192.0.2.1 {\ntls_insecure\n}',
    '2: forward: no upstream is asked over TLS, want tls:// or https://',
  ],
  [
    `forward . tls://192.0.2.1 {\ntls_insecure\ntls_pin sha256/${PIN}\n}`,
    '2: forward: tls_pin says whom to trust, want one of the two',
  ],
  [
    'forward . tls://192.0.2.1 {\ntls_insecure\ntls package.json\n}',
    '2: forward: the CA of tls says whom to trust, want one of the two',
  ],
  [
    'forward . 192.0.2.1%a.b',
    '1: forward: "192.0.2.1%a.b" names a certificate without TLS, want tls://IP%SERVERNAME',
  ],
  [
    `forward . ${'192.0.2.1 '.repeat(16)}`,
    '1: forward: 16 upstreams are too many, want at most 15',
  ],
  ['forward . weight=2', '1: forward: "weight=2" follows no upstream'],
  [
    'forward . 192.0.2.1 weight=101',
    '1: forward: "weight=101" is not a weight, want weight=1..100',
  ],
  [
    'forward . 192.0.2.1 weight=2 {\npolicy sequential\n}',
    '2: forward: sequential has no use for weight, want another policy',
  ],
  [
    'forward . 192.0.2.1 {\npolicy best\n}',
    '2: forward: unknown policy "best", want fastest, random, round_robin, sequential, hash',
  ],
  ['forward . 192.0.2.1 {\nparallel 5\n}', '2: forward: parallel 5 is out of range, want 1..4'],
  ['forward . 192.0.2.1 {\nhedge 101\n}', '2: forward: hedge 101 is out of range, want 0..100'],
  [
    'forward . 192.0.2.1 {\nparallel 2\nhedge 5\n}',
    '3: forward: parallel sends every query to several, want one of the two',
  ],
  [
    'forward . 192.0.2.1 {\nmax_age 5s\n}',
    '2: forward: max_age is shorter than expire, want at least as long',
  ],
  [
    'forward . 192.0.2.1 {\nread_timeout 0s\n}',
    '2: forward: read_timeout 0s is out of range, want 1ms or more',
  ],
  [
    'forward . 192.0.2.1 {\nnext BOGUS\n}',
    '2: forward: "BOGUS" is not a valid rcode, want one such as SERVFAIL or NXDOMAIN',
  ],
  [
    'forward . 192.0.2.1 {\nfailover NOERROR\n}',
    '2: forward: NoError cannot be used in failover, want an error such as SERVFAIL',
  ],
  [
    'forward . 192.0.2.1 {\nhealth_check 1s fast\n}',
    '2: forward: "fast" is not an option of a probe, want no_rec or domain FQDN',
  ],
  [
    'forward . 192.0.2.1 {\nhealth_check 1s domain\n}',
    '2: forward: domain is not followed by a name',
  ],
  [
    'forward . 192.0.2.1 {\nhealth_check 1s domain a..b\n}',
    '2: forward: "a..b" is not a domain name, want a name such as example.org',
  ],
  [
    'forward . 192.0.2.1 {\nhealth_check\n}',
    '2: forward: missing argument for health_check, want a duration such as 30s or 250ms',
  ],
  [
    'forward . 192.0.2.1 {\ntls /no/such.pem\n}',
    '2: forward: "/no/such.pem" does not exist, want a PEM file',
  ],
  [
    'forward . tls://192.0.2.1%a..b',
    '1: forward: "tls://192.0.2.1%a..b" names no certificate, want tls://IP%SERVERNAME',
  ],
  [
    'forward . 192.0.2.1 {\ntls_servername a_/b\n}',
    '2: forward: "a_/b" is no name that a certificate can have, want a host name',
  ],
  [
    'forward . 192.0.2.1 {\ntls a b c d\n}',
    '2: forward: "d" is one file too many, want at most CERT KEY CA',
  ],
  [
    'forward . 192.0.2.1 {\nresolver dns.example.net\n}',
    '2: forward: "dns.example.net" is not an IP address, want IP[:PORT]',
  ],
  [
    'forward . tls://192.0.2.1%a {\ntls_servername b\n}',
    '2: forward: "b" and "a" are both set for upstream tls://192.0.2.1:853, want one of them',
  ],
  [
    'forward . 192.0.2.1 {\nmax_fail 3\n}',
    '2: forward: unknown property "max_fail", did you mean "max_fails"?',
  ],
] as const;

for (const [text, message] of errors) {
  test(`forward syntax: ${text.replaceAll('\n', ', ').slice(0, 60)}: is refused`, () => {
    assert.deepEqual(directiveProblems(forward, text), [`Corefile:${message}`]);
  });
}

test('forward syntax: every occurrence is a step of its own, in written order', () => {
  const configs = parseDirective(forward, 'forward a 192.0.2.1\nforward . 192.0.2.2');
  assert.deepEqual(
    configs.map(({ from }) => from),
    [['a.'], ['.']],
  );
});

test('forward: a resolv.conf file gives its nameservers, in place', (t) => {
  const folder = tempFolder();
  t.after(() => folder.remove());
  const file = folder.write(
    'resolv.conf',
    '# nameserver 192.0.2.99\nsearch example.org\nnameserver 192.0.2.2 \r\n\tnameserver fe80::1%eth0\nnameserver nonsense\nnameserver\nnameservers 192.0.2.98\n',
  );
  const published = publishForward(`forward . 192.0.2.1 ${file} 192.0.2.3`, 1) as {
    targets: readonly { address: string; port: number }[];
  };
  assert.deepEqual(
    published.targets.map(({ address, port }) => `${address} ${port}`),
    ['192.0.2.1 53', '192.0.2.2 53', 'fe80::1%eth0 53', '192.0.2.3 53'],
  );
});

test('forward: files that are of no use stop the start, with a reason', (t) => {
  const folder = tempFolder();
  t.after(() => folder.remove());
  const empty = folder.write('empty.conf', 'search example.org\n');
  const many = folder.write('many.conf', 'nameserver 192.0.2.1\n'.repeat(32));
  const bad = folder.write('bad.pem', 'nonsense');
  const cases = [
    [`forward . ${many}`, /32 upstreams are too many, want at most 31/],
    [`forward . tls://192.0.2.1 {\ntls ${folder.path}\n}`, /cannot read ".*": EISDIR/],
    [`forward . tls://192.0.2.1 {\ntls ${bad} ${bad}\n}`, /cannot use .*bad\.pem.*: /],
  ] as const;
  for (const [text, message] of cases) assert.throws(() => publishForward(text, 1), message);
  assert.deepEqual(directiveProblems(forward, `forward . ${empty} ${empty}`), [
    'Corefile:1: forward: no upstream is left: the files name no nameserver',
  ]);
  assert.deepEqual(directiveProblems(forward, `forward . ${empty} 192.0.2.1`), []);
});
