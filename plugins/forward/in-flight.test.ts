import assert from 'node:assert/strict';
import test from 'node:test';
import { allocateHealth, InFlightCells } from './health-cells.js';

const WORKERS = 4;
const LINE_BYTES = 64;

test('in flight: workers count for themselves and see the sum, and one that starts anew has none', () => {
  const memory = allocateHealth(WORKERS);
  const workers = Array.from({ length: WORKERS }, (_, i) => new InFlightCells(memory, i));
  for (const [i, worker] of workers.entries()) worker.add(i + 1);
  workers[2]?.add(-1);
  assert.deepEqual(
    workers.map((worker) => worker.total),
    [9, 9, 9, 9],
  );
  assert.equal(new InFlightCells(memory, 3).total, 5);
});

test('in flight: no two workers write to one cache line', () => {
  const memory = allocateHealth(WORKERS);
  const places = Array.from({ length: WORKERS }, (_, i) => {
    const before = memory.slice();
    new InFlightCells(memory, i).add(1);
    const changed = [...memory.keys()].filter((at) => memory[at] !== before[at]);
    assert.equal(changed.length, 1);
    return (changed[0] as number) * memory.BYTES_PER_ELEMENT;
  });
  for (let i = 1; i < WORKERS; i++) {
    assert.ok((places[i] as number) - (places[i - 1] as number) >= LINE_BYTES);
  }
  // Nor to one that belongs to an upstream.
  assert.ok((places[0] as number) >= LINE_BYTES);
});
