// Failures of upstreams in a running server: kept for a while, told apart from what is true.
import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import { FakeUpstream, type Script } from '../../core/testing.js';
import { ask } from '../lib/client.js';
import { startHeimdall } from '../lib/heimdall.js';
import { freePort } from '../lib/ports.js';

const CACHED_ERROR = 13;
const QUERIES = 20;

async function start(t: TestContext, script: Script): Promise<[number, FakeUpstream]> {
  const upstream = await FakeUpstream.start(script);
  t.after(() => upstream.stop());
  const port = await freePort();
  const heimdall = await startHeimdall(`.:${port} {
    bind 127.0.0.1
    errors
    negative {
        failures 5m
    }
    forward . ${upstream.address} {
        read_timeout 200ms
        max_fails 0
    }
}
`);
  t.after(() => heimdall.stop());
  return [port, upstream];
}

const failures: readonly { name: string; script: Script; rcode: string }[] = [
  { name: 'SERVFAIL', script: () => ({ flags: 2 }), rcode: 'SERVFAIL' },
  { name: 'REFUSED', script: () => ({ flags: 5 }), rcode: 'REFUSED' },
  { name: 'no answer', script: () => undefined, rcode: 'SERVFAIL' },
];
for (const { name, script, rcode } of failures) {
  test(`failures: ${name} is asked for once, and told to be a cached one`, async (t) => {
    const [port, upstream] = await start(t, script);
    assert.equal((await ask(port, 'www.example.org', 'A', { udpSize: 1232 })).rcode, rcode);
    const { length } = upstream.queries;
    for (let i = 0; i < QUERIES; i++) {
      const got = await ask(port, 'www.example.org', 'A', { udpSize: 1232 });
      assert.deepEqual([got.rcode, got.ede], [rcode, CACHED_ERROR]);
    }
    assert.equal(upstream.queries.length, length);
    // Another question is another failure.
    await ask(port, 'www.example.org', 'AAAA');
    assert.ok(upstream.queries.length > length);
  });
}
