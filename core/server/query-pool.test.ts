import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Query } from '../chain/query.js';
import { FakeMetrics, TestSink } from '../testing.js';
import { MAX_POOLED, QueryPool } from './query-pool.js';

const sink = new TestSink();

function fresh(): { pool: QueryPool; objects: () => number } {
  const metrics = new FakeMetrics();
  const pool = new QueryPool(metrics.gauge('objects', ''));
  return { pool, objects: () => metrics.value('objects') };
}

function taken(pool: QueryPool, count: number): Query[] {
  return Array.from({ length: count }, () => pool.take(sink));
}

test('query pool: an object comes back, for another listener', () => {
  const { pool, objects } = fresh();
  const q = pool.take(sink);
  assert.notEqual(pool.take(sink), q);
  pool.put(q);
  const other = new TestSink();
  assert.equal(pool.take(other), q);
  assert.equal(q.sink, other);
  assert.equal(objects(), 2);
});

test('query pool: no more are kept than the limit, and what is given up is not counted', () => {
  const { pool, objects } = fresh();
  const all = taken(pool, MAX_POOLED + 10);
  assert.equal(objects(), MAX_POOLED + 10);
  for (const q of all) pool.put(q);
  assert.equal(objects(), MAX_POOLED);
  const again = new Set(taken(pool, MAX_POOLED));
  assert.equal(objects(), MAX_POOLED);
  assert.equal(all.filter((q) => again.has(q)).length, MAX_POOLED);
  pool.take(sink);
  assert.equal(objects(), MAX_POOLED + 1);
});
