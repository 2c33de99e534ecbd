import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { allocateMailboxes, Mailboxes } from './mailboxes.js';

const RING_WORDS = 65_536;

function pair(): [Mailboxes, Mailboxes, Int32Array] {
  const memory = allocateMailboxes(2);
  return [new Mailboxes(memory, 0), new Mailboxes(memory, 1), new Int32Array(memory)];
}

/** A message whose words follow from its number. */
function message(n: number, count: number): Int32Array {
  return Int32Array.from({ length: count }, (_, i) => n * 1000 + i);
}

function taken(box: Mailboxes): Int32Array | undefined {
  const into = new Int32Array(RING_WORDS);
  const count = box.take(into);
  return count === 0 ? undefined : into.slice(0, count);
}

test('mailboxes: messages come in the order they were sent, to whom they were sent', () => {
  const [a, b] = pair();
  assert.equal(taken(b), undefined);
  assert.ok(a.post(1, message(1, 3), 3));
  assert.ok(a.post(1, message(2, 5), 4));
  assert.deepEqual(taken(b), message(1, 3));
  assert.deepEqual(taken(b), message(2, 4));
  assert.equal(taken(b), undefined);
  assert.equal(taken(a), undefined);
  assert.equal(b.takeLost(), false);
});

test('mailboxes: messages of any length pass the end of the ring whole', () => {
  const [a, b] = pair();
  let seed = 20260801;
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
    return seed % below;
  };
  const waiting: Int32Array[] = [];
  for (let n = 0; n < 5000; n++) {
    const sent = message(n, 1 + random(n % 7 === 0 ? 17_000 : 300));
    if (a.post(1, sent, sent.length)) waiting.push(sent);
    else assert.ok(waiting.length > 0, 'an empty box takes everything');
    while (waiting.length > 0 && random(3) > 0) assert.deepEqual(taken(b), waiting.shift());
  }
  for (const sent of waiting) assert.deepEqual(taken(b), sent);
  assert.equal(taken(b), undefined);
});

for (const [name, count] of [
  ['that fill the ring to its last word', RING_WORDS / 4 - 1],
  ['of one word', 1],
] as const) {
  test(`mailboxes: full of messages ${name} it takes no more, says so, and loses nothing else`, () => {
    const [a, b] = pair();
    for (let round = 0; round < 3; round++) {
      let sent = 0;
      while (a.post(1, message(sent, count), count)) sent++;
      assert.ok(sent * (count + 1) > RING_WORDS / 2);
      assert.equal(b.takeLost(), true);
      assert.equal(b.takeLost(), false);
      for (let n = 0; n < sent; n++) assert.deepEqual(taken(b), message(n, count));
      assert.equal(taken(b), undefined);
    }
  });
}

test('mailboxes: a sender that ended while it wrote left nothing, and does not keep others out', () => {
  const memory = allocateMailboxes(2);
  const [a, b, control] = [0, 1, 2].map((worker) => new Mailboxes(memory, worker)) as [
    Mailboxes,
    Mailboxes,
    Mailboxes,
  ];
  // The first word of a box is its lock; the second box is worker 1's.
  const words = new Int32Array(memory);
  words[words.length / 2] = 1;
  assert.equal(b.post(1, message(1, 1), 1), false);
  assert.equal(b.takeLost(), true);
  control.releaseAll(0);
  assert.equal(taken(b), undefined);
  assert.ok(a.post(1, message(2, 1), 1));
  assert.deepEqual(taken(b), message(2, 1));
});

test('mailboxes: an open box is told of mail and of losses, a closed one is not', async () => {
  const [a, b] = pair();
  let told = 0;
  let wake: () => void = () => {};
  const next = (): Promise<void> =>
    new Promise((resolve) => {
      wake = resolve;
    });
  let mail = next();
  b.open(() => {
    told++;
    wake();
  });
  await mail;
  mail = next();
  a.post(1, message(1, 1), 1);
  await mail;
  mail = next();
  a.lose(1);
  await mail;
  b.close();
  const before = told;
  a.post(1, message(2, 1), 1);
  await new Promise(setImmediate);
  await new Promise(setImmediate);
  assert.equal(told, before);
});

test('mailboxes: an open box does not keep a thread alive, and threads talk', async (t) => {
  const memory = allocateMailboxes(2);
  const code = `
    const { workerData, parentPort } = require('node:worker_threads');
    import(workerData.module).then(({ Mailboxes }) => {
      const boxes = new Mailboxes(workerData.memory, 1);
      const into = new Int32Array(100);
      boxes.open(() => {
        for (let count = boxes.take(into); count > 0; count = boxes.take(into)) boxes.post(0, into, count);
      });
      parentPort.once('message', () => {});
      parentPort.postMessage('open');
    });`;
  const module = new URL('./mailboxes.js', import.meta.url).href;
  const thread = new Worker(code, { eval: true, workerData: { memory, module } });
  t.after(() => thread.terminate());
  await new Promise((resolve) => thread.once('message', resolve));
  const boxes = new Mailboxes(memory, 0);
  const got: Int32Array[] = [];
  const all = new Promise<void>((resolve) => {
    boxes.open(() => {
      for (let m = taken(boxes); m !== undefined; m = taken(boxes)) {
        if (got.push(m) === 1000) resolve();
      }
    });
  });
  for (let n = 0; n < 1000; n++) assert.ok(boxes.post(1, message(n, 1 + (n % 50)), 1 + (n % 50)));
  await all;
  got.forEach((m, n) => {
    assert.deepEqual(m, message(n, 1 + (n % 50)));
  });
  boxes.close();
  const ended = new Promise((resolve) => thread.on('exit', resolve));
  thread.postMessage('end');
  assert.equal(await ended, 0);
});
