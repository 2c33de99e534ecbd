import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Spinner } from './spin.js';

/** How many chances of `count` lone datagrams from one sender are taken, when every look is vain or none is. */
function taken(spinner: Spinner, count: number, isFound: boolean): number {
  let looks = 0;
  for (let i = 0; i < count; i++) {
    spinner.onBatch(1, 7);
    if (spinner.looks === 0) continue;
    looks++;
    spinner.onLooked(isFound);
  }
  return looks;
}

test('spin: one client that asks again at once is looked for, after a run of lone datagrams', () => {
  const spinner = new Spinner();
  assert.equal(taken(spinner, 16, true), 0);
  assert.equal(taken(spinner, 1000, true), 1000);
});

test('spin: another sender, or two datagrams at once, end it', () => {
  const spinner = new Spinner();
  taken(spinner, 100, true);
  spinner.onBatch(1, 8);
  assert.equal(spinner.looks, 0);
  assert.equal(taken(spinner, 16, true), 0);
  assert.equal(taken(spinner, 1, true), 1);
  spinner.onBatch(2, 7);
  assert.equal(spinner.looks, 0);
});

test('spin: vain looks become rare, and one that finds something brings them back', () => {
  const spinner = new Spinner();
  const vain = taken(spinner, 100_000, false);
  assert.ok(vain > 10 && vain < 50, String(vain));
  taken(spinner, 10_000, true);
  assert.equal(taken(spinner, 100, true), 100);
});
