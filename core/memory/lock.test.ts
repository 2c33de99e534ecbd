import assert from 'node:assert/strict';
import { test } from 'node:test';
import { takeOver, tryLock, unlock } from './lock.js';
import { beginWrite, endWrite, readVersion, validate } from './seqlock.js';

test('lock: one owner at a time, and giving up when it is kept', () => {
  const words = new Int32Array(new SharedArrayBuffer(4));
  assert.ok(tryLock(words, 0, 3));
  assert.equal(words[0], 3);
  assert.ok(!tryLock(words, 0, 4));
  unlock(words, 0);
  assert.ok(tryLock(words, 0, 4));
});

test('lock: only what the dead owner holds is taken over', () => {
  const words = new Int32Array(new SharedArrayBuffer(4));
  assert.ok(!takeOver(words, 0, 3, -1));
  tryLock(words, 0, 3);
  assert.ok(!takeOver(words, 0, 2, -1));
  assert.ok(takeOver(words, 0, 3, -1));
  assert.equal(words[0], -1);
});

test('seqlock: a copy is whole only if no write began or ended since', () => {
  const words = new Int32Array(new SharedArrayBuffer(4));
  const first = readVersion(words, 0);
  assert.ok(validate(words, 0, first));
  beginWrite(words, 0);
  assert.ok(!validate(words, 0, first));
  assert.equal(readVersion(words, 0) & 1, 1);
  endWrite(words, 0);
  assert.ok(!validate(words, 0, first));
  assert.equal(readVersion(words, 0) & 1, 0);
});

test('seqlock: versions pass the largest number', () => {
  const words = Int32Array.of(0x7ffffffe);
  beginWrite(words, 0);
  endWrite(words, 0);
  assert.equal(readVersion(words, 0), -0x80000000);
  assert.equal(readVersion(words, 0) & 1, 0);
});
