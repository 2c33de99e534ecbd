// The cache of a running server, listed, looked up and flushed on the command line.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { FakeUpstream } from '../../core/testing.js';
import { ask } from '../lib/client.js';
import { runHeimdall, startHeimdall } from '../lib/heimdall.js';
import { freePort } from '../lib/ports.js';

interface Rig {
  readonly port: number;
  readonly upstream: FakeUpstream;
  /** Rows of `heimdall cache ARGS`. */
  cache(...args: string[]): Promise<Record<string, unknown>[]>;
}

async function start(t: TestContext): Promise<Rig> {
  const upstream = await FakeUpstream.start((query) => {
    const name = query.questions?.[0]?.name ?? '';
    if (name.startsWith('no')) return { flags: 3, authorities: [SOA] };
    return { answers: [{ name, type: 'A', ttl: 300, data: '192.0.2.1' }] };
  });
  t.after(() => upstream.stop());
  const port = await freePort();
  const heimdall = await startHeimdall(
    `.:${port} {
    bind 127.0.0.1
    errors
    cache
    forward . ${upstream.address}
}
`,
    { args: ['-workers', '2'] },
  );
  t.after(() => heimdall.stop());
  const control = join(heimdall.folder, `control-${port}.sock`);
  return {
    port,
    upstream,
    async cache(...args) {
      const flags = ['-json', '-control', control];
      const { code, stdout, stderr } = await runHeimdall(
        [...flags, 'cache', ...args],
        heimdall.folder,
      );
      assert.equal(code, 0, stderr);
      return stdout.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line)]));
    },
  };
}

const SOA = {
  type: 'SOA',
  name: 'example.org',
  ttl: 300,
  data: {
    mname: 'ns.example.net',
    rname: 'hostmaster.example.net',
    serial: 1,
    refresh: 3600,
    retry: 600,
    expire: 86_400,
    minimum: 60,
  },
} as const;

test('cache commands: what clients asked for is listed, looked up and flushed', async (t) => {
  const { port, upstream, cache } = await start(t);
  for (const name of ['www.example.org', 'a.www.example.org', 'no.example.org']) {
    await ask(port, name, 'A');
  }
  const listed = await cache('list');
  assert.deepEqual(
    listed.map(({ block, name, kind }) => `${block} ${name} ${kind}`).sort(),
    ['a.www.example.org. answer', 'no.example.org. NXDOMAIN', 'www.example.org. answer'].map(
      (row) => `.:${port} on 127.0.0.1 ${row}`,
    ),
  );
  const [record] = await cache('get', 'www.example.org');
  assert.deepEqual(
    [record?.owner, record?.type, record?.rdata],
    ['www.example.org.', 'A', '192.0.2.1'],
  );
  assert.equal((await cache('flush', '--subtree', 'www.example.org'))[0]?.flushed, 2);
  assert.equal((await cache('list')).length, 1);
  assert.equal(upstream.queries.length, 3);
  await ask(port, 'www.example.org', 'A');
  assert.equal(upstream.queries.length, 4);
  await ask(port, 'no.example.org', 'A');
  assert.equal(upstream.queries.length, 4);
  const both = (await cache('stats')).find(({ half }) => half === 'both');
  assert.deepEqual([both?.entries, both?.hits, both?.requests, both?.misses], [2, 1, 5, 4]);
});

test('cache commands: clients are answered while all of it is listed and flushed', async (t) => {
  const { port, cache } = await start(t);
  const names = Array.from({ length: 400 }, (_, i) => `n${i}.example.org`);
  for (let i = 0; i < names.length; i += 20) {
    await Promise.all(names.slice(i, i + 20).map((name) => ask(port, name, 'A')));
  }
  let isDone = false;
  const load = (async (): Promise<number> => {
    let answered = 0;
    for (let i = 0; !isDone; i = (i + 1) % names.length) {
      assert.equal((await ask(port, names[i] as string, 'A')).rcode, 'NOERROR');
      answered++;
    }
    return answered;
  })();
  try {
    const known = new Set(names.map((name) => `${name}.`));
    const listed = await cache('list');
    assert.ok(listed.every(({ name }) => known.has(String(name))));
    // A worker that is halted while it stores a reply costs another one its own.
    assert.ok(listed.length > 0.9 * names.length, `${listed.length} entries`);
    const [flush] = await cache('flush', '--subtree', '.');
    assert.ok(Number(flush?.flushed) > 0.9 * names.length, `${flush?.flushed} flushed`);
  } finally {
    isDone = true;
  }
  assert.ok((await load) > 0);
});
