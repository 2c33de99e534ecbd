// Without a reachable upstream the server starts, and says no rather than nothing.
import assert from 'node:assert/strict';
import test from 'node:test';
import { FakeUpstream } from '../../core/testing.js';
import { ask } from '../lib/client.js';
import { startHeimdall } from '../lib/heimdall.js';
import { freePort } from '../lib/ports.js';

/** RFC 8914: 22 is "No Reachable Authority", 23 "Network Error". */
const UNREACHABLE = [22, 23];

test('no upstream: a refused connection is SERVFAIL with an extended error, at once', async (t) => {
  const [port, closed] = [await freePort(), await freePort()];
  const heimdall = await startHeimdall(resolver(port, `127.0.0.1:${closed}`));
  t.after(() => heimdall.stop());
  for (const tcp of [false, true]) {
    const startedMs = performance.now();
    const { rcode, ede } = await ask(port, 'www.example.org', 'A', { tcp, udpSize: 1232 });
    assert.equal(rcode, 'SERVFAIL');
    assert.ok(UNREACHABLE.includes(ede), String(ede));
    assert.ok(performance.now() - startedMs < 5_000);
  }
  await heimdall.waitFor(/^\[ERROR\] plugin\/errors: 2 www\.example\.org\. A: /m);
});

test('no upstream: a silent one is SERVFAIL with an extended error, within its time-out', async (t) => {
  const upstream = await FakeUpstream.start(() => undefined);
  t.after(() => upstream.stop());
  const port = await freePort();
  const heimdall = await startHeimdall(resolver(port, upstream.address, 'read_timeout 300ms'));
  t.after(() => heimdall.stop());
  const { rcode, ede } = await ask(port, 'www.example.org', 'A', { udpSize: 1232 });
  assert.equal(rcode, 'SERVFAIL');
  assert.ok(UNREACHABLE.includes(ede), String(ede));
});

test('no upstream: a client without EDNS gets a plain SERVFAIL', async (t) => {
  const [port, closed] = [await freePort(), await freePort()];
  const heimdall = await startHeimdall(resolver(port, `127.0.0.1:${closed}`));
  t.after(() => heimdall.stop());
  const { message, rcode } = await ask(port, 'www.example.org', 'A');
  assert.equal(rcode, 'SERVFAIL');
  assert.deepEqual(message.additionals, []);
});

test('no upstream: answers come as soon as one is there', async (t) => {
  const [port, later] = [await freePort(), await freePort()];
  const heimdall = await startHeimdall(resolver(port, `127.0.0.1:${later}`));
  t.after(() => heimdall.stop());
  assert.equal((await ask(port, 'before.example.org', 'A')).rcode, 'SERVFAIL');
  const upstream = await FakeUpstream.start(
    (query) => ({
      answers: [{ name: query.questions?.[0]?.name ?? '', type: 'A', ttl: 60, data: '192.0.2.1' }],
    }),
    '127.0.0.1',
    later,
  );
  t.after(() => upstream.stop());
  for (let attempt = 0; attempt < 50; attempt++) {
    if ((await ask(port, `after${attempt}.example.org`, 'A')).rcode === 'NOERROR') return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assert.fail('the upstream was never found');
});

function resolver(port: number, upstream: string, property = ''): string {
  return `.:${port} {
    bind 127.0.0.1
    errors
    forward . ${upstream} {
        ${property}
    }
}
`;
}
