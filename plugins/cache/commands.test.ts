import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CommandError, type MetricSource, type Row, tryLock, unlock } from '../../core/plugin.js';
import { a, CacheBench, cname, NXDOMAIN, opt, SERVFAIL, soa } from '../../test/lib/cache-bench.js';
import { ecsOption, withNetwork } from '../../test/lib/ecs.js';
import { CacheCommands } from './commands.js';
import { CacheInspector, ENTRIES_PER_TURN } from './inspect.js';
import { tickOf } from './ticks.js';

/** A cache with two answers, an alias, NODATA, NXDOMAIN and a failure. */
async function filled(text = 'cache'): Promise<CacheBench> {
  const bench = new CacheBench(text);
  await bench.ask('www.example.org');
  await bench.ask('WWW.example.org', 'AAAA', { do: true });
  bench.says = () => ({
    answers: [cname('alias.example.org', 60, 'b.example.net'), a('b.example.net', 300)],
  });
  await bench.ask('alias.example.org');
  bench.says = () => ({ authorities: [soa('example.org', 900, 120)] });
  await bench.ask('www.example.org', 'TYPE65280', { cd: true, rd: false });
  bench.says = () => ({ flags: NXDOMAIN, authorities: [soa('example.org', 900, 120)] });
  await bench.ask('none.example.org');
  bench.says = () => ({ flags: SERVFAIL, additionals: [opt(22, 'at rest')] });
  await bench.ask('broken.example.com');
  return bench;
}

/** Rows of `heimdall cache ARGS` in an order that does not depend on the hash. */
async function sorted(bench: CacheBench, ...args: string[]): Promise<Row[]> {
  const rows = await bench.commands.run('cache', ...args);
  return rows.sort((x, y) => (`${x.name} ${x.type}` < `${y.name} ${y.type}` ? -1 : 1));
}

async function namesOf(bench: CacheBench, ...args: string[]): Promise<string[]> {
  return (await sorted(bench, ...args)).map(({ name, type }) => `${name} ${type}`);
}

const EVERYTHING = [
  'alias.example.org. A',
  'broken.example.com. A',
  'none.example.org. *',
  'www.example.org. A',
  'www.example.org. AAAA',
  'www.example.org. TYPE65280',
];

test('cache commands: list shows what every entry is and how long it lives', async () => {
  const bench = await filled();
  bench.advance(2);
  const common = { class: 'IN', stale: false, uses: 0, clock: 'recency', network: null };
  const success = { ...common, kind: 'answer', half: 'success' };
  const denial = { ...common, half: 'denial' };
  const rows = await sorted(bench, 'list');
  assert.deepEqual(
    rows.map(({ bytes, ...row }) => row),
    [
      { ...success, name: 'alias.example.org.', type: 'A', ttl: 58, flags: 'RD' },
      { ...denial, name: 'broken.example.com.', type: 'A', ttl: 3, flags: 'RD', kind: 'failure' },
      { ...denial, name: 'none.example.org.', type: '*', ttl: 118, flags: 'RD', kind: 'NXDOMAIN' },
      { ...success, name: 'www.example.org.', type: 'A', ttl: 298, flags: 'RD' },
      { ...success, name: 'www.example.org.', type: 'AAAA', ttl: 298, flags: 'DO RD' },
      {
        ...denial,
        name: 'www.example.org.',
        type: 'TYPE65280',
        ttl: 118,
        flags: 'CD',
        kind: 'NODATA',
      },
    ],
  );
  for (const { bytes } of rows) assert.ok(Number(bytes) >= 192);
});

test('cache commands: what is past its time is not listed, what is stale is', async () => {
  const plain = await filled();
  plain.advance(100);
  assert.deepEqual(await namesOf(plain, 'list'), EVERYTHING.slice(2));
  const stale = await filled('cache {\n serve_stale 1h\n}');
  stale.advance(100);
  const rows = await sorted(stale, 'list');
  assert.deepEqual(rows.map(({ name, stale, ttl }) => [name, stale, ttl]).slice(0, 2), [
    ['alias.example.org.', true, 0],
    ['none.example.org.', false, 20],
  ]);
});

test('cache commands: uses are counted where prefetch needs them', async () => {
  const bench = new CacheBench('cache {\n prefetch 5\n}');
  for (let i = 0; i < 4; i++) await bench.ask('www.example.org');
  assert.equal((await sorted(bench, 'list'))[0]?.uses, 3);
});

const selections: { args: string[]; want: string[] }[] = [
  { args: ['www.example.org'], want: EVERYTHING.slice(3) },
  { args: ['WWW.Example.ORG.', 'aaaa'], want: ['www.example.org. AAAA'] },
  { args: ['www.example.org', 'TYPE65280'], want: ['www.example.org. TYPE65280'] },
  { args: ['ww.example.org'], want: [] },
  { args: ['example.org'], want: [] },
  { args: ['--subtree', 'example.org'], want: EVERYTHING.filter((name) => /org/.test(name)) },
  {
    args: ['example.org', '--subtree', 'AAAA'],
    want: ['none.example.org. *', 'www.example.org. AAAA'],
  },
  { args: ['--subtree', 'ample.org'], want: [] },
  { args: ['--subtree', 'www.example.org'], want: EVERYTHING.slice(3) },
  { args: ['--subtree', '.'], want: EVERYTHING },
];

for (const { args, want } of selections) {
  test(`cache commands: list and flush ${args.join(' ')} concern the same entries`, async () => {
    const bench = await filled();
    assert.deepEqual(await namesOf(bench, 'list', ...args), want);
    assert.deepEqual(await bench.commands.run('cache', 'flush', ...args), [
      { flushed: want.length },
    ]);
    const left = EVERYTHING.filter((name) => !want.includes(name));
    assert.deepEqual(await namesOf(bench, 'list'), left);
  });
}

test('cache commands: a flush waits for a worker that keeps a lock for a moment', async () => {
  const bench = await filled();
  const { memory, success } = bench.control.published;
  const words = new Int32Array(memory);
  // The lock of a shard is its first word.
  const locks = Array.from(
    { length: success.shards },
    (_, i) => success.start + i * success.shardWords,
  );
  for (const at of locks) assert.ok(tryLock(words, at, 7));
  setTimeout(() => {
    for (const at of locks) unlock(words, at);
  }, 50);
  assert.deepEqual(await bench.commands.run('cache', 'flush', '--subtree', '.'), [
    { flushed: EVERYTHING.length },
  ]);
});

test('cache commands: what was flushed is asked for again', async () => {
  const bench = await filled();
  const { asked } = bench;
  await bench.ask('none.example.org');
  assert.equal(bench.asked, asked);
  await bench.commands.run('cache', 'flush', 'none.example.org');
  await bench.ask('none.example.org');
  assert.equal(bench.asked, asked + 1);
});

test('cache commands: get shows records as a zone file has them, with the TTLs of now', async () => {
  const bench = await filled();
  bench.advance(10);
  const common = {
    qtype: 'A',
    kind: 'answer',
    flags: 'RD',
    network: null,
    stale: false,
    section: 'answer',
  };
  assert.deepEqual(await bench.commands.run('cache', 'get', 'alias.example.org'), [
    {
      ...common,
      owner: 'alias.example.org.',
      ttl: 50,
      class: 'IN',
      type: 'CNAME',
      rdata: 'b.example.net.',
    },
    { ...common, owner: 'b.example.net.', ttl: 290, class: 'IN', type: 'A', rdata: '192.0.2.1' },
  ]);
  // NXDOMAIN is of the name, whatever the type.
  for (const type of ['A', 'MX']) {
    const [denial] = await bench.commands.run('cache', 'get', 'none.example.org', type);
    assert.equal(denial?.rdata, 'ns.example.net. hostmaster.example.net. 1 3600 600 86400 120');
  }
  assert.deepEqual(await bench.commands.run('cache', 'get', 'www.example.org', 'MX'), []);
});

test('cache commands: get shows the extended error of a failure', async () => {
  const bench = await filled();
  assert.deepEqual(await bench.commands.run('cache', 'get', 'broken.example.com'), [
    {
      qtype: 'A',
      kind: 'failure',
      flags: 'RD',
      network: null,
      stale: false,
      section: null,
      owner: 'broken.example.com.',
      ttl: 5,
      class: null,
      type: 'EDE',
      rdata: '22 at rest',
    },
  ]);
});

test("cache commands: entries of another configuration are nobody's", async () => {
  const bench = await filled();
  const now = () => tickOf(bench.clock.nowMs);
  const all = { name: undefined, isSubtree: false, type: undefined };
  const other = new CacheInspector(bench.control.published, 2, now);
  for await (const entry of other.entries(all)) assert.fail(entry.name);
  assert.equal(await other.flush(all), 0);
  assert.deepEqual(await namesOf(bench, 'list'), EVERYTHING);
});

test('cache commands: other work is done after every so many entries, whether they are wanted or not', async () => {
  const bench = new CacheBench('cache {\n success 100000\n}');
  const count = ENTRIES_PER_TURN * 3;
  for (let i = 0; i < count; i++) await bench.ask(`n${i}.example.org`);
  let turns = 0;
  const inspector = new CacheInspector(
    bench.control.published,
    1,
    () => tickOf(bench.clock.nowMs),
    async () => void turns++,
  );
  const none = { name: new Uint8Array([1, 120, 0]), isSubtree: true, type: undefined };
  assert.equal(await inspector.flush(none), 0);
  assert.equal(turns, 3);
});

test('cache commands: stats sum what the workers counted, for this cache alone', () => {
  const bench = new CacheBench('cache');
  const inspector = new CacheInspector(bench.control.published, 1, () => 0);
  const sample = (labels: Record<string, string>, value: number) => ({
    labels: { server: 'dns://:53', zones: '.', view: '', ...labels },
    values: Float64Array.of(value),
    buckets: [],
  });
  const metrics: MetricSource = {
    families: () => [
      {
        name: 'cache_hits_total',
        help: '',
        type: 'counter',
        samples: [
          sample({ type: 'success' }, 5),
          sample({ type: 'denial' }, 2),
          sample({ type: 'success', server: 'dns://:54' }, 100),
          sample({ type: 'success', zones: 'example.org.' }, 100),
        ],
      },
      { name: 'cache_requests_total', help: '', type: 'counter', samples: [sample({}, 9)] },
      { name: 'cache_misses_total', help: '', type: 'counter', samples: [sample({}, 2)] },
    ],
  };
  const labels = { zones: '.', view: '' };
  const { run } = new CacheCommands(inspector, labels, ['dns://:53'], () => metrics);
  const rows = [...(run(['stats']) as Iterable<Row>)];
  assert.deepEqual(
    rows.map(({ half, entries, hits, requests, misses }) => [
      half,
      entries,
      hits,
      requests,
      misses,
    ]),
    [
      ['success', 0, 5, null, null],
      ['denial', 0, 2, null, null],
      ['both', 0, 7, 9, 2],
    ],
  );
  const [success, denial, both] = rows;
  assert.equal(success?.capacity, 9984);
  assert.equal(Number(success?.size) + Number(denial?.size), both?.size);
});

const misuses: { args: string[]; want: RegExp }[] = [
  { args: [], want: /^cache: want list \[--subtree\]/ },
  { args: ['drop'], want: /^cache: want list/ },
  { args: ['get'], want: /^cache get: want a NAME$/ },
  { args: ['flush', '--subtree'], want: /^cache flush: want a NAME$/ },
  { args: ['get', 'a..b'], want: /^cache: name "a\.\.b" has an empty label$/ },
  {
    args: ['get', 'a', 'B'],
    want: /^cache: unknown type "B", want one such as AAAA or TYPE65280$/,
  },
  { args: ['get', 'a', 'A', 'x'], want: /^cache: unexpected "x"$/ },
  { args: ['get', '--subtree', 'a'], want: /^cache: unexpected "--subtree"$/ },
  { args: ['stats', 'x'], want: /^cache: unexpected "x"$/ },
];

for (const { args, want } of misuses) {
  test(`cache commands: "${args.join(' ')}" is misuse`, async () => {
    await assert.rejects(new CacheBench().commands.run('cache', ...args), (error: Error) => {
      assert.ok(error instanceof CommandError);
      assert.match(error.message, want);
      return true;
    });
  });
}

test('cache commands: answers for networks are listed, looked up and flushed by name', async () => {
  const bench = new CacheBench();
  bench.says = (q) => ({ answers: [a(q.qname, 300)], additionals: [ecsOption(q, 33)] });
  await bench.ask('www.example.org', 'A', withNetwork('192.0.2.0/24'));
  await bench.ask('www.example.org', 'A', withNetwork('2001:db8::/48'));
  await bench.ask('www.example.org');
  const networks = (rows: Row[]): unknown[] => rows.map(({ network }) => network).sort();
  const want = ['192.0.2.0/24', '2001:db8::/33', null];
  assert.deepEqual(networks(await sorted(bench, 'list')), want);
  const found = await bench.commands.run('cache', 'get', 'www.example.org');
  assert.deepEqual(networks(found), want);
  for (const { rdata } of found) assert.equal(rdata, '192.0.2.1');
  const flush = ['flush', '--subtree', 'example.org'];
  assert.deepEqual(await bench.commands.run('cache', ...flush), [{ flushed: 3 }]);
  bench.control.tick();
  assert.equal(bench.controlMetrics.value('entries', { type: 'success' }), 0);
});
