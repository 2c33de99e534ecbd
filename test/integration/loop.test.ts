// Servers that forward to themselves, alone and two in a ring: found out at start.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { FakeUpstream } from '../../core/testing.js';
import { ask } from '../lib/client.js';
import { type Heimdall, runHeimdall, startHeimdall } from '../lib/heimdall.js';
import { freePort } from '../lib/ports.js';
import { tempFolder } from '../lib/temp-folder.js';

function corefile(port: number, upstream: number, more = ''): string {
  return `.:${port} {
    bind 127.0.0.1
    cache
    ${more}
    dedupe
    forward . 127.0.0.1:${upstream}
}
`;
}

async function started(t: TestContext, text: string): Promise<Heimdall> {
  const heimdall = await startHeimdall(text, { args: ['-workers', '2'] });
  t.after(() => heimdall.stop());
  return heimdall;
}

async function failure(t: TestContext, text: string): Promise<{ code: number; stderr: string }> {
  const folder = tempFolder();
  t.after(() => folder.remove());
  folder.write('Corefile', text);
  return runHeimdall(['-workers', '2', '-control', 'none'], folder.path);
}

test('loop: a server that is its own upstream ends with an explanation', async (t) => {
  const port = await freePort();
  const { code, stderr } = await failure(t, corefile(port, port, 'loop'));
  assert.equal(code, 1);
  assert.match(stderr, /^heimdall: loop: queries for "\." that are forwarded come back to this/m);
});

test('loop: so does one of two that forward to each other', async (t) => {
  const [one, two] = [await freePort(), await freePort()];
  await started(t, corefile(two, one));
  const { code, stderr } = await failure(t, corefile(one, two, 'loop'));
  assert.equal(code, 1);
  assert.match(stderr, /^heimdall: loop: /m);
});

test('loop: without one the server serves, and the probe is all its upstream sees of it', async (t) => {
  const upstream = await FakeUpstream.start(({ questions }) => {
    const name = questions?.[0]?.name ?? '';
    return { answers: [{ type: 'A', name, ttl: 300, data: '192.0.2.1' }] };
  });
  t.after(() => upstream.stop());
  const port = await freePort();
  await started(t, corefile(port, upstream.port, 'loop'));
  while (!upstream.queries.some(({ type }) => type === 'HINFO')) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  const got = await ask(port, 'www.example.org', 'A');
  assert.equal(got.message.answers?.length, 1);
  assert.equal(upstream.queries.filter(({ type }) => type === 'HINFO').length, 1);
});
