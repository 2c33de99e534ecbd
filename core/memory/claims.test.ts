import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { allocateClaims, CLAIM_FULL, CLAIM_TAKEN, Claims, wants } from './claims.js';

/** The views of so many workers on one table. */
function views(workers: number): Claims[] {
  const memory = allocateClaims(workers);
  return Array.from({ length: workers }, (_, worker) => new Claims(memory, worker));
}

test('claims: one worker holds what others want, and learns who does', () => {
  const [a, b, c] = views(3) as [Claims, Claims, Claims];
  const place = a.claim(5, -7);
  assert.ok(place >= 0);
  assert.equal(a.wanted(place, -7), 0);
  assert.equal(c.claim(5, -7), CLAIM_TAKEN);
  assert.equal(c.claim(5, -7), CLAIM_TAKEN);
  assert.ok(wants(a.wanted(place, -7), 2));
  assert.equal(a.wanted(place, 8), -1);
  assert.equal(b.wanted(place, -7), -1);
  const wanted = a.release(place, -7);
  assert.deepEqual(
    [0, 1, 2].map((worker) => wants(wanted, worker)),
    [false, false, true],
  );
  assert.deepEqual([a.release(place, -7), a.wanted(place, -7)], [0, -1]);
  assert.ok(b.claim(5, -7) >= 0);
  assert.equal(b.count, 1);
});

test('claims: what nobody wants is given up without a trace', () => {
  const [a, b] = views(2) as [Claims, Claims];
  for (let i = 0; i < 50_000; i++) assert.equal(a.release(a.claim(i, i), i), 0);
  assert.equal(b.count, 0);
});

test('claims: a line has room for five, and for others again when one is given up', () => {
  const [a, b] = views(2) as [Claims, Claims];
  const places = [1, 2, 3, 4, 5].map((high) => a.claim(9, high));
  assert.equal(new Set(places).size, 5);
  assert.equal(b.claim(9, 6), CLAIM_FULL);
  assert.equal(b.claim(9, 5), CLAIM_TAKEN);
  a.release(places[0] as number, 1);
  assert.ok(b.claim(9, 6) >= 0);
});

test('claims: two of one worker with one hash are not mistaken for each other', () => {
  const [a] = views(2) as [Claims];
  const place = a.claim(1, 1);
  assert.equal(a.claim(1, 1), CLAIM_FULL);
  assert.equal(a.release(CLAIM_FULL, 1), 0);
  assert.equal(a.count, 1);
  a.release(place, 1);
  assert.equal(a.count, 0);
});

test('claims: what is seized belongs to the new holder, and so do those that wait', () => {
  const [a, b, c] = views(3) as [Claims, Claims, Claims];
  const place = a.claim(1, 1);
  b.claim(1, 1);
  c.claim(1, 1);
  const seized = b.claim(1, 1, true);
  assert.equal(seized, place);
  assert.equal(a.release(place, 1), 0);
  const wanted = b.release(seized, 1);
  assert.deepEqual([wants(wanted, 1), wants(wanted, 2)], [false, true]);
});

test('claims: a place that is used again is not given up by who had it before', () => {
  const [a, b] = views(2) as [Claims, Claims];
  const place = a.claim(1, 1);
  b.release(b.claim(1, 1, true), 1);
  assert.equal(a.claim(1, 2), place);
  assert.equal(a.release(place, 1), 0);
  assert.equal(a.count, 1);
});

test('claims: what a worker held when it ended is free, and so are its locks', () => {
  const memory = allocateClaims(2);
  const [a, b, control] = [0, 1, 2].map((worker) => new Claims(memory, worker)) as [
    Claims,
    Claims,
    Claims,
  ];
  a.claim(1, 1);
  b.claim(2, 2);
  // The first word of a line is its lock.
  new Int32Array(memory)[3 * 16] = 1;
  assert.equal(b.claim(3, 3), CLAIM_FULL);
  control.releaseAll(0);
  assert.equal(b.count, 1);
  assert.ok(b.claim(1, 1) >= 0);
  assert.ok(b.claim(3, 3) >= 0);
});

test('claims: of threads that want the same one at a time holds it, and whoever asked is known', async (t) => {
  const THREADS = 3;
  const ROUNDS = 20_000;
  const memory = allocateClaims(THREADS);
  // Per thread: times told, and times asked to be told; then holders right now, and the most there were.
  const tally = new Int32Array(new SharedArrayBuffer(4 * (2 * THREADS + 2)));
  const code = `
    const { workerData } = require('node:worker_threads');
    import(workerData.module).then(({ Claims, wants, CLAIM_TAKEN }) => {
      const { memory, tally, me, threads, rounds } = workerData;
      const claims = new Claims(memory, me);
      const holders = 2 * threads;
      for (let i = 0; i < rounds; i++) {
        const place = claims.claim(1, 1);
        if (place === CLAIM_TAKEN) Atomics.store(tally, threads + me, 1);
        if (place < 0) continue;
        if (Atomics.add(tally, holders, 1) > 0) Atomics.add(tally, holders + 1, 1);
        Atomics.sub(tally, holders, 1);
        const wanted = claims.release(place, 1);
        for (let other = 0; other < threads; other++) if (wants(wanted, other)) Atomics.add(tally, other, 1);
      }
    });`;
  const module = new URL('./claims.js', import.meta.url).href;
  const threads = Array.from({ length: THREADS }, (_, me) => {
    const workerData = { memory, tally, me, threads: THREADS, rounds: ROUNDS, module };
    return new Worker(code, { eval: true, workerData });
  });
  t.after(() => Promise.all(threads.map((thread) => thread.terminate())));
  const codes = await Promise.all(
    threads.map((thread) => new Promise((resolve) => thread.on('exit', resolve))),
  );
  assert.deepEqual(codes, [0, 0, 0]);
  assert.equal(tally[2 * THREADS + 1], 0);
  for (let me = 0; me < THREADS; me++) {
    if (tally[THREADS + me] === 1) assert.ok((tally[me] as number) > 0, `thread ${me} was told`);
  }
  assert.equal(new Claims(memory, 0).count, 0);
});
