import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TestKey, TestSlab, testBody } from '../../test/lib/slab-kit.js';
import { slabBytes, slabGeometry } from './geometry.js';
import { Shard } from './shard.js';
import { SlabWalker } from './slab-walker.js';
import { BUSY } from './slab-writer.js';

const FAR = 1_000_000;

function open(capacity: number): { slab: TestSlab; walker: SlabWalker; words: Int32Array } {
  const geometry = slabGeometry(capacity, capacity * 1024);
  const memory = new SharedArrayBuffer(slabBytes(geometry));
  return {
    slab: new TestSlab(memory, geometry, 1),
    walker: new SlabWalker(memory, geometry),
    words: new Int32Array(memory),
  };
}

/** Calls `see` on each entry of all shards. */
function walk(walker: SlabWalker, see: () => void): void {
  for (let shard = 0; shard < walker.shards; shard++) {
    walker.start(shard);
    while (walker.next()) see();
  }
}

test('walker: meets every entry once, whole, in all shards', () => {
  const { slab, walker } = open(4096);
  assert.ok(walker.shards > 1);
  const key = new TestKey();
  const meta = Int32Array.of(1, 2, 3, 4, 5, 0);
  for (let n = 0; n < 1500; n++) {
    meta[5] = n;
    slab.put(key.set(n), testBody(key, 5 + (n % 100), n), FAR + n, 0, meta);
  }
  for (let n = 0; n < 1500; n += 3) slab.writer.remove(key.set(n));
  const met = new Set<number>();
  walk(walker, () => {
    const n = walker.a;
    assert.ok(!met.has(n));
    met.add(n);
    key.set(n);
    assert.deepEqual([walker.b, walker.c, walker.low], [key.b, key.c, key.low]);
    assert.deepEqual([...walker.meta], [1, 2, 3, 4, 5, n]);
    assert.equal(walker.deadline, FAR + n);
    assert.deepEqual(walker.body.slice(0, walker.bodyWords), testBody(key, 5 + (n % 100), n));
  });
  assert.equal(met.size, 1000);
  assert.equal(met.size, slab.count);
});

test('walker: its buffer grows for the longest body', () => {
  const { slab, walker } = open(1024);
  const key = new TestKey().set(1);
  slab.put(key, testBody(key, 18_000, 2), FAR, 0);
  walker.start(0);
  assert.ok(walker.next());
  assert.deepEqual(walker.body.slice(0, walker.bodyWords), testBody(key, 18_000, 2));
  assert.ok(!walker.next());
});

test('walker: what it met can be stored in another slab with how often it was used', () => {
  const { slab, walker } = open(1024);
  const key = new TestKey().set(7);
  const body = testBody(key, 40, 1);
  slab.put(key, body, FAR, 0);
  slab.find(key);
  for (let now = 11; now <= 15; now++) slab.countUse(now, 10, 9);
  walker.start(0);
  assert.ok(walker.next());
  assert.deepEqual([walker.uses, walker.seen], [5, 15]);
  const { slab: other } = open(1024);
  const { meta, bodyWords, deadline, uses, seen } = walker;
  other.writer.insert(key, meta, walker.body, bodyWords, deadline, 0, uses, seen);
  assert.ok(other.find(key));
  assert.equal(other.countUse(16, 10, 9), 6);
});

test('walker: the entries it met can be dropped, all that fit and no others', () => {
  const { slab, walker } = open(4096);
  const key = new TestKey();
  for (let n = 0; n < 1000; n++) slab.put(key.set(n), testBody(key, 50, 0), FAR, 0);
  let dropped = 0;
  walk(walker, () => {
    if (walker.a % 5 === 0) dropped += slab.writer.removeAt(walker);
  });
  assert.equal(dropped, 200);
  for (let n = 0; n < 1000; n++) assert.equal(slab.find(key.set(n)), n % 5 !== 0, `number ${n}`);
});

test('walker: an entry that was replaced after it was met is not dropped', () => {
  const { slab, walker } = open(1024);
  const key = new TestKey().set(1);
  slab.put(key, testBody(key, 50, 0), FAR, 0);
  walker.start(0);
  assert.ok(walker.next());
  slab.put(key, testBody(key, 50, 1), FAR, 0);
  assert.equal(slab.writer.removeAt(walker), 0);
  // Nor is another one that came to lie where it was.
  slab.writer.remove(key);
  const other = new TestKey().set(2);
  slab.put(other, testBody(other, 50, 1), FAR, 0);
  assert.equal(slab.writer.removeAt(walker), 0);
  assert.ok(slab.find(other));
});

test('walker: dropping says when the lock is taken', () => {
  const { slab, walker, words } = open(1024);
  const key = new TestKey().set(1);
  slab.put(key, testBody(key, 50, 0), FAR, 0);
  walker.start(0);
  assert.ok(walker.next());
  words[Shard.LOCK] = 9;
  assert.equal(slab.writer.removeAt(walker), BUSY);
  words[Shard.LOCK] = 0;
  assert.equal(slab.writer.removeAt(walker), 1);
});

test('walker: an entry under change is passed over, the walk goes on behind it', () => {
  const { slab, walker, words } = open(1024);
  const key = new TestKey();
  for (let n = 0; n < 3; n++) slab.put(key.set(n), testBody(key, 8, 0), FAR, 0);
  const version = slab.find(key.set(1)) ? slabGeometry(1024, 0).entriesAt + 48 : 0;
  words[version] = (words[version] as number) | 1;
  const met: number[] = [];
  walk(walker, () => met.push(walker.a));
  assert.deepEqual(met, [0, 2]);
});
