import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { get } from 'node:https';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { TLSSocket } from 'node:tls';
import {
  type Control,
  ENDPOINTS,
  METRIC_SOURCE,
  type MetricFamily,
  type Mount,
  PROCESS,
  type Responder,
  type SecureEndpoint,
} from '../../core/plugin.js';
import { fakeServices, HttpEndpoints } from '../../core/testing.js';
import { makeCertificate } from '../../test/lib/certificates.js';
import { tempFolder } from '../../test/lib/temp-folder.js';
import { needTools } from '../../test/lib/tools.js';
import { createControl, type PrometheusConfig } from './exporter.js';
import { readWebConfig } from './web-config.js';

const families: MetricFamily[] = [
  {
    name: 'cache_hits_total',
    help: 'Hits.',
    type: 'counter',
    samples: [
      { labels: { type: 'success' }, buckets: [], values: Float64Array.of(3) },
      { labels: { type: 'a"b\\c' }, buckets: [], values: Float64Array.of(1) },
    ],
  },
  {
    name: 'x_seconds',
    help: 'X.',
    type: 'histogram',
    samples: [{ labels: {}, buckets: [0.5, 1], values: Float64Array.of(2, 0, 1, 7.25) }],
  },
];

const config: PrometheusConfig = {
  address: { host: '127.0.0.1', port: 0 },
  namespace: undefined,
  runtime_metrics: false,
  tls: undefined,
};

class Fixture {
  readonly endpoints = new HttpEndpoints();
  readonly services = fakeServices({
    block: { zones: ['.'], plugins: ['prometheus', 'cache', 'cache'] },
    tokens: [
      [ENDPOINTS, this.endpoints],
      [METRIC_SOURCE, { families: () => families }],
      [PROCESS, { version: '1.2.3', isStopping: false, notReady: async () => [], fail: () => {} }],
    ],
  });
  readonly #t: TestContext;

  constructor(t: TestContext) {
    this.#t = t;
  }

  async start(own: Partial<PrometheusConfig> = {}): Promise<Control> {
    const control = createControl({ ...config, ...own }, this.services, 20);
    this.#t.after(() => control.onStop?.());
    await control.onStart?.();
    return control;
  }

  async find(secure?: SecureEndpoint): Promise<Mount<Responder>> {
    const address = { ...config.address, path: '/metrics' };
    const missing = (): Responder => {
      throw new Error('nothing is mounted');
    };
    const mount = await this.endpoints.mount('prometheus', address, missing, secure);
    this.#t.after(() => mount.close());
    return mount;
  }

  async scrape(): Promise<string> {
    const { origin } = await this.find();
    return (await fetch(`${origin}/metrics`)).text();
  }
}

test('exporter: families are printed under the namespace, histograms cumulative', async (t) => {
  const fixture = new Fixture(t);
  await fixture.start();
  const text = await fixture.scrape();
  assert.ok(
    text.startsWith(`# HELP coredns_cache_hits_total Hits.
# TYPE coredns_cache_hits_total counter
coredns_cache_hits_total{type="success"} 3
coredns_cache_hits_total{type="a\\"b\\\\c"} 1

# HELP coredns_x_seconds X.
# TYPE coredns_x_seconds histogram
coredns_x_seconds_bucket{le="0.5"} 2
coredns_x_seconds_bucket{le="1"} 2
coredns_x_seconds_bucket{le="+Inf"} 3
coredns_x_seconds_sum 7.25
coredns_x_seconds_count 3

`),
    text,
  );
  assert.match(text, /^process_cpu_seconds_total \d/m);
  assert.match(text, /^process_resident_memory_bytes \d{7,}$/m);
  assert.doesNotMatch(text, /nodejs_/);
});

test('exporter: namespace and runtime metrics of any block count for the address', async (t) => {
  const fixture = new Fixture(t);
  await fixture.start();
  await fixture.start({ namespace: 'heimdall', runtime_metrics: true });
  const text = await fixture.scrape();
  assert.match(text, /^heimdall_cache_hits_total\{type="success"\} 3$/m);
  assert.match(text, /^nodejs_heap_size_used_bytes \d/m);
  assert.equal(text.match(/^# TYPE process_cpu_seconds_total/gm)?.length, 1);
});

test('exporter: two namespaces at one address are refused', async (t) => {
  const fixture = new Fixture(t);
  await fixture.start({ namespace: 'a' });
  await assert.rejects(
    fixture.start({ namespace: 'b' }),
    /^Error: namespace "b" and "a" are wanted at one address, want one$/,
  );
});

test('exporter: says what runs and which plugins are enabled', async (t) => {
  const fixture = new Fixture(t);
  await fixture.start();
  const { metrics } = fixture.services;
  assert.equal(metrics.value('/build_info', { version: '1.2.3' }), 1);
  const labels = { server: 'dns://:53', zone: '.', view: '' };
  assert.equal(metrics.value('/plugin_enabled', { ...labels, name: 'prometheus' }), 1);
  assert.equal(metrics.value('/plugin_enabled', { ...labels, name: 'cache' }), 1);
});

test(
  'exporter: serves HTTPS with what the web configuration names',
  needTools('openssl'),
  async (t) => {
    const folder = tempFolder();
    t.after(() => folder.remove());
    const { key, cert } = await makeCertificate('localhost', '127.0.0.1');
    folder.write('key.pem', key);
    folder.write('cert.pem', cert);
    const tls = folder.write(
      'web.yml',
      'tls_server_config:\n  cert_file: cert.pem\n  key_file: key.pem\n  min_version: TLS13\n',
    );
    const fixture = new Fixture(t);
    await fixture.start({ tls });
    const { origin } = await fixture.find({ options: {}, key: tls });
    assert.match(origin, /^https:/);
    const status = await new Promise((resolve, reject) => {
      get(`${origin}/metrics`, { ca: cert, agent: false }, (response) => {
        response.resume();
        resolve(response.statusCode);
      }).on('error', reject);
    });
    assert.equal(status, 200);

    const { lines } = fixture.services;
    folder.write('key.pem', 'no key');
    while (!lines.some((line) => line.includes('kept'))) await turn();
    assert.match(
      lines[0] ?? '',
      /^warning certificates of https:\/\/127.+ kept: its certificate and key cannot be used/,
    );
    const renewed = await makeCertificate('localhost', '127.0.0.1');
    folder.write('cert.pem', renewed.cert);
    folder.write('key.pem', renewed.key);
    while (!lines.some((line) => line.includes('read anew'))) await turn();
    const agreed = await new Promise((resolve, reject) => {
      get(`${origin}/metrics`, { ca: renewed.cert, agent: false }, (response) => {
        response.resume();
        resolve((response.socket as TLSSocket).getProtocol());
      }).on('error', reject);
    });
    assert.equal(agreed, 'TLSv1.3');
  },
);

function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 5));
}

const faults = [
  { name: 'no keys', text: '', want: /the file has no keys, want tls_server_config/ },
  {
    name: 'a key that is not supported',
    text: 'basic_auth_users:\n  a: b\n',
    want: /basic_auth_users is not supported, want tls_server_config/,
  },
  {
    name: 'a TLS key that is not supported',
    text: 'tls_server_config:\n  cipher_suites: [a]\n',
    want: /tls_server_config\.cipher_suites is not supported, want cert_file, key_file, /,
  },
  {
    name: 'no certificate',
    text: 'tls_server_config:\n  key_file: a\n',
    want: /needs cert_file and key_file/,
  },
  {
    name: 'a client check without an authority',
    text: 'tls_server_config:\n  cert_file: a\n  key_file: a\n  client_auth_type: RequireAndVerifyClientCert\n',
    want: /needs client_ca_file for client_auth_type RequireAndVerifyClientCert/,
  },
  {
    name: 'a client check of an unknown kind',
    text: 'tls_server_config:\n  cert_file: web.yml\n  key_file: web.yml\n  client_auth_type: Maybe\n',
    want: /client_auth_type "Maybe" is not supported, want NoClientCert, RequestClientCert, /,
  },
  {
    name: 'files that are no certificates',
    text: 'tls_server_config:\n  cert_file: web.yml\n  key_file: web.yml\n',
    want: /its certificate and key cannot be used: /,
  },
];

for (const { name, text, want } of faults) {
  test(`web configuration: ${name} is an error`, (t) => {
    const folder = tempFolder();
    t.after(() => folder.remove());
    const path = join(folder.path, 'web.yml');
    writeFileSync(path, text);
    assert.throws(() => readWebConfig(path), want);
  });
}
