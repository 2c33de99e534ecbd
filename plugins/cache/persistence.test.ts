import assert from 'node:assert/strict';
import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fakeServices } from '../../core/testing.js';
import { CacheBench } from '../../test/lib/cache-bench.js';
import { tempFolder } from '../../test/lib/temp-folder.js';
import { Persistence } from './persistence.js';

function pathOf(t: TestContext): string {
  const folder = tempFolder();
  t.after(() => folder.remove());
  return join(folder.path, 'cache');
}

function persistenceOf(bench: CacheBench, path: string, settings = 'same') {
  const services = fakeServices({ clock: bench.clock });
  const options = { path, intervalMs: 0, staleMs: 0, settings };
  const persistence = new Persistence(bench.control.published, options, ['.'], services);
  return { persistence, services };
}

test('persistence: what was written is measured, what is read is logged', async (t) => {
  const path = pathOf(t);
  const before = new CacheBench();
  await before.ask();
  await before.ask('www.example.org');
  const first = persistenceOf(before, path);
  await first.persistence.load();
  first.persistence.start();
  await first.persistence.stop();
  const { metrics } = first.services;
  assert.equal(metrics.value('snapshot_entries'), 2);
  assert.equal(metrics.value('snapshot_bytes'), statSync(path).size);
  assert.ok(metrics.value('snapshot_duration_seconds') > 0);
  assert.ok(Math.abs(metrics.value('snapshot_timestamp_seconds') - Date.now() / 1000) < 3600);
  assert.equal(metrics.value('snapshot_failures_total'), 0);
  assert.deepEqual(first.services.lines, []);

  const second = persistenceOf(new CacheBench(), path);
  await second.persistence.load();
  assert.match(second.services.lines.join(), /^info 2 entries of \d+ s ago from .+, 0 left out$/);
  await second.persistence.stop();
});

test('persistence: other settings, no entries, and that is said', async (t) => {
  const path = pathOf(t);
  const before = new CacheBench();
  await before.ask();
  const first = persistenceOf(before, path);
  await first.persistence.stop();
  const bench = new CacheBench();
  const second = persistenceOf(bench, path, 'other');
  await second.persistence.load();
  assert.deepEqual(second.services.lines, [
    `warning cache of the snapshot ${path} is not taken: it is of another configuration`,
  ]);
  await bench.ask();
  assert.equal(bench.asked, 1);
  await second.persistence.stop();
});

test('persistence: what cannot be written is counted each time and logged once', async (t) => {
  const folder = pathOf(t);
  writeFileSync(folder, '');
  const { persistence, services } = persistenceOf(new CacheBench(), join(folder, 'cache'));
  await persistence.stop();
  assert.equal(services.metrics.value('snapshot_failures_total'), 1);
  assert.match(services.lines.join(), /^error snapshot: cannot write .+: ENOTDIR$/);
});
