import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { type TestContext, test } from 'node:test';
import type { EndpointAnswer, Mount, Responder } from '../container/process.js';
import { HttpEndpoints } from './endpoints.js';

const address = { host: '127.0.0.1', port: 0 };

function saying(body: string, status = 200): Responder {
  return { respond: (): EndpointAnswer => ({ status, body }) };
}

async function mount(
  t: TestContext,
  endpoints: HttpEndpoints,
  path: string,
  responder: Responder,
  owner = 'a',
): Promise<Mount<Responder>> {
  const made = await endpoints.mount(owner, { ...address, path }, () => responder);
  t.after(() => made.close());
  return made;
}

test('endpoints: paths of one address share a server, others are 404', async (t) => {
  const endpoints = new HttpEndpoints();
  const { origin } = await mount(t, endpoints, '/one', saying('1'));
  const two = await mount(t, endpoints, '/two', saying('2', 503), 'b');
  assert.equal(two.origin, origin);
  assert.equal(await (await fetch(`${origin}/one?x=1`)).text(), '1');
  assert.equal((await fetch(`${origin}/two`)).status, 503);
  assert.equal((await fetch(`${origin}/three`)).status, 404);
});

test('endpoints: GET and HEAD alone are answered', async (t) => {
  const { origin } = await mount(t, new HttpEndpoints(), '/one', saying('text'));
  const head = await fetch(`${origin}/one`, { method: 'HEAD' });
  assert.deepEqual([head.status, head.headers.get('content-length')], [200, '4']);
  assert.equal((await fetch(`${origin}/one`, { method: 'POST', body: 'x' })).status, 405);
});

test('endpoints: a responder that throws is 500', async (t) => {
  const { origin } = await mount(t, new HttpEndpoints(), '/one', {
    respond: () => Promise.reject(new Error('deliberate')),
  });
  assert.equal((await fetch(`${origin}/one`)).status, 500);
});

test('endpoints: the last to leave closes path and address', async (t) => {
  const endpoints = new HttpEndpoints();
  const first = await mount(t, endpoints, '/one', saying('1'));
  const second = await mount(t, endpoints, '/one', saying('never made'));
  const other = await mount(t, endpoints, '/two', saying('2'));
  assert.equal(second.responder, first.responder);
  await first.close();
  await first.close();
  assert.equal((await fetch(`${first.origin}/one`)).status, 200);
  await second.close();
  assert.equal((await fetch(`${first.origin}/one`)).status, 404);
  await other.close();
  await assert.rejects(fetch(`${first.origin}/two`));
});

test('endpoints: a path is one plugin’s', async (t) => {
  const endpoints = new HttpEndpoints();
  await mount(t, endpoints, '/one', saying('1'), 'ready');
  await assert.rejects(
    endpoints.mount('health', { ...address, path: '/one' }, () => saying('2')),
    /^Error: 127\.0\.0\.1:0\/one is served by ready already$/,
  );
});

test('endpoints: an address that is taken names itself', async (t) => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  await assert.rejects(
    new HttpEndpoints().mount('a', { host: '127.0.0.1', port, path: '/' }, () => saying('')),
    new RegExp(`^Error: cannot listen on 127\\.0\\.0\\.1:${port}/http: .+ \\(EADDRINUSE\\)$`),
  );
});
