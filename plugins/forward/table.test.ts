// `heimdall upstreams`, and what a restart keeps.
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { encode } from 'dns-packet';
import { type Control, type ControlServices, METRIC_SOURCE, type Row } from '../../core/plugin.js';
import { FakeClock, fakeServices, parseDirective } from '../../core/testing.js';
import {
  answering,
  closedAddress,
  forwardRig,
  LIMIT,
  questionName,
  until,
  upstreamFor,
} from '../../test/lib/forward-rig.js';
import { tempFolder } from '../../test/lib/temp-folder.js';
import { Naming, watchedForward } from '../../test/lib/watched-forward.js';
import forward from './setup.js';

const LABELS = { to: '192.0.2.1:53', proto: 'udp' };

const METRICS = {
  families: () =>
    [
      ['proxy_conn_cache_hits_total', 3],
      ['proxy_conn_cache_misses_total', 1],
      ['forward_connections', 5],
    ].map(([name, value]) => ({
      name: String(name),
      help: '',
      type: 'counter',
      samples: [{ labels: LABELS, values: Float64Array.of(Number(value)), buckets: [] }],
    })),
};

interface Part {
  readonly control: Control;
  readonly services: ControlServices;
  rows(): Promise<readonly Row[]>;
}

/** The control part of these lines. */
function controlOf(text: string, clock = new FakeClock()): Part {
  const [config] = parseDirective(forward, text);
  assert.ok(config !== undefined && forward.control !== undefined);
  const services = fakeServices({ clock, tokens: [[METRIC_SOURCE, METRICS]] });
  const control = forward.control(config, services);
  return { control, services, rows: () => services.commands.run('upstreams') };
}

/** A handler that shares its health with `part`. */
function rigFor(t: TestContext, text: string, part: Part, clock: FakeClock) {
  return forwardRig(t, text, { published: part.control.published, clock });
}

test('upstreams: a row for each way that was used', LIMIT, async (t) => {
  const clock = new FakeClock();
  const good = await upstreamFor(t, answering());
  const closed = await closedAddress();
  const text = `forward example.org ${good.address} ${closed} tls://192.0.2.9 {\npolicy sequential\n}`;
  const part = controlOf(text, clock);
  const r = await rigFor(t, text, part, clock);
  for (let i = 0; i < 4; i++) await r.ask(`n${i}.example.org`);
  const [first, second, third] = await part.rows();
  assert.deepEqual(first, {
    zones: 'example.org.',
    upstream: good.address,
    transport: 'udp',
    state: 'trusted',
    rtt_ms: 0.02,
    p50_ms: 0.25,
    p95_ms: 0.25,
    share_percent: 100,
    sent: 4,
    failed: 0,
    errors_percent: 0,
    pool: 0,
    reused_percent: null,
    case: 'mixed',
    why: '',
  });
  assert.deepEqual([second?.upstream, second?.sent, second?.share_percent], [closed, 0, 0]);
  assert.deepEqual([third?.upstream, third?.transport], ['tls://192.0.2.9:853', 'tcp-tls']);
});

test('upstreams: one that failed says why, and one that is down how often', LIMIT, async (t) => {
  const clock = new FakeClock();
  const hole = await upstreamFor(t, () => undefined);
  const text = `forward . ${hole.address} {\nmax_fails 1\n}`;
  const part = controlOf(text, clock);
  const r = await rigFor(t, text, part, clock);
  const asked = r.ask('www.example.org');
  await until(() => hole.queries.length === 1);
  clock.advance(2000);
  await asked;
  const [suspected] = await part.rows();
  assert.equal(suspected?.state, 'suspected');
  assert.equal(suspected?.why, 'timed out 0 s ago');
  assert.equal(suspected?.failed, 1);
  clock.advance(1000);
  clock.advance(500);
  clock.advance(1000);
  const [down] = await part.rows();
  assert.equal(down?.state, 'down');
  assert.equal(down?.why, 'timed out 3 s ago, 2 probes failed');
});

test('upstreams: how many sockets are open, and how many messages found one', async (t) => {
  const clock = new FakeClock();
  const part = controlOf('forward . 192.0.2.1', clock);
  await rigFor(t, 'forward . 192.0.2.1', part, clock);
  const [row] = await part.rows();
  assert.deepEqual([row?.pool, row?.reused_percent], [5, 75]);
});

test('upstreams: takes no arguments', async () => {
  const { services } = controlOf('forward . 192.0.2.1');
  const { commands } = services as ReturnType<typeof fakeServices>;
  await assert.rejects(commands.run('upstreams', 'all'), /takes no arguments/);
});

test('persist: speed, suspicion and missing EDNS are known after a restart', LIMIT, async (t) => {
  const folder = tempFolder();
  t.after(() => folder.remove());
  const clock = new FakeClock();
  const path = join(folder.path, 'upstreams');
  const good = await upstreamFor(t, answering());
  const closed = await closedAddress();
  const text = `forward . ${closed} ${good.address} {\npersist ${path} 0\npolicy sequential\nhealth_check 1h\n}`;
  const before = controlOf(text, clock);
  await before.control.onLoad?.();
  await before.control.onStart?.();
  const r = await rigFor(t, text, before, clock);
  for (let i = 0; i < 3; i++) await r.ask(`n${i}.example.org`);
  assert.equal((await before.rows())[0]?.state, 'suspected');
  await before.control.onStop?.();
  assert.deepEqual(readdirSync(folder.path), ['upstreams']);

  const restarted = new FakeClock();
  restarted.advance(77);
  const after = controlOf(text, restarted);
  await after.control.onLoad?.();
  const rows = await after.rows();
  assert.deepEqual(
    rows.map(({ upstream, state, sent }) => [upstream, state, sent]),
    [
      [closed, 'suspected', 0],
      [good.address, 'trusted', 0],
    ],
  );
  assert.equal(rows[1]?.p95_ms, 0.25);
  const { lines } = after.services as ReturnType<typeof fakeServices>;
  assert.match(lines.join(), /^info 2 upstreams are known from \d+ s ago, from /);
  await after.control.onStop?.();

  // One that is not configured any more is left out.
  const other = controlOf(text.replace(closed, '192.0.2.1'));
  await other.control.onLoad?.();
  assert.deepEqual(
    (await other.rows()).map(({ upstream, p95_ms }) => [upstream, p95_ms]),
    [
      ['192.0.2.1:53', 0],
      [good.address, 0.25],
    ],
  );
  await other.control.onStop?.();
});

test(
  'persist: that an upstream folds the case of questions is known, for its hour',
  LIMIT,
  async (t) => {
    const folder = tempFolder();
    t.after(() => folder.remove());
    const clock = new FakeClock();
    const path = join(folder.path, 'upstreams');
    const server = await upstreamFor(t, (query) =>
      encode({
        type: 'response',
        id: query.id ?? 0,
        questions: query.questions ?? [],
        answers: [{ name: questionName(query), type: 'A', ttl: 60, data: '192.0.2.1' }],
      }),
    );
    const text = `forward . ${server.address} {\npersist ${path} 0\n}`;
    const before = controlOf(text, clock);
    await before.control.onLoad?.();
    await before.control.onStart?.();
    const r = await rigFor(t, text, before, clock);
    await r.ask('a-name-of-very-many-letters.example.org');
    const cases = async (part: Part): Promise<readonly unknown[]> =>
      (await part.rows()).map((row) => row.case);
    assert.deepEqual(await cases(before), ['folded', '']);
    await before.control.onStop?.();

    const restarted = new FakeClock();
    restarted.advance(77);
    const after = controlOf(text, restarted);
    await after.control.onLoad?.();
    assert.deepEqual(await cases(after), ['folded']);
    restarted.advance(3_590_000);
    assert.deepEqual(await cases(after), ['folded']);
    restarted.advance(20_000);
    assert.deepEqual(await cases(after), ['mixed']);
    await after.control.onStop?.();
  },
);

test('upstreams: with no_0x20 the case of questions is kept', async (t) => {
  const clock = new FakeClock();
  const text = 'forward . 192.0.2.1 {\nno_0x20\n}';
  const part = controlOf(text, clock);
  await rigFor(t, text, part, clock);
  assert.equal((await part.rows())[0]?.case, 'kept');
});

test(
  'persist: what is kept of an upstream is taken when a name leads to it, however late',
  LIMIT,
  async (t) => {
    const folder = tempFolder();
    t.after(() => folder.remove());
    const path = join(folder.path, 'upstreams');
    const naming = await Naming.start(t, '127.0.0.1');
    const server = await upstreamFor(t, answering());
    const text = `forward . dns.example.net:${server.port} {\nresolver ${naming.address}\npersist ${path} 0\n}`;
    const before = await watchedForward(t, text);
    await before.control.onStart();
    for (let i = 0; i < 16; i++) await before.rigs[0]?.ask(`n${i}.example.org`);
    await before.control.onStop();

    naming.rcodes = { A: 5, AAAA: 5 };
    const after = await watchedForward(t, text);
    assert.deepEqual(await after.services.commands.run('upstreams'), []);
    naming.rcodes = {};
    await after.after(1_000);
    const [row] = await after.services.commands.run('upstreams');
    assert.equal(row?.upstream, server.address);
    assert.equal(row?.p95_ms, 0.25);
  },
);

test('persist: two of them want two files', (t) => {
  const folder = tempFolder();
  t.after(() => folder.remove());
  const path = join(folder.path, 'upstreams');
  const first = controlOf(`forward a 192.0.2.1 {\npersist ${path}\n}`);
  t.after(() => first.control.onStop?.());
  assert.throws(
    () => controlOf(`forward b 192.0.2.1 {\npersist ${path}\n}`),
    /is written for forward of a\. on dns:\/\/:53, want another file/,
  );
});
