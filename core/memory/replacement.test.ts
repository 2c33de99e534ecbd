import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkClocks } from '../../test/lib/clock-check.js';
import { mix, TestKey, TestSlab, testBody } from '../../test/lib/slab-kit.js';
import { List } from './clocks.js';
import {
  ghostsAt,
  LINE_SLOTS,
  minSlabBytes,
  type SlabGeometry,
  slabBytes,
  slabGeometry,
  slotAt,
} from './geometry.js';
import { Cause, Shard } from './shard.js';
import { SlabWalker } from './slab-walker.js';

const FAR = 1_000_000;
const CAPACITY = 1024;

interface Opened {
  readonly memory: SharedArrayBuffer;
  readonly geometry: SlabGeometry;
  readonly slab: TestSlab;
}

function open(capacity = CAPACITY, sizeBytes = capacity * 1024): Opened {
  const geometry = slabGeometry(capacity, sizeBytes);
  const memory = new SharedArrayBuffer(slabBytes(geometry));
  return { memory, geometry, slab: new TestSlab(memory, geometry, 1) };
}

const key = new TestKey();

function put(slab: TestSlab, n: number, words = 8, deadline = FAR, now = 0): number {
  key.set(n);
  return slab.put(key, testBody(key, words, 0), deadline, now);
}

/** Asks for key `n` as the cache does: true when it was there, else it is stored. */
function ask(slab: TestSlab, n: number): boolean {
  if (slab.find(key.set(n))) {
    slab.touch();
    return true;
  }
  put(slab, n);
  return false;
}

test('replacement: what is new is in the recency clock, what was used when the hand came in the frequency clock', () => {
  const { slab } = open();
  for (let n = 0; n < CAPACITY; n++) ask(slab, n);
  assert.equal(slab.writer.recent, CAPACITY);
  for (let n = 0; n < 100; n++) ask(slab, n);
  ask(slab, 5000);
  assert.equal(slab.writer.recent, CAPACITY - 100);
  assert.ok(slab.find(key.set(50)));
  assert.ok(slab.isFrequent);
  assert.ok(slab.find(key.set(5000)));
  assert.ok(!slab.isFrequent);
  assert.ok(!slab.find(key.set(100)), 'the oldest that was not used had to go');
});

test('replacement: a key stored again is in the frequency clock', () => {
  const { slab } = open();
  put(slab, 1);
  put(slab, 1);
  assert.ok(slab.find(key.set(1)));
  assert.ok(slab.isFrequent);
  assert.equal(slab.writer.recent, 0);
});

test('replacement: a key that comes back soon after it had to go is in the frequency clock, once', () => {
  const { slab } = open();
  for (let n = 0; n < CAPACITY + 10; n++) ask(slab, n);
  assert.ok(!ask(slab, 3));
  assert.ok(slab.find(key.set(3)));
  assert.ok(slab.isFrequent);
  assert.equal(slab.writer.ghostHits(List.RECENCY), 1);
  assert.equal(slab.writer.nearGhostHits, 1);
  slab.writer.remove(key.set(3));
  ask(slab, 3);
  assert.equal(slab.writer.ghostHits(List.RECENCY), 1, 'its ghost is gone');
});

test('replacement: ghosts are forgotten after one and a half times as many evictions as there are entries', () => {
  const { slab } = open();
  for (let n = 0; n < CAPACITY * 3 + 1; n++) ask(slab, n);
  for (let n = 0; n < CAPACITY / 2; n++) ask(slab, n);
  // A hash of 15 bits may be another key's.
  assert.ok(slab.writer.ghostHits(List.RECENCY) < 4);
  for (let n = CAPACITY + 600; n < CAPACITY + 650; n++) ask(slab, n);
  assert.ok(slab.writer.ghostHits(List.RECENCY) > 40);
});

test('replacement: nothing is crowded out of the index, however long names come and go', () => {
  for (const capacity of [16, CAPACITY, 2 * CAPACITY]) {
    const { slab, memory, geometry } = open(capacity);
    for (let n = 0; n < 40 * capacity; n++) ask(slab, n);
    assert.equal(slab.count, capacity);
    assert.equal(slab.writer.removed(Cause.INDEX), 0);
    const words = new Int32Array(memory);
    let used = 0;
    for (let i = 0; i < geometry.shards; i++) {
      const at = geometry.start + i * geometry.shardWords + geometry.indexAt;
      for (let slot = 0; slot < geometry.slots; slot++) {
        if (words[at + slotAt(slot)] !== 0) used++;
      }
    }
    assert.equal(used, capacity);
    for (let n = 39.5 * capacity; n < 40 * capacity; n++) assert.ok(slab.find(key.set(n)));
  }
});

test('replacement: names used once raise the target when they come back, frequent ones lower it', () => {
  const { slab } = open();
  // Everything comes back just after it went: the recency clock is too small.
  for (let n = 0; n < 20 * CAPACITY; n++) {
    ask(slab, n);
    if (n > 400) ask(slab, n - 300);
  }
  const high = slab.writer.target;
  assert.ok(high > CAPACITY / 4, `target ${high}`);
  // Keys that are used twice, go and come back: the frequency clock is too small.
  for (let round = 0; round < 30; round++) {
    for (let n = 0; n < CAPACITY + 100; n++) {
      ask(slab, 100_000 + n);
      ask(slab, 100_000 + n);
    }
  }
  assert.ok(slab.writer.ghostHits(List.FREQUENCY) > 0);
  assert.ok(slab.writer.target < high);
});

test('replacement: a scan of any length leaves what is used alone', () => {
  const { slab } = open();
  for (let round = 0; round < 4; round++) for (let n = 0; n < 200; n++) ask(slab, n);
  for (let n = 0; n < 20_000; n++) ask(slab, 10_000 + n);
  for (let n = 0; n < 200; n++) assert.ok(slab.find(key.set(n)), `key ${n}`);
});

test('replacement: one goes even when all were used, after a bounded number of steps', () => {
  const { slab, memory, geometry } = open();
  for (let n = 0; n < CAPACITY; n++) put(slab, n);
  for (let n = 0; n < CAPACITY; n++) if (slab.find(key.set(n))) slab.touch();
  assert.equal(put(slab, 9000), 1);
  assert.equal(slab.count, CAPACITY);
  // What was passed over is in the frequency clock; a longer search would have moved more.
  assert.equal(CAPACITY - slab.writer.recent, 256);
  checkClocks(memory, geometry);
});

test('replacement: counts what was removed, by cause', () => {
  const { slab, memory, geometry } = open(CAPACITY, minSlabBytes(CAPACITY) + 100_000);
  const removed = (): number[] =>
    [Cause.ENTRIES, Cause.BYTES, Cause.INDEX, Cause.EXPIRED, Cause.SUPERSEDED, Cause.FLUSHED].map(
      (cause) => slab.writer.removed(cause),
    );
  for (let n = 0; n < CAPACITY + 3; n++) put(slab, n);
  assert.deepEqual(removed(), [3, 0, 0, 0, 0, 0]);
  slab.writer.remove(key.set(500));
  slab.writer.remove(key.set(501));
  assert.deepEqual(removed(), [3, 0, 0, 0, 2, 0]);
  const walker = new SlabWalker(memory, geometry);
  walker.start(0);
  assert.ok(walker.next());
  slab.writer.removeAt(walker);
  assert.deepEqual(removed(), [3, 0, 0, 0, 2, 1]);
  // Long ones use the blocks up while entries are free; then it is long ones that go, but for one.
  for (let n = 0; n < 200; n++) slab.writer.remove(key.set(600 + n));
  let evicted = 0;
  for (let n = 0; n < 250; n++) evicted += put(slab, 10_000 + n, 330);
  assert.deepEqual(removed(), [3, evicted, 0, 0, 202, 1]);
  assert.ok(evicted > 90 && evicted < 110, `${evicted} had to go`);
  put(slab, 20_000, 8, 10, 0);
  assert.equal(slab.writer.sweep(0, 10), 1);
  assert.deepEqual(removed(), [3, evicted, 0, 1, 202, 1]);
  assert.equal(put(slab, 1, 8), 0);
  assert.equal(put(slab, 1, 9), 0, 'stored again is not removed');
  assert.deepEqual(removed(), [3, evicted, 0, 1, 202, 1]);
  for (let n = 0; n < 65; n++) {
    key.set(n, 4, 77, 77);
    slab.put(key, testBody(key, 8, 0), FAR, 0);
  }
  assert.ok(slab.writer.removed(Cause.INDEX) > 0);
});

test('replacement: an entry past its time goes when the hand meets it, used or not, and leaves no ghost', () => {
  const { slab } = open();
  for (let n = 0; n < CAPACITY; n++) put(slab, n, 8, n < 10 ? 5 : FAR);
  for (let n = 0; n < 10; n++) if (slab.find(key.set(n))) slab.touch();
  for (let n = 0; n < 10; n++) assert.equal(put(slab, 5000 + n, 8, FAR, 5), 0);
  assert.equal(slab.writer.removed(Cause.EXPIRED), 10);
  for (let n = 0; n < 10; n++) put(slab, n, 8, FAR, 5);
  assert.equal(slab.writer.ghostHits(List.RECENCY), 0);
});

for (const capacity of [CAPACITY, 4096]) {
  test(`replacement: every entry is in one clock after any operations, ${capacity} entries`, () => {
    const seed = Number(process.env.SEED ?? 4711);
    const { slab, memory, geometry } = open(capacity, minSlabBytes(capacity) + 300_000);
    const walker = new SlabWalker(memory, geometry);
    let state = seed;
    const random = (n: number): number => {
      state = mix(state + 1);
      return (state >>> 0) % n;
    };
    for (let step = 0; step < 60_000; step++) {
      const n = random(3 * capacity);
      const what = random(100);
      if (what < 50)
        put(slab, n, 1 + random(random(10) === 0 ? 1500 : 60), step + random(50_000), step);
      else if (what < 90) ask(slab, n >> random(8));
      else if (what < 97) slab.writer.remove(key.set(n));
      else if (what < 99) {
        walker.start(random(walker.shards));
        for (let left = random(50); left >= 0 && walker.next(); left--) {
          if (left === 0) slab.writer.removeAt(walker);
        }
      } else if (random(20) === 0) slab.writer.sweep(random(geometry.shards), step);
      if (step % 2000 === 0) checkClocks(memory, geometry);
    }
    checkClocks(memory, geometry);
    assert.ok(slab.writer.recent <= slab.count);
    assert.ok(slab.writer.target >= 1 && slab.writer.target <= slab.count, `seed ${seed}`);
    assert.ok(slab.writer.ghostHits(List.RECENCY) > 0 && slab.writer.ghostHits(List.FREQUENCY) > 0);
  });
}

test('replacement: a shard left in the middle of a change is whole after it was seized, and what was counted stays', () => {
  const { slab, memory, geometry } = open(4096, 4096 * 1024);
  const words = new Int32Array(memory);
  for (let n = 0; n < 9000; n++) ask(slab, n >> 1);
  const evicted = slab.writer.removed(Cause.ENTRIES);
  assert.ok(evicted > 0);
  for (let i = 0; i < geometry.shards; i++) {
    const shard = i * geometry.shardWords;
    words[shard + Shard.LOCK] = 7;
    // As if it had died while it moved an entry from one clock to the other.
    words[shard + Shard.OLDEST] = words[shard + Shard.OLDEST + 1] as number;
    words[shard + geometry.linksAt + 9] = 3;
    words[shard + Shard.LISTED] = -5;
    words[shard + geometry.indexAt + ghostsAt(0) + 4] = 0x7fff0001;
  }
  const supervisor = new TestSlab(memory, geometry, -1);
  assert.equal(supervisor.writer.seize(7), geometry.shards);
  assert.equal(slab.count, 0);
  checkClocks(memory, geometry);
  for (let n = 0; n < 20_000; n++) ask(slab, n % 6000);
  checkClocks(memory, geometry);
  assert.ok(slab.writer.removed(Cause.ENTRIES) >= evicted);
});

test('replacement: the links and ghosts of a slab that is not full are not written beyond what is used', () => {
  const { slab, memory, geometry } = open();
  for (let n = 0; n < 100; n++) ask(slab, n);
  const words = new Int32Array(memory);
  const { indexAt, linksAt, entriesAt, slots } = geometry;
  assert.ok(words.subarray(linksAt + 200, entriesAt).every((word) => word === 0));
  for (let slot = 0; slot < slots; slot += LINE_SLOTS) {
    const at = indexAt + ghostsAt(slot);
    assert.ok(words.subarray(at, at + LINE_SLOTS).every((word) => word === 0));
  }
});
