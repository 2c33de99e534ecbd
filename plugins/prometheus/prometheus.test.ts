import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Query, Rcode, Transport } from '../../core/plugin.js';
import { fakeServices, makeQuery, type QueryOptions } from '../../core/testing.js';
import { CountingHandler } from './prometheus.js';

const services = () =>
  fakeServices({
    servers: ['dns://:53', 'dns://127.0.0.1:1053'],
    block: { zones: ['.', 'example.org.'], plugins: ['prometheus', 'cache', 'forward'] },
  });

interface Reply {
  readonly depth?: number;
  readonly rcode?: number;
  readonly tookMs?: number;
}

/** Lets the handler see a query and its reply. */
function observe(
  handler: CountingHandler,
  name: string,
  type: string,
  options: QueryOptions & Reply = {},
): Query {
  const q = makeQuery(name, type, options);
  q.depth = options.depth ?? 1;
  q.repliedMs = q.receivedMs + (options.tookMs ?? 1);
  handler.observe(q, q.replyRcode(options.rcode ?? Rcode.NOERROR));
  return q;
}

test('prometheus: a query is counted by listener, zone, transport, family and type', () => {
  const own = services();
  const { metrics } = own;
  const handler = new CountingHandler(own);
  observe(handler, 'a.example.org', 'A', { zone: 1 });
  observe(handler, 'a.example.org', 'A', { zone: 1 });
  observe(handler, 'a.example.org', 'AAAA', { zone: 1, client: '2001:db8::1' });
  observe(handler, 'example.net', 'A', { server: 1, transport: Transport.TCP });
  const org = { server: 'dns://:53', zone: 'example.org.', view: '', proto: 'udp' };
  assert.equal(metrics.value('/dns_requests_total', { ...org, family: '1', type: 'A' }), 2);
  assert.equal(metrics.value('/dns_requests_total', { ...org, family: '2', type: 'AAAA' }), 1);
  const net = { server: 'dns://127.0.0.1:1053', zone: '.', proto: 'tcp', type: 'A' };
  assert.equal(metrics.value('/dns_requests_total', net), 1);
  assert.equal(metrics.value('/dns_requests_total'), 4);
});

test('prometheus: rare types are other', () => {
  const own = services();
  const handler = new CountingHandler(own);
  for (const type of ['LOC', 'CAA', 'TYPE65280', 'SSHFP']) observe(handler, 'a.', type);
  observe(handler, 'a.', 'HTTPS');
  assert.equal(own.metrics.value('/dns_requests_total', { type: 'other' }), 4);
  assert.equal(own.metrics.value('/dns_requests_total', { type: 'HTTPS' }), 1);
});

test('prometheus: a reply is counted by rcode and the plugin that made it', () => {
  const own = services();
  const handler = new CountingHandler(own);
  observe(handler, 'a.', 'A', { depth: 1 });
  observe(handler, 'a.', 'A', { depth: 2, rcode: Rcode.NXDOMAIN });
  observe(handler, 'a.', 'A', { depth: 2, rcode: Rcode.NXDOMAIN });
  observe(handler, 'a.', 'A', { depth: -1, rcode: Rcode.REFUSED });
  observe(handler, 'a.', 'A', { rcode: 4000 });
  const count = (rcode: string, plugin: string): number =>
    own.metrics.value('/dns_responses_total', { rcode, plugin });
  assert.deepEqual(
    [count('NOERROR', 'cache'), count('NXDOMAIN', 'forward'), count('REFUSED', '')],
    [1, 2, 1],
  );
  assert.equal(count('other', 'cache'), 1);
});

test('prometheus: DO, sizes and durations are counted', () => {
  const own = services();
  const { metrics } = own;
  const handler = new CountingHandler(own);
  const plain = observe(handler, 'a.', 'A', { tookMs: 2 });
  const edns = observe(handler, 'a.', 'A', { do: true, tookMs: 3 });
  assert.equal(metrics.value('/dns_do_requests_total'), 1);
  assert.equal(metrics.value('/dns_request_size_bytes', { proto: 'udp' }), 2);
  assert.equal(metrics.value('/dns_request_size_bytes_sum'), plain.length + edns.length);
  assert.equal(metrics.value('/dns_response_size_bytes'), 2);
  assert.equal(metrics.value('/dns_request_duration_seconds'), 2);
  assert.ok(Math.abs(metrics.value('/dns_request_duration_seconds_sum') - 0.005) < 1e-9);
});

test('prometheus: only combinations that occurred are registered', () => {
  const own = services();
  const handler = new CountingHandler(own);
  assert.deepEqual(own.metrics.names, []);
  observe(handler, 'a.', 'A');
  assert.ok(own.metrics.names.every((name) => name !== '/dns_do_requests_total'));
  assert.equal(own.metrics.value('/dns_requests_total', { proto: 'tcp' }), 0);
});
