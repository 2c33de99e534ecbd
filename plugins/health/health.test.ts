import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { type Control, ENDPOINTS, type Endpoints } from '../../core/plugin.js';
import { fakeServices, HttpEndpoints } from '../../core/testing.js';
import { createControl } from './health.js';

const address = { host: '127.0.0.1', port: 0 };

function make(
  t: TestContext,
  endpoints: Endpoints,
  lameduck = 0,
): { control: Control; services: ReturnType<typeof fakeServices> } {
  const services = fakeServices({ tokens: [[ENDPOINTS, endpoints]] });
  const control = createControl({ address, lameduck }, services, 5);
  t.after(() => control.onStop?.());
  return { control, services };
}

async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await new Promise((resolve) => setTimeout(resolve, 5));
}

test('health: says OK, and measures how long it takes to say so', async (t) => {
  const endpoints = new HttpEndpoints();
  const { control, services } = make(t, endpoints);
  await control.onStart?.();
  const probe = await endpoints.mount('health', { ...address, path: '/health' }, () => {
    throw new Error('nothing is mounted');
  });
  t.after(() => probe.close());
  const response = await fetch(`${probe.origin}/health`);
  assert.deepEqual([response.status, await response.text()], [200, 'OK']);
  await until(() => services.metrics.value('request_duration_seconds') >= 2);
  assert.equal(services.metrics.value('request_failures_total'), 0);
  assert.deepEqual(services.lines, []);
});

test('health: two blocks share an address, which stays until both have stopped', async (t) => {
  const endpoints = new HttpEndpoints();
  const [one, two] = [make(t, endpoints), make(t, endpoints)];
  await one.control.onStart?.();
  await two.control.onStart?.();
  await one.control.onStop?.();
  const probe = await endpoints.mount('health', { ...address, path: '/health' }, () => {
    throw new Error('nothing is mounted');
  });
  t.after(() => probe.close());
  assert.equal((await fetch(`${probe.origin}/health`)).status, 200);
});

test('health: a poll that fails is counted and logged', async (t) => {
  const server = createServer((request) => request.socket.destroy()).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const endpoints: Endpoints = {
    mount: async (_owner, _address, makeResponder) => ({
      responder: makeResponder(),
      origin,
      renew: () => {},
      close: async () => {},
    }),
  };
  const { control, services } = make(t, endpoints);
  await control.onStart?.();
  await until(() => services.metrics.value('request_failures_total') > 0);
  assert.equal(
    services.lines[0],
    `warning local health request to ${origin}/health failed: socket hang up`,
  );
});

test('health: lameduck holds the stop back, without it nothing does', async (t) => {
  const endpoints = new HttpEndpoints();
  assert.equal(make(t, endpoints).control.onDrain?.(), undefined);
  const { control, services } = make(t, endpoints, 50);
  const startMs = performance.now();
  await control.onDrain?.();
  assert.ok(performance.now() - startMs > 45);
  assert.deepEqual(services.lines, ['info going into lameduck mode for 0.05 s']);
});
