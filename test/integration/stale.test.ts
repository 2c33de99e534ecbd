// Stale answers (RFC 8767) in a running server of two workers, as dig sees them, while a real upstream is silent, fails, and comes back.
import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import { FakeUpstream, type Script } from '../../core/testing.js';
import { ask, digWith, type Got } from '../lib/client.js';
import { startHeimdall } from '../lib/heimdall.js';
import { freePort } from '../lib/ports.js';
import { needTools } from '../lib/tools.js';

const STALE = 3;
const STALE_NXDOMAIN = 19;
const SERVFAIL = 2;
const NXDOMAIN = 3;

const good: Script = (query) => {
  const name = query.questions?.[0]?.name ?? '';
  const data = {
    mname: 'ns.example.org',
    rname: 'root.example.org',
    serial: 1,
    refresh: 1,
    retry: 1,
    expire: 1,
    minimum: 1,
  };
  const soa = { type: 'SOA', name: 'example.org', ttl: 1, data } as const;
  if (name.startsWith('no.')) return { flags: NXDOMAIN, authorities: [soa] };
  return { answers: [{ type: 'A', name, ttl: 1, data: '192.0.2.1' }] };
};

async function start(
  t: TestContext,
  stale: string,
): Promise<{ readonly port: number; readonly upstream: FakeUpstream }> {
  const upstream = await FakeUpstream.start(good);
  t.after(() => upstream.stop());
  const port = await freePort();
  const heimdall = await startHeimdall(
    `.:${port} {
    bind 127.0.0.1
    errors
    cache {
        success 1024 3600 0
        denial 1024 1800 0
        ${stale}
    }
    dedupe
    forward . ${upstream.address} {
        hedge 0
        max_fails 0
    }
}
`,
    { args: ['-workers', '2'] },
  );
  t.after(() => heimdall.stop());
  return { port, upstream };
}

const EDNS = { udpSize: 1232 };

const ttlOf = (rr: object): unknown => ('ttl' in rr ? rr.ttl : undefined);

/** Asks until the answer has ended, which it does within a second. */
async function untilStale(port: number, name: string, ede = STALE): Promise<Got> {
  for (;;) {
    const got = await ask(port, name, 'A', EDNS);
    if (got.ede === ede) return got;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

test('stale: while the upstream fails, answers and denials go on with a TTL of 30 and their extended error', async (t) => {
  const { port, upstream } = await start(t, 'serve_stale');
  for (const name of ['www.example.org', 'no.example.org']) await ask(port, name, 'A', EDNS);
  upstream.script = () => ({ flags: SERVFAIL });
  const answer = await untilStale(port, 'www.example.org');
  assert.equal(answer.rcode, 'NOERROR');
  assert.deepEqual(answer.message.answers?.map(ttlOf), [30]);
  const denial = await untilStale(port, 'no.example.org', STALE_NXDOMAIN);
  assert.equal(denial.rcode, 'NXDOMAIN');
  assert.deepEqual(denial.message.authorities?.map(ttlOf), [30]);
  // In the background it is asked once, and not again with each client.
  const asked = upstream.queries.length;
  for (let i = 0; i < 40; i++)
    assert.equal((await ask(port, 'www.example.org', 'A')).rcode, 'NOERROR');
  assert.ok(
    upstream.queries.length <= asked + 4,
    `${upstream.queries.length - asked} for 40 clients`,
  );
  // It comes back, and what it says is found by a refresh.
  upstream.script = () => ({
    answers: [{ type: 'A', name: 'www.example.org', ttl: 300, data: '192.0.2.2' }],
  });
  for (;;) {
    const got = await ask(port, 'www.example.org', 'A', EDNS);
    const [rr] = got.message.answers ?? [];
    if (rr !== undefined && 'data' in rr && rr.data === '192.0.2.2') {
      assert.equal(got.ede, -1);
      break;
    }
    assert.equal(got.ede, STALE);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
});

test('stale: with verify a client of a silent upstream waits 1.8 seconds and gets the old answer, the next one at once', async (t) => {
  const { port, upstream } = await start(t, 'serve_stale 1h verify');
  await ask(port, 'www.example.org', 'A', EDNS);
  await new Promise((resolve) => setTimeout(resolve, 1100));
  upstream.script = () => undefined;
  const asked = upstream.queries.length;
  const startMs = performance.now();
  const first = await ask(port, 'www.example.org', 'A', EDNS);
  const firstMs = performance.now() - startMs;
  assert.equal(first.ede, STALE);
  assert.ok(firstMs >= 1700, `${firstMs} ms`);
  assert.ok(upstream.queries.length > asked);
  const again = await ask(port, 'www.example.org', 'A', EDNS);
  assert.equal(again.ede, STALE);
  assert.ok(performance.now() - startMs < 2 * firstMs);
});

test(
  'stale: dig shows that an answer is stale; zones that are excepted get none',
  needTools('dig'),
  async (t) => {
    const { port, upstream } = await start(
      t,
      'serve_stale 1h\n        serve_stale_except pki.example.org',
    );
    for (const name of ['www.example.org', 'crl.pki.example.org']) await ask(port, name, 'A', EDNS);
    upstream.script = () => ({ flags: SERVFAIL });
    await untilStale(port, 'www.example.org');
    assert.match(await digWith('dig', port, 'www.example.org', 'A'), /EDE: 3 \(Stale Answer\)/);
    for (;;) {
      const got = await ask(port, 'crl.pki.example.org', 'A', EDNS);
      assert.notEqual(got.ede, STALE);
      if (got.rcode === 'SERVFAIL') break;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  },
);
