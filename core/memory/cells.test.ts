import assert from 'node:assert/strict';
import test from 'node:test';
import {
  addToCell,
  allocateCells,
  claimCell,
  loadCell,
  releaseCell,
  storeCell,
  swapCell,
} from './cells.js';

test('cells: start at 0, in memory that workers can share', () => {
  const cells = allocateCells(5);
  assert.ok(cells.buffer instanceof SharedArrayBuffer);
  assert.deepEqual([...cells], [0, 0, 0, 0, 0]);
  storeCell(cells, 3, -7);
  assert.equal(addToCell(cells, 3, 9), 2);
  assert.equal(loadCell(cells, 3), 2);
});

test('cells: one owner holds a cell until it lets go', () => {
  const cells = allocateCells(1);
  assert.equal(claimCell(cells, 0, 1), true);
  assert.equal(claimCell(cells, 0, 1), true);
  assert.equal(claimCell(cells, 0, 2), false);
  assert.equal(releaseCell(cells, 0, 2), false);
  assert.equal(releaseCell(cells, 0, 1), true);
  assert.equal(releaseCell(cells, 0, 1), false);
  assert.equal(claimCell(cells, 0, 2), true);
});

test('cells: only who knows what is in a cell changes it', () => {
  const cells = allocateCells(1);
  assert.equal(swapCell(cells, 0, 0, 5), true);
  assert.equal(swapCell(cells, 0, 0, 6), false);
  assert.equal(loadCell(cells, 0), 5);
});
