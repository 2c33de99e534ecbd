import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { isMainThread, Worker, workerData } from 'node:worker_threads';
import { TestKey, TestSlab, testBody } from '../../test/lib/slab-kit.js';
import { slabBytes, slabGeometry } from './geometry.js';

const NAMES = 64;
const DURATION_MS = 1000;
const LENGTHS = [6, 20, 33, 60, 120, 300];

/** A few names that everybody reads and writes; every body tells by its words which write it came from. */
function hammer(
  memory: SharedArrayBuffer,
  owner: number,
): { reads: number; torn: number; bad: number } {
  const slab = new TestSlab(memory, slabGeometry(1024, 0), owner);
  const key = new TestKey();
  const keys = Array.from({ length: NAMES }, (_, n) => new TestKey().set(n));
  const into = new Int32Array(512);
  const result = { reads: 0, torn: 0, bad: 0 };
  const stopMs = performance.now() + DURATION_MS;
  for (let round = owner; performance.now() < stopMs; round += 2) {
    for (let i = 0; i < 500; i++) {
      const k = keys[(i * 7 + round) % NAMES] as TestKey;
      if (i % 4 === 0) {
        const words = LENGTHS[(i + round) % LENGTHS.length] as number;
        const body = testBody(k, words, round);
        body[words - 1] = round;
        slab.put(k, body, 1000, 0);
        if (i % 64 === 0) slab.writer.remove(keys[(i + round) % NAMES] as TestKey);
        continue;
      }
      if (!slab.find(k)) continue;
      const words = slab.bodyWords;
      if (!slab.copyBody(into, 0) || !slab.isWhole) {
        result.torn++;
        continue;
      }
      slab.touch();
      result.reads++;
      const want = testBody(key.set(k.a), words, into[words - 1] as number);
      for (let w = 0; w < words - 1; w++) {
        if (into[w] !== want[w]) {
          result.bad++;
          break;
        }
      }
    }
  }
  return result;
}

if (isMainThread) {
  test('slab: two threads that read and write the same entries never see a torn one', async (t) => {
    const memory = new SharedArrayBuffer(slabBytes(slabGeometry(1024, 0)));
    const worker = new Worker(new URL(import.meta.url), { workerData: memory });
    t.after(() => worker.terminate());
    const done = once(worker, 'message');
    await once(worker, 'online');
    const mine = hammer(memory, 1);
    const [theirs] = (await done) as [typeof mine];
    assert.equal(mine.bad + theirs.bad, 0);
    assert.ok(mine.reads > 1000 && theirs.reads > 1000);
    t.diagnostic(
      `${mine.reads + theirs.reads} reads, ${mine.torn + theirs.torn} torn ones found out`,
    );
    const slab = new TestSlab(memory, slabGeometry(1024, 0), 1);
    assert.ok(slab.count <= NAMES);
  });
} else {
  const { parentPort } = await import('node:worker_threads');
  parentPort?.postMessage(hammer(workerData as SharedArrayBuffer, 2));
}
