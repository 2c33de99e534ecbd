import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Packet } from 'dns-packet';
import { type Query, Transport } from '../../core/plugin.js';
import {
  a,
  addressOf,
  CacheBench,
  NXDOMAIN,
  opt,
  SERVFAIL,
  soa,
  ttlsOf,
} from '../../test/lib/cache-bench.js';
import { ecsOption, withNetwork } from '../../test/lib/ecs.js';
import { CacheSnapshot, ENTRIES_PER_PIECE, type SnapshotOwner } from './snapshot.js';
import { tickOf, ticksOfMs } from './ticks.js';

const OWNER: SnapshotOwner = { fingerprint: 1, settings: 5, staleTicks: 0 };

function snapshotOf(bench: CacheBench, owner: Partial<SnapshotOwner> = {}): CacheSnapshot {
  const now = () => tickOf(bench.clock.nowMs);
  return new CacheSnapshot(bench.control.published, { ...OWNER, ...owner }, now);
}

/** The pieces that a cache writes, each in a buffer of its own. */
async function piecesOf(bench: CacheBench): Promise<Uint8Array[]> {
  const pieces: Uint8Array[] = [];
  for await (const piece of snapshotOf(bench).write()) pieces.push(Uint8Array.from(piece));
  return pieces;
}

/** A later process on another clock, with what the first one kept. */
async function restart(
  from: CacheBench,
  ageMs: number,
  text = 'cache',
  owner: Partial<SnapshotOwner> = {},
): Promise<{ bench: CacheBench; snapshot: CacheSnapshot }> {
  const bench = new CacheBench(text);
  bench.advance(123_456.78);
  const snapshot = snapshotOf(bench, owner);
  for (const piece of await piecesOf(from)) snapshot.read(piece, ageMs);
  return { bench, snapshot };
}

test('snapshot: a later process answers what the first one knew, with what is left of the TTLs', async () => {
  const before = new CacheBench();
  await before.ask();
  before.advance(10);
  before.says = () => ({ flags: NXDOMAIN, authorities: [soa('example.org', 900, 120)] });
  await before.ask('no.example.org');
  before.says = () => ({ flags: SERVFAIL, additionals: [opt(22, 'at rest')] });
  await before.ask('broken.example.org', 'A', { udpSize: 1232 });
  const { bench, snapshot } = await restart(before, 3000);
  assert.deepEqual([snapshot.taken, snapshot.skipped], [3, 0]);
  const answer = await bench.ask();
  assert.equal(addressOf(answer), '192.0.2.1');
  assert.deepEqual(ttlsOf(answer), [287]);
  const denial = await bench.ask('no.example.org');
  assert.equal(denial.rcode, 'NXDOMAIN');
  assert.deepEqual(ttlsOf(denial, 'authorities'), [117]);
  assert.equal((await bench.ask('broken.example.org')).rcode, 'SERVFAIL');
  assert.equal(bench.asked, 0);
  bench.advance(3);
  await bench.ask('broken.example.org');
  assert.equal(bench.asked, 1);
});

test('snapshot: keys of every length and kind are found again', async () => {
  const before = new CacheBench();
  const names = Array.from({ length: 64 }, (_, i) => `${'x'.repeat(i || 1)}.example.org`);
  for (const name of names) {
    await before.ask(name);
    await before.ask(name, 'AAAA', { do: true, cd: true });
    await before.ask(name, 'AAAA', { rd: false });
  }
  const { bench } = await restart(before, 0);
  for (const name of names) {
    await bench.ask(name.toUpperCase());
    await bench.ask(name, 'AAAA', { do: true, cd: true });
    await bench.ask(name, 'AAAA', { rd: false });
  }
  assert.equal(bench.asked, 0);
  await bench.ask(names[5], 'AAAA', { do: true });
  assert.equal(bench.asked, 1);
});

test('snapshot: answers for networks are found again, and count', async () => {
  const before = new CacheBench('cache {\n networks 2\n}');
  const says = (q: Query): Packet => ({
    answers: [a(q.qname, 300, `192.0.2.${q.ecsAddress[0]}`)],
    additionals: [ecsOption(q, 24)],
  });
  before.says = says;
  await before.ask('example.org', 'A', withNetwork('1.2.3.0/24'));
  before.advance(10);
  await before.ask('example.org', 'A', withNetwork('2.2.3.0/24'));
  const { bench } = await restart(before, 20_000, 'cache {\n networks 2\n}');
  bench.says = says;
  for (const first of ['1', '2']) {
    const reply = await bench.ask('example.org', 'A', withNetwork(`${first}.2.3.0/24`));
    assert.equal(addressOf(reply), `192.0.2.${first}`);
  }
  assert.equal(bench.asked, 0);
  await bench.ask('example.org', 'A', withNetwork('3.2.3.0/24'));
  await bench.ask('example.org', 'A', withNetwork('3.2.3.0/24'));
  assert.equal(bench.asked, 2);
  bench.advance(270);
  await bench.ask('example.org', 'A', withNetwork('3.2.3.0/24'));
  await bench.ask('example.org', 'A', withNetwork('3.2.3.0/24'));
  assert.equal(bench.asked, 3);
});

test('snapshot: what is past its time is left out, unless it may be served stale', async () => {
  const before = new CacheBench();
  before.says = (q) => ({ answers: [a(q.qname, q.qname.startsWith('short') ? 10 : 300)] });
  await before.ask('short.example.org');
  await before.ask('long.example.org');
  before.says = () => ({ flags: SERVFAIL });
  await before.ask('broken.example.org');
  const plain = await restart(before, 20_000);
  assert.deepEqual([plain.snapshot.taken, plain.snapshot.skipped], [1, 2]);
  const staleTicks = ticksOfMs(60_000);
  const stale = await restart(before, 20_000, 'cache {\n serve_stale 1m\n}', { staleTicks });
  assert.deepEqual([stale.snapshot.taken, stale.snapshot.skipped], [2, 1]);
  stale.bench.says = () => ({ flags: SERVFAIL });
  assert.equal(addressOf(await stale.bench.ask('short.example.org')), '192.0.2.1');
  stale.bench.advance(51);
  assert.equal((await stale.bench.ask('short.example.org')).rcode, 'SERVFAIL');
  const late = await restart(before, 400_000, 'cache {\n serve_stale 1m\n}', { staleTicks });
  assert.equal(late.snapshot.taken, 0);
  const ages = await restart(before, Number.MAX_SAFE_INTEGER, 'cache', { staleTicks });
  assert.equal(ages.snapshot.taken, 0);
});

test('snapshot: entries of another configuration, settings or format are not taken', async () => {
  const before = new CacheBench();
  await before.ask();
  await assert.rejects(restart(before, 0, 'cache', { fingerprint: 2 }), {
    message: 'it is of another configuration',
  });
  await assert.rejects(restart(before, 0, 'cache', { settings: 2 }), {
    message: 'it is of another configuration',
  });
  const [first] = await piecesOf(before);
  for (const word of [0, 1]) {
    const words = new Int32Array((first as Uint8Array).slice().buffer);
    words[word] = 77;
    const snapshot = snapshotOf(new CacheBench());
    assert.throws(() => snapshot.read(new Uint8Array(words.buffer), 0), {
      message: 'it has another format',
    });
  }
});

test('snapshot: a record that is longer than its piece, or shorter than its head, ends it', async () => {
  const before = new CacheBench();
  await before.ask();
  const [first, second] = (await piecesOf(before)) as [Uint8Array, Uint8Array];
  for (const count of [3, 10_000, -1]) {
    const words = new Int32Array(second.slice().buffer);
    words[0] = count;
    const snapshot = snapshotOf(new CacheBench());
    snapshot.read(first, 0);
    assert.throws(() => snapshot.read(new Uint8Array(words.buffer), 0), {
      message: 'it has a bad record',
    });
  }
});

test('snapshot: only entries of this configuration are written', async () => {
  const before = new CacheBench();
  await before.ask();
  const other = snapshotOf(before, { fingerprint: 2 });
  let pieces = 0;
  for await (const _ of other.write()) pieces++;
  assert.equal(pieces, 1);
  assert.equal(other.written, 0);
});

test('snapshot: what a worker has learned meanwhile is not replaced', async () => {
  const before = new CacheBench();
  await before.ask();
  await before.ask('gone.example.org');
  const bench = new CacheBench();
  bench.says = (q) => ({ answers: [a(q.qname, 60, '192.0.2.99')] });
  await bench.ask();
  bench.says = () => ({ flags: NXDOMAIN, authorities: [soa('example.org', 900, 120)] });
  await bench.ask('gone.example.org');
  const snapshot = snapshotOf(bench);
  for (const piece of await piecesOf(before)) snapshot.read(piece, 0);
  assert.equal(snapshot.taken, 0);
  assert.equal(addressOf(await bench.ask()), '192.0.2.99');
  assert.equal((await bench.ask('gone.example.org')).rcode, 'NXDOMAIN');
});

test('snapshot: popularity counts on where it was', async () => {
  const text = 'cache {\n prefetch 4 1m 90%\n}';
  const before = new CacheBench(text);
  for (let i = 0; i < 4; i++) await before.ask();
  const { bench } = await restart(before, 100_000, text);
  await bench.ask();
  // The pause was longer than a minute: counted anew.
  assert.equal(bench.asked, 0);
  const soon = await restart(before, 40_000, text);
  await soon.bench.ask();
  assert.equal(soon.bench.asked, 1);
});

test('snapshot: a cache with less room takes what fits', async () => {
  const before = new CacheBench('cache {\n success 4096\n}');
  for (let i = 0; i < 3000; i++) await before.ask(`n${i}.example.org`);
  const { bench, snapshot } = await restart(before, 0, 'cache {\n success 1024\n}');
  assert.equal(snapshot.taken, 3000);
  bench.control.tick();
  const { value } = { value: bench.controlMetrics.value('entries', { type: 'success' }) };
  assert.ok(value > 900 && value <= 1024, `${value}`);
});

test('snapshot: 100,000 entries are taken in a moment of processor time', async () => {
  const text = 'cache {\n success 120000\n}';
  const before = new CacheBench(text);
  before.fill(100_000);
  const pieces = await piecesOf(before);
  const rounds: number[] = [];
  // The least of some: other threads of the process count as well, and what is not compiled yet.
  for (let round = 0; round < 3; round++) {
    const snapshot = snapshotOf(new CacheBench(text));
    const start = process.cpuUsage();
    for (const piece of pieces) snapshot.read(piece, 0);
    const { user, system } = process.cpuUsage(start);
    rounds.push((user + system) / 1000);
    assert.equal(snapshot.taken, 100_000);
  }
  // A quarter of that where nothing else runs; no more than it takes on a machine that does much else.
  assert.ok(Math.min(...rounds) < 2000, `${rounds} ms`);
});

test('snapshot: pieces are short, and a long reply has one of its own', async () => {
  const before = new CacheBench('cache {\n success 20000\n}');
  for (let i = 0; i < 2 * ENTRIES_PER_PIECE; i++) await before.ask(`n${i}.example.org`);
  before.says = (q) => ({
    answers: Array.from({ length: 2040 }, (_, i) => a(q.qname, 300, `10.0.${i >> 8}.${i & 255}`)),
  });
  await before.ask('long.example.org', 'A', { transport: Transport.TCP });
  const pieces = await piecesOf(before);
  const [longest, ...others] = pieces.map((piece) => piece.length).sort((x, y) => y - x);
  assert.ok((longest as number) > 65_536);
  assert.ok(others.every((length) => length <= 64 * 1024));
  assert.ok(pieces.length >= 5);
  const { bench } = await restart(before, 0, 'cache {\n success 20000\n}');
  const reply = await bench.ask('long.example.org', 'A', { transport: Transport.TCP });
  assert.equal(reply.answers?.length, 2040);
  assert.equal(bench.asked, 0);
});

test('snapshot: other work is done while it looks at entries that are not kept', async () => {
  const before = new CacheBench('cache {\n success 20000\n}');
  for (let i = 0; i < 3 * ENTRIES_PER_PIECE; i++) await before.ask(`n${i}.example.org`);
  let turns = 0;
  let counts = true;
  const turn = (): void => {
    turns++;
    if (counts) setImmediate(turn);
  };
  setImmediate(turn);
  for await (const _ of snapshotOf(before, { fingerprint: 2 }).write());
  counts = false;
  assert.ok(turns >= 3, `${turns} turns`);
});
