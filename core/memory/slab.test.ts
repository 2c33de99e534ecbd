import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mix, TestKey, TestSlab, testBody } from '../../test/lib/slab-kit.js';
import { minSlabBytes, type SlabGeometry, slabBytes, slabGeometry } from './geometry.js';
import { Shard } from './shard.js';
import { BUSY, TOO_LARGE } from './slab-writer.js';

const FAR = 1_000_000;

function open(
  capacity: number,
  sizeBytes = capacity * 1024,
): {
  memory: SharedArrayBuffer;
  geometry: SlabGeometry;
  slab: TestSlab;
} {
  const geometry = slabGeometry(capacity, sizeBytes);
  const memory = new SharedArrayBuffer(slabBytes(geometry));
  return { memory, geometry, slab: new TestSlab(memory, geometry, 1) };
}

const key = new TestKey();

function put(slab: TestSlab, n: number, words = 8, seed = 0, deadline = FAR, now = 0): number {
  key.set(n);
  return slab.put(key, testBody(key, words, seed), deadline, now);
}

/** The body stored under key `n`, undefined when there is none. */
function get(slab: TestSlab, n: number): Int32Array | undefined {
  if (!slab.find(key.set(n))) return undefined;
  const body = new Int32Array(slab.bodyWords);
  assert.ok(slab.copyBody(body, 0) && slab.isWhole);
  return body;
}

test('slab: what was stored under a key is found under it and no other', () => {
  const { slab } = open(1024);
  for (let n = 0; n < 500; n++) assert.equal(put(slab, n), 0);
  for (let n = 0; n < 500; n++) assert.deepEqual(get(slab, n), testBody(key.set(n), 8, 0));
  for (let n = 500; n < 1000; n++) assert.equal(get(slab, n), undefined);
  assert.equal(slab.count, 500);
});

test('slab: user data comes back with the entry', () => {
  const { slab } = open(1024);
  slab.put(key.set(1), testBody(key, 4, 0), FAR, 0, Int32Array.of(1, -2, 3, -4, 5, -6));
  assert.ok(slab.find(key));
  assert.deepEqual(
    [0, 1, 2, 3, 4, 5].map((i) => slab.meta(i)),
    [1, -2, 3, -4, 5, -6],
  );
});

for (const words of [1, 30, 31, 32, 33, 46, 47, 48, 62, 63, 300, 18_000]) {
  test(`slab: a body of ${words} words comes back as it was`, () => {
    const { slab } = open(1024);
    assert.equal(put(slab, 7, words, 3), 0);
    assert.deepEqual(get(slab, 7), testBody(key.set(7), words, 3));
  });
}

test('slab: keys of every length are told apart by their bytes when hash and words agree', () => {
  const { slab } = open(1024);
  for (let bytes = 1; bytes <= 255; bytes++) {
    key.set(1, bytes, 5, 5);
    const body = testBody(key, 80, bytes);
    // What follows a key in its last word is not part of it.
    if ((bytes & 3) !== 0) body[bytes >> 2] = (body[bytes >> 2] as number) | (0x5a << 24);
    slab.put(key, body, FAR, 0);
    assert.ok(slab.find(key), `length ${bytes}`);
    const last = (bytes - 1) >> 2;
    key.words[last] = (key.words[last] as number) ^ (1 << (8 * ((bytes - 1) & 3)));
    assert.ok(!slab.find(key), `length ${bytes}, last byte changed`);
    key.set(1, bytes, 5, 5).words[0] = (key.words[0] as number) ^ 1;
    assert.ok(!slab.find(key), `length ${bytes}, first byte changed`);
    assert.ok(slab.writer.remove(key.set(1, bytes, 5, 5)));
  }
});

test('slab: a body put under a known key replaces the old one', () => {
  const { slab } = open(1024);
  put(slab, 1, 100, 1);
  const used = slab.writer.usedBytes;
  assert.equal(put(slab, 1, 100, 2), 0);
  assert.deepEqual(get(slab, 1), testBody(key.set(1), 100, 2));
  assert.equal(slab.count, 1);
  assert.equal(slab.writer.usedBytes, used);
});

test('slab: replacing in a full slab costs no other entry', () => {
  const { slab } = open(1024);
  for (let n = 0; n < 1024; n++) put(slab, n);
  assert.equal(slab.count, 1024);
  assert.equal(put(slab, 17, 8, 1), 0);
  assert.equal(slab.count, 1024);
});

test('slab: removed keys are gone and their memory is used again', () => {
  const { slab } = open(1024);
  put(slab, 1, 500);
  const used = slab.writer.usedBytes;
  put(slab, 2, 500);
  assert.ok(slab.writer.remove(key.set(1)));
  assert.ok(!slab.writer.remove(key.set(1)));
  assert.equal(get(slab, 1), undefined);
  assert.deepEqual(get(slab, 2), testBody(key.set(2), 500, 0));
  assert.equal(slab.writer.usedBytes, used);
});

test('slab: keys whose hashes are all the same are kept apart, as many as a probe looks at', () => {
  const { slab } = open(1024);
  for (let n = 0; n < 200; n++) {
    key.set(n, 4, 77, 77);
    slab.put(key, testBody(key, 8, 0), FAR, 0);
    assert.ok(slab.find(key), `number ${n}`);
  }
  assert.equal(slab.count, 64);
  let found = 0;
  for (let n = 0; n < 200; n++) if (slab.find(key.set(n, 4, 77, 77))) found++;
  assert.equal(found, 64);
});

test('slab: removing from a run of colliding keys leaves the others findable', () => {
  const { slab } = open(1024);
  const at = (n: number): TestKey => key.set(n, 4, 1000 + (n % 5), n);
  for (let n = 0; n < 40; n++) slab.put(at(n), testBody(at(n), 8, 0), FAR, 0);
  for (let n = 0; n < 40; n += 3) assert.ok(slab.writer.remove(at(n)));
  for (let n = 0; n < 40; n++) assert.equal(slab.find(at(n)), n % 3 !== 0, `number ${n}`);
});

test('slab: never holds more entries than its capacity', () => {
  for (const capacity of [1024, 3000, 9984]) {
    const { slab } = open(capacity);
    let evicted = 0;
    for (let n = 0; n < 3 * capacity; n++) evicted += put(slab, n);
    assert.ok(slab.count <= capacity);
    assert.ok(slab.count > capacity * 0.99);
    assert.equal(evicted, 3 * capacity - slab.count);
  }
});

test('slab: never uses more bytes than it was given', () => {
  const sizeBytes = minSlabBytes(1024) + 100_000;
  const { slab, memory } = open(1024, sizeBytes);
  assert.ok(memory.byteLength <= sizeBytes);
  for (let n = 0; n < 1000; n++) {
    assert.ok(put(slab, n, 200 + (mix(n) & 1023)) >= 0);
    assert.ok(slab.writer.usedBytes <= sizeBytes);
  }
  assert.ok(slab.count < 1000);
  assert.deepEqual(get(slab, 999), testBody(key.set(999), 200 + (mix(999) & 1023), 0));
});

test('slab: the largest body finds room in the smallest slab, a larger one is refused', () => {
  const { slab } = open(1024, 0);
  for (let n = 0; n < 1024; n++) put(slab, n, 60);
  assert.ok(put(slab, 5000, 19_500) > 0);
  assert.deepEqual(get(slab, 5000), testBody(key.set(5000), 19_500, 0));
  assert.equal(put(slab, 5001, 40_000), TOO_LARGE);
});

test('slab: replacement keeps what is read and drops what is not', () => {
  const { slab } = open(1024);
  for (let n = 0; n < 1024; n++) put(slab, n);
  for (let n = 0; n < 10_000; n++) {
    for (let hot = 0; hot < 100; hot++) {
      if (slab.find(key.set(hot))) slab.touch();
    }
    put(slab, 10_000 + n);
  }
  for (let hot = 0; hot < 100; hot++) assert.ok(slab.find(key.set(hot)), `hot ${hot}`);
});

test('slab: what is past its deadline goes first and is not counted as evicted', () => {
  const { slab } = open(1024);
  for (let n = 0; n < 1024; n++) put(slab, n, 8, 0, n < 512 ? 10 : FAR);
  for (let n = 0; n < 1024; n++) if (slab.find(key.set(n))) slab.touch();
  let evicted = 0;
  for (let n = 0; n < 512; n++) evicted += put(slab, 2000 + n, 8, 0, FAR, 10);
  // The hand passes living entries on its way and takes only their bits.
  assert.equal(evicted, 0);
  for (let n = 512; n < 1024; n++) assert.ok(slab.find(key.set(n)), `living ${n}`);
});

test('slab: a sweep drops what is past its deadline, also when ticks wrap', () => {
  const { slab } = open(4096);
  const now = 0x7fffffff;
  for (let n = 0; n < 100; n++) put(slab, n, 8, 0, (now + (n % 2 === 0 ? -1 : 5)) | 0, now - 10);
  let dropped = 0;
  for (let shard = 0; shard < slab.writer.shards; shard++) dropped += slab.writer.sweep(shard, now);
  assert.equal(dropped, 50);
  assert.equal(slab.count, 50);
  assert.ok(slab.find(key.set(1)));
  assert.ok(!slab.find(key.set(2)));
});

test('slab: uses are counted while the pauses are short, up to the limit asked for', () => {
  const { slab } = open(1024);
  put(slab, 1);
  slab.find(key.set(1));
  const uses = [0, 5, 10, 25, 30, 31, 32, 33].map((now) => slab.countUse(now, 10, 4));
  assert.deepEqual(uses, [1, 2, 3, 1, 2, 3, 4, 4]);
});

test('slab: one at a time refreshes an entry, and none before the postponed time', () => {
  const { slab } = open(1024);
  put(slab, 1);
  slab.find(key.set(1));
  assert.ok(slab.claim(100, 200));
  assert.ok(!slab.claim(150, 250));
  assert.ok(slab.claim(200, 300));
  slab.postpone(220);
  assert.ok(slab.isPostponed(219));
  assert.ok(!slab.claim(219, 300));
  assert.ok(!slab.isPostponed(220));
  assert.ok(slab.claim(220, 300));
  put(slab, 1, 8, 1);
  slab.find(key.set(1));
  assert.ok(slab.claim(221, 300), 'a new entry starts anew');
});

test('slab: how often a key was used is still known when its body is replaced, also in a full slab', () => {
  const { slab } = open(1024);
  for (let n = 0; n < 1024; n++) put(slab, n);
  slab.find(key.set(3));
  slab.countUse(1, 10, 9);
  slab.countUse(2, 10, 9);
  put(slab, 3, 40, 1);
  slab.find(key.set(3));
  assert.equal(slab.countUse(3, 10, 9), 3);
});

test('slab: two views over one memory see each other', () => {
  const { memory, geometry, slab } = open(1024);
  const other = new TestSlab(memory, geometry, 2);
  put(slab, 1, 40, 1);
  assert.deepEqual(get(other, 1), testBody(key.set(1), 40, 1));
  put(other, 1, 50, 2);
  assert.deepEqual(get(slab, 1), testBody(key.set(1), 50, 2));
});

test('slab: an entry that changes while it is read is not whole', () => {
  const { memory, geometry, slab } = open(1024);
  const other = new TestSlab(memory, geometry, 2);
  put(slab, 1, 40, 1);
  assert.ok(slab.find(key.set(1)));
  put(other, 1, 40, 2);
  assert.ok(!slab.isWhole);
  assert.ok(slab.find(key.set(1)));
  other.writer.remove(key);
  assert.ok(!slab.isWhole);
});

test('slab: what a dead owner left locked is emptied, the rest is kept', () => {
  const { memory, geometry, slab } = open(4096);
  const words = new Int32Array(memory);
  for (let n = 0; n < 2000; n++) put(slab, n);
  const before = slab.count;
  words[Shard.LOCK] = 7;
  // As if it had died between two stores.
  words[Shard.FREE_BLOCK] = 12345;
  words[Shard.ENTRIES_USED] = 1;
  const supervisor = new TestSlab(memory, geometry, -1);
  assert.equal(supervisor.writer.seize(6), 0);
  assert.equal(supervisor.writer.seize(7), 1);
  assert.equal(words[Shard.LOCK], 0);
  assert.ok(slab.count > 0 && slab.count < before);
  for (let n = 0; n < 2000; n++) put(slab, n, 40, 1);
  for (let n = 0; n < 2000; n++) assert.deepEqual(get(slab, n), testBody(key.set(n), 40, 1));
});

test('slab: a writer gives up on a lock that is not given back', () => {
  const { memory, slab } = open(1024);
  put(slab, 1);
  const words = new Int32Array(memory);
  words[Shard.LOCK] = 9;
  assert.equal(put(slab, 2), BUSY);
  assert.ok(!slab.writer.remove(key.set(1)));
  assert.equal(slab.writer.sweep(0, FAR + 1), 0);
  assert.ok(slab.find(key.set(1)), 'look-ups need no lock');
});

test('slab: agrees with a map over many random operations', () => {
  const seed = Number(process.env.SEED ?? 12345);
  const { slab, geometry } = open(1024, 400_000);
  const model = new Map<number, { words: number; seed: number }>();
  let state = seed;
  const random = (n: number): number => {
    state = mix(state + 1);
    return (state >>> 0) % n;
  };
  for (let step = 0; step < 60_000; step++) {
    const n = random(3000);
    const what = random(10);
    if (what < 5) {
      const words = 1 + random(random(20) === 0 ? 2000 : 60);
      assert.ok(put(slab, n, words, step) >= 0, `seed ${seed}`);
      model.set(n, { words, seed: step });
    } else if (what === 5) {
      slab.writer.remove(key.set(n));
      model.delete(n);
    } else {
      const body = get(slab, n);
      const want = model.get(n);
      // Replacement may have dropped it, but nothing else may be there.
      if (body === undefined) continue;
      assert.ok(want !== undefined, `seed ${seed} step ${step}: ${n} was removed`);
      assert.deepEqual(body, testBody(key.set(n), want.words, want.seed), `seed ${seed}`);
    }
  }
  assert.ok(slab.count <= geometry.entries);
  let found = 0;
  for (const n of model.keys()) if (slab.find(key.set(n))) found++;
  assert.equal(found, slab.count, 'every entry is reachable');
});
