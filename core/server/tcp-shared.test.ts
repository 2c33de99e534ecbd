import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock, FakeMetrics, FakeTimers } from '../testing.js';
import { limitsOf } from './limits.js';
import { MAX_CONNECTIONS, type OpenConnection, TcpShared } from './tcp-shared.js';

class FakeConnection implements OpenConnection {
  isIdle: boolean;
  isClosed = false;

  constructor(isIdle: boolean) {
    this.isIdle = isIdle;
  }

  get hasWork(): boolean {
    return !this.isIdle;
  }

  flush(): void {}

  drain(): void {}

  close(): void {
    this.isClosed = true;
  }
}

/** As many connections as there may be. */
function full(isIdle: (i: number) => boolean) {
  const metrics = new FakeMetrics();
  const shared = new TcpShared(new FakeTimers(new FakeClock()), metrics, limitsOf(metrics));
  const all = Array.from({ length: MAX_CONNECTIONS }, (_, i) => new FakeConnection(isIdle(i)));
  for (const connection of all) {
    assert.equal(shared.makeRoom(), true);
    shared.add(connection);
  }
  const met = (limit: string): number => metrics.value('limit_total', { limit });
  return { shared, all, met };
}

test('connections: one more takes the place of the oldest that is idle', () => {
  const { shared, all, met } = full((i) => i >= 3);
  assert.equal(shared.makeRoom(), true);
  assert.deepEqual(
    all.filter((c) => c.isClosed),
    [all[3]],
  );
  assert.equal(met('idle_connections'), 1);
  assert.equal(met('connections'), 0);
});

test('connections: many at once take a place each, though those closed for them are not gone yet', () => {
  const { shared, all, met } = full(() => true);
  const fresh = Array.from({ length: 100 }, () => new FakeConnection(false));
  for (const connection of fresh) {
    assert.equal(shared.makeRoom(), true);
    shared.add(connection);
  }
  const closed = all.filter((c) => c.isClosed);
  assert.equal(closed.length, fresh.length);
  for (const connection of closed) shared.remove(connection);
  assert.equal(shared.connections.size, MAX_CONNECTIONS);
  assert.equal(met('idle_connections'), fresh.length);
});

test('connections: when all are busy one more is refused', () => {
  const { shared, all, met } = full(() => false);
  assert.equal(shared.makeRoom(), false);
  assert.deepEqual(
    all.filter((c) => c.isClosed),
    [],
  );
  assert.equal(met('connections'), 1);
  shared.remove(all[0] as FakeConnection);
  assert.equal(shared.makeRoom(), true);
});
