// Values on their way from control parts to handlers: the main thread's end and a worker's, without threads.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Step } from '../chain/chain.js';
import type { Handler } from '../chain/handler.js';
import { FakeMetrics } from '../testing/services.js';
import { Deliveries } from './deliveries.js';
import { Publications } from './publications.js';
import { Subscriptions } from './subscriptions.js';

function deliveries(): { posts: string[]; skipped: () => number; sent: Deliveries } {
  const posts: string[] = [];
  let skipped = 0;
  const sent = new Deliveries({
    post: (key, value) => posts.push(`${key}=${value}`),
    onSkipped: () => skipped++,
  });
  return { posts, skipped: () => skipped, sent };
}

/** Whether a promise has resolved by now, whatever was due before it. */
async function isDone(promise: Promise<void>): Promise<boolean> {
  let isResolved = false;
  void promise.then(() => {
    isResolved = true;
  });
  await new Promise((resolve) => setImmediate(resolve));
  return isResolved;
}

test('publications: one value of a key is under way, of those that wait the newest', async () => {
  const { posts, skipped, sent } = deliveries();
  const first = sent.send('a', 1);
  const second = sent.send('a', 2);
  const third = sent.send('a', 3);
  void sent.send('b', 9);
  assert.deepEqual(posts, ['a=1', 'b=9']);
  assert.equal(await isDone(first), false);
  sent.taken('a');
  assert.equal(await isDone(first), true);
  assert.equal(await isDone(second), false);
  assert.deepEqual(posts, ['a=1', 'b=9', 'a=3']);
  sent.taken('a');
  await Promise.all([second, third]);
  assert.equal(skipped(), 1);
  sent.taken('a');
  assert.equal(posts.length, 3);
});

test('publications: nobody waits for a worker that is gone', async () => {
  const { sent } = deliveries();
  const waits = [sent.send('a', 1), sent.send('a', 2), sent.send('b', 3)];
  sent.end();
  await Promise.all(waits);
});

test('publications: what is published is a copy, but for shared memory', async () => {
  const published = new FakeMetrics().counter('publications_total', '');
  const spread: unknown[] = [];
  const publications = new Publications(async (_key, value) => void spread.push(value), published);
  const cells = new Int32Array(new SharedArrayBuffer(4));
  const value = { list: [1], cells };
  await publications.publish('a', value);
  value.list.push(2);
  cells[0] = 7;
  const newest = publications.newest.get('a') as typeof value;
  assert.deepEqual(newest.list, [1]);
  assert.equal(newest.cells[0], 7);
  assert.deepEqual(spread, [newest]);
});

test('publications: more than data is refused, and what was there stays', async () => {
  const published = new FakeMetrics().counter('publications_total', '');
  const publications = new Publications(async () => {}, published);
  publications.begin('a', 1);
  await assert.rejects(publications.publish('a', { run() {} }), { name: 'DataCloneError' });
  assert.equal(publications.newest.get('a'), 1);
});

/** A worker with one handler, which is told of values when it is made and later. */
function subscriber(onPublished?: Handler['onPublished']): {
  taken: string[];
  faults: string[];
  subscriptions: Subscriptions;
  step: Step;
} {
  const taken: string[] = [];
  const faults: string[] = [];
  const subscriptions = new Subscriptions({
    onTaken: (key) => taken.push(key),
    onFault: (plugin, error) => faults.push(`${plugin}: ${(error as Error).message}`),
  });
  const handler: Handler = {
    serve: (q, next) => next(q),
    ...(onPublished !== undefined && { onPublished }),
  };
  return { taken, faults, subscriptions, step: { plugin: 'a', handler, servesAllClasses: false } };
}

test('subscriptions: a value that comes before the handler is made is what it is made from', () => {
  const values: unknown[] = [];
  const { taken, subscriptions, step } = subscriber((value) => void values.push(value));
  subscriptions.begin(new Map([['a', 1]]));
  subscriptions.take('a', 2);
  assert.deepEqual(taken, []);
  assert.equal(subscriptions.valueOf('a'), 2);
  subscriptions.open(() => step);
  assert.deepEqual(taken, ['a']);
  assert.deepEqual(values, []);
});

test('subscriptions: one that comes while handlers start is told when they have', async () => {
  const values: unknown[] = [];
  const { taken, subscriptions, step } = subscriber((value) => void values.push(value));
  subscriptions.begin(new Map([['a', 1]]));
  assert.equal(subscriptions.valueOf('a'), 1);
  subscriptions.take('a', 2);
  assert.deepEqual(values, []);
  subscriptions.open(() => step);
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual([values, taken], [[2], ['a']]);
});

test('subscriptions: a value is taken when the promise of the handler resolves', async () => {
  let release = (): void => {};
  const slow = new Promise<void>((resolve) => {
    release = resolve;
  });
  const { taken, subscriptions, step } = subscriber(() => slow);
  subscriptions.open(() => step);
  subscriptions.take('a', 1);
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(taken, []);
  release();
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(taken, ['a']);
});

test('subscriptions: a fault is reported and the value counts as taken', async () => {
  const { taken, faults, subscriptions, step } = subscriber(() => {
    throw new Error('deliberate');
  });
  subscriptions.open(() => step);
  subscriptions.take('a', 1);
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual([faults, taken], [['a: deliberate'], ['a']]);
});

test('subscriptions: a handler that does not listen has taken everything', async () => {
  const { taken, subscriptions, step } = subscriber();
  subscriptions.open(() => step);
  subscriptions.take('a', 1);
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(taken, ['a']);
});
