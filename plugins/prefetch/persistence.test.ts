import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { a, CacheBench, MIDNIGHT_MS, withPrefetch } from '../../test/lib/cache-bench.js';
import { type PrefetchRig, prefetchControl } from '../../test/lib/prefetch-kit.js';
import { tempFolder } from '../../test/lib/temp-folder.js';

const TTL = 60;
const DAY_SECONDS = 86_400;

function pathOf(t: TestContext): string {
  const folder = tempFolder();
  t.after(() => folder.remove());
  return join(folder.path, 'popular');
}

/** A process that begins so many seconds after the first midnight, its part in the main thread and a worker. */
class Process {
  readonly b: CacheBench;
  readonly control: PrefetchRig['control'];
  readonly services: PrefetchRig['services'];
  readonly #startMs: number;

  constructor(path: string, seconds = 0, text = 'prefetch 0') {
    const { block } = withPrefetch(text);
    this.#startMs = MIDNIGHT_MS + seconds * 1000;
    const wallMs = (nowMs: number): number => this.#startMs + nowMs - 1_000_000;
    this.b = new CacheBench('cache', { block: block ?? {}, wallMs });
    this.b.says = (q) => {
      q.origin = q.qname.length;
      return { answers: [a(q.qname, TTL)] };
    };
    const rig = prefetchControl(this.b, () => wallMs(this.b.clock.nowMs), path);
    this.control = rig.control;
    this.services = rig.services;
    this.b.handler.onStart();
  }

  /** Seconds pass in which somebody asks for these names every 20. */
  async live(seconds: number, ...names: string[]): Promise<void> {
    for (let i = 0; i < seconds; i++) {
      if (i % 20 === 0) for (const name of names) await this.b.ask(name);
      this.b.advance(1);
    }
  }

  count(): number {
    this.control.publish();
    return this.services.metrics.value('/prefetch_names');
  }
}

test('prefetch: after a restart popular names are fetched with nobody having asked', async (t) => {
  const path = pathOf(t);
  const first = new Process(path);
  await first.live(10 * TTL, 'www.example.org', 'mail.example.org');
  await first.live(1, 'rare.example.org');
  await first.control.stop();
  assert.ok(existsSync(path));
  assert.ok(first.services.metrics.value('/prefetch_snapshot_timestamp_seconds') > 0);

  const second = new Process(path, 11 * TTL);
  await second.control.load();
  assert.match(
    second.services.lines.join(),
    /^info 2 popular names of \d+ s ago from .+, 0 left out$/,
  );
  await second.live(3);
  assert.equal(second.b.asked, 2);
  assert.equal(second.b.count('/prefetch_refreshes_total'), 2);
  await second.b.ask('www.example.org');
  await second.b.ask('mail.example.org');
  assert.equal(second.b.asked, 2);
  assert.equal(second.b.count('misses_total'), 0);
});

test('prefetch: the time for which the server was down counts', async (t) => {
  const path = pathOf(t);
  const first = new Process(path);
  await first.live(10 * TTL, 'www.example.org');
  await first.control.stop();
  const later = new Process(path, 5 * DAY_SECONDS);
  await later.control.load();
  await later.live(5 * TTL);
  assert.equal(later.b.asked, 0);
  assert.equal(later.count(), 1);
});

test('prefetch: names are known under another configuration and another hash', async (t) => {
  const path = pathOf(t);
  const first = new Process(path);
  await first.live(10 * TTL, 'www.example.org');
  await first.control.stop();
  const second = new Process(path, 0, 'prefetch 0 {\n names 200\n}');
  await second.control.load();
  const [row] = await second.services.commands.run('prefetch', 'list');
  assert.equal(row?.name, 'www.example.org.');
  assert.equal(row?.flags, 'RD');
});

test('prefetch: what is known already is left as it is', async (t) => {
  const path = pathOf(t);
  const first = new Process(path);
  await first.live(10 * TTL, 'www.example.org');
  await first.control.stop();
  const second = new Process(path);
  await second.live(2 * TTL, 'www.example.org');
  await second.control.load();
  assert.match(second.services.lines.join(), /^info 0 popular names .+, 1 left out$/);
  assert.equal(second.count(), 1);
});

for (const [what, damage] of [
  ['cut off', (bytes: Buffer) => bytes.subarray(0, bytes.length - 40)],
  ['damaged', (bytes: Buffer) => Buffer.from(bytes).fill(0xff, 300, 310)],
  ['empty', () => Buffer.alloc(0)],
] as const) {
  test(`prefetch: a file that is ${what} is reported, ignored and replaced`, async (t) => {
    const path = pathOf(t);
    const first = new Process(path);
    const names = Array.from({ length: 30 }, (_, i) => `n${i}.example.org`);
    await first.live(5 * TTL, ...names);
    await first.control.stop();
    writeFileSync(path, damage(readFileSync(path)));

    const second = new Process(path);
    await second.control.load();
    assert.match(second.services.lines.join(), /^warning snapshot .+ is ignored: it (is|has) /);
    assert.equal(second.count(), 0);
    await second.live(5 * TTL, 'www.example.org');
    await second.control.stop();

    const third = new Process(path);
    await third.control.load();
    assert.equal(third.count(), 1);
  });
}

test('prefetch: what cannot be written is counted and logged', async (t) => {
  const file = pathOf(t);
  writeFileSync(file, '');
  const { control, services } = new Process(join(file, 'popular'));
  await control.stop();
  assert.equal(services.metrics.value('/prefetch_snapshot_failures_total'), 1);
  assert.match(services.lines.join(), /^error snapshot: cannot write .+: ENOTDIR$/);
});
