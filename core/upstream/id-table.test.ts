import assert from 'node:assert/strict';
import { test } from 'node:test';
import { IdTable, IN_FLIGHT_LIMIT } from './id-table.js';

test('ids: each is found with its exchange until it is released, however many come and go', () => {
  const table = new IdTable();
  const held = new Map<number, number>();
  const check = (): void => {
    assert.equal(table.inUse, held.size);
    for (let id = 0; id < 65_536; id++) assert.equal(table.find(id), held.get(id) ?? -1);
  };
  let exchange = 0;
  for (let round = 0; round < 40; round++) {
    for (let i = 0; i < 300; i++) {
      const id = table.take(exchange);
      assert.ok(!held.has(id));
      held.set(id, exchange);
      exchange = (exchange + 1) % 16_384;
    }
    // Some of the oldest, and some from the middle.
    const ids = [...held.keys()];
    for (const id of [...ids.slice(0, 150), ...ids.slice(200, 260)]) {
      table.release(id);
      held.delete(id);
    }
    if (round % 8 === 0) check();
  }
  check();
  for (const id of held.keys()) table.release(id);
  held.clear();
  check();
});

test('ids: half of all may be in use; one that is free is released without effect', () => {
  const table = new IdTable();
  const ids = new Set<number>();
  for (let i = 0; i < IN_FLIGHT_LIMIT; i++) ids.add(table.take(i % 16_384));
  assert.equal(ids.size, IN_FLIGHT_LIMIT);
  assert.equal(table.take(1), -1);
  const free = [...Array(65_536).keys()].find((id) => !ids.has(id)) as number;
  table.release(free);
  assert.equal(table.inUse, IN_FLIGHT_LIMIT);
  for (const id of ids) table.release(id);
  assert.equal(table.inUse, 0);
  assert.ok(table.take(7) >= 0);
});
