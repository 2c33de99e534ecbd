// Counting in cells, summing over threads, and what happens when memory for metrics runs out or a thread ends.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import type { MetricsNote } from './notes.js';
import { MetricRegistry } from './registry.js';
import { ThreadMetrics } from './scope.js';
import { PAGE_CELLS, Slice } from './slice.js';

const LINE_BYTES = 64;

interface Thread {
  readonly metrics: ThreadMetrics;
  readonly full: string[];
  flush(): void;
  close(): void;
}

function thread(registry: MetricRegistry, maxPages?: number): Thread {
  const source = registry.addThread();
  const slice = new Slice((note) => source.take(note), maxPages);
  const full: string[] = [];
  const metrics = new ThreadMetrics(slice, (name) => full.push(name));
  return { metrics, full, flush: () => slice.flush(), close: () => source.close() };
}

function values(registry: MetricRegistry, name: string): number[][] {
  const family = registry.families().find((f) => f.name === name);
  return (family?.samples ?? []).map((sample) => [...sample.values]);
}

test('metrics: a counter is the sum over threads', () => {
  const registry = new MetricRegistry();
  const threads = [thread(registry), thread(registry)];
  for (const [i, t] of threads.entries()) {
    t.metrics
      .scope('cache')
      .counter('hits_total', 'Hits.')
      .inc(i + 1);
    t.flush();
  }
  assert.deepEqual(values(registry, 'cache_hits_total'), [[3]]);
});

test('metrics: no two threads write to one cache line, wherever their pages lie', () => {
  const pages: SharedArrayBuffer[] = [];
  const slice = new Slice((note) => pages.push(...note.pages));
  const spans = Array.from({ length: 2 * PAGE_CELLS }, () => slice.allocate(1));
  slice.announce({
    name: 'x',
    help: '',
    type: 'counter',
    labels: {},
    buckets: [],
    page: 0,
    offset: 8,
  });
  slice.flush();
  assert.equal(pages.length, 3);
  for (const span of spans) {
    assert.ok(span !== undefined);
    const { cells, offset } = span;
    const line = LINE_BYTES / cells.BYTES_PER_ELEMENT;
    // A whole line before the first cell and behind the last one belongs to nobody.
    assert.ok(offset >= line && offset < cells.length - line);
    assert.equal(cells.length, PAGE_CELLS);
  }
});

test('metrics: a name with a slash stands without the plugin', () => {
  const registry = new MetricRegistry();
  const t = thread(registry);
  t.metrics.scope('forward').counter('/proxy_x_total', 'X.').inc();
  t.flush();
  assert.deepEqual(values(registry, 'proxy_x_total'), [[1]]);
});

test('metrics: the same name and labels give the same cell, other labels another', () => {
  const registry = new MetricRegistry();
  const t = thread(registry);
  const scope = t.metrics.scope('p');
  scope.counter('a_total', 'A.', { type: 'x' }).inc();
  scope.counter('a_total', 'A.', { type: 'x' }).inc();
  scope.counter('a_total', 'A.', { type: 'y' }).inc();
  t.flush();
  assert.deepEqual(values(registry, 'p_a_total'), [[2], [1]]);
});

test('metrics: a histogram counts a value in the first bucket whose bound is not below it', () => {
  const registry = new MetricRegistry();
  const t = thread(registry);
  const histogram = t.metrics.scope('p').histogram('x_seconds', 'X.', [1, 2, 4]);
  for (const value of [0.5, 1, 1.5, 4, 9]) histogram.observe(value);
  t.flush();
  assert.deepEqual(values(registry, 'p_x_seconds'), [[2, 1, 1, 1, 16]]);
});

test('metrics: counts of a thread that ended stay, its gauges go', () => {
  const registry = new MetricRegistry();
  const first = thread(registry);
  first.metrics.scope('p').counter('a_total', 'A.').inc(5);
  first.metrics.scope('p').gauge('g', 'G.').set(7);
  first.flush();
  first.close();
  const second = thread(registry);
  second.metrics.scope('p').counter('a_total', 'A.').inc();
  second.metrics.scope('p').gauge('g', 'G.').inc(2);
  second.flush();
  assert.deepEqual(values(registry, 'p_a_total'), [[6]]);
  assert.deepEqual(values(registry, 'p_g'), [[2]]);
});

test('metrics: a full slice counts what it drops and says so once', () => {
  const registry = new MetricRegistry();
  const t = thread(registry, 1);
  const scope = t.metrics.scope('p');
  for (let i = 0; i < PAGE_CELLS; i++) scope.counter('a_total', 'A.', { i: String(i) }).inc();
  t.flush();
  // One page without its two pads and the counter of dropped series itself.
  const kept = PAGE_CELLS - 16 - 1;
  assert.equal(values(registry, 'p_a_total').length, kept);
  assert.deepEqual(values(registry, 'server_metrics_series_dropped_total'), [[PAGE_CELLS - kept]]);
  assert.deepEqual(t.full, ['p_a_total']);
});

test('metrics: the registry refuses series past its limit and another type for a known name', () => {
  const registry = new MetricRegistry(2);
  let refused = 0;
  registry.refused = { inc: () => refused++ };
  const t = thread(registry);
  t.metrics.scope('p').counter('a_total', 'A.').inc();
  t.metrics.scope('p').counter('b_total', 'B.').inc();
  t.flush();
  const other = thread(registry);
  other.metrics.scope('p').gauge('a_total', 'A.').set(1);
  other.flush();
  assert.equal(refused, 2);
  assert.deepEqual(values(registry, 'p_a_total'), [[1]]);
});

test('metrics: faulty registrations throw', () => {
  const { metrics } = thread(new MetricRegistry());
  const scope = metrics.scope('p');
  scope.counter('a_total', 'A.');
  assert.throws(() => scope.gauge('a_total', 'A.'), /metric p_a_total is a counter/);
  assert.throws(() => scope.counter('A-b', 'A.'), /"p_A-b" is no metric name/);
  assert.throws(() => scope.counter('c', 'C.', { 'a b': '' }), /"a b" is no label name/);
  assert.throws(() => scope.histogram('h', 'H.', [2, 1]), /buckets must ascend/);
  const many = Array.from({ length: 65 }, (_, i) => i);
  assert.throws(() => scope.histogram('h', 'H.', many), /65 buckets, want at most 64/);
});

test('metrics: what a worker thread counts is seen without asking it', async (t) => {
  const registry = new MetricRegistry();
  const source = registry.addThread();
  const modules = ['slice.js', 'scope.js'].map((name) => new URL(name, import.meta.url).href);
  const worker = new Worker(
    `const { parentPort, workerData } = require('node:worker_threads');
     Promise.all(workerData.map((url) => import(url))).then(([{ Slice }, { ThreadMetrics }]) => {
       const slice = new Slice((note) => parentPort.postMessage(note));
       const counter = new ThreadMetrics(slice, () => {}).scope('p').counter('a_total', 'A.');
       counter.inc(41);
       parentPort.on('message', () => { counter.inc(); parentPort.postMessage('done'); });
     });`,
    { eval: true, workerData: modules },
  );
  t.after(() => worker.terminate());
  const note = await new Promise<MetricsNote>((resolve) => worker.once('message', resolve));
  source.take(note);
  assert.deepEqual(values(registry, 'p_a_total'), [[41]]);
  const done = new Promise((resolve) => worker.once('message', resolve));
  worker.postMessage('go');
  await done;
  assert.deepEqual(values(registry, 'p_a_total'), [[42]]);
});
