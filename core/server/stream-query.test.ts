import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pending } from '../chain/pending.js';
import { Query } from '../chain/query.js';
import { createSocketLayer, FakeClock, FakeTimers, fakeServices, makeQuery } from '../testing.js';
import { MAX_PARKED, PARKED_LIMIT_MS, SWEEP_MS } from './parked.js';
import { type ServerSink, Shared } from './shared.js';
import { park } from './stream-query.js';

function rig() {
  const clock = new FakeClock();
  const { metrics, log } = fakeServices();
  const timers = new FakeTimers(clock);
  const sockets = createSocketLayer({ force: 'dgram' });
  const shared = new Shared({ sockets, timers, clock, metrics, log, isDebug: false });
  const expired: [q: Query, code: string][] = [];
  const sink: ServerSink = {
    deliver() {},
    fault() {},
    expire: (q, { code }) => expired.push([q, code]),
  };
  const asked = makeQuery('example.org', 'A');
  const deferred = (): Query => {
    const q = new Query(sink);
    q.wire = asked.wire;
    q.length = asked.length;
    q.peer = asked.peer;
    q.out = asked.out;
    park(shared, q, q.defer() as Pending);
    return q;
  };
  const met = (limit: string): number => metrics.value('limit_total', { limit });
  return { clock, metrics, expired, deferred, met };
}

test('park: past the limit of waiting queries one more is answered at once, and counted', () => {
  const { metrics, expired, deferred, met } = rig();
  for (let i = 0; i < MAX_PARKED; i++) deferred();
  assert.equal(metrics.value('waiting_queries'), MAX_PARKED);
  assert.deepEqual([expired.length, met('queries')], [0, 0]);
  const last = deferred();
  assert.deepEqual(expired, [[last, 'ERR_OVERLOAD']]);
  assert.equal(met('queries'), 1);
  assert.equal(metrics.value('waiting_queries'), MAX_PARKED);
});

test('park: a query that waited too long is answered, and counted', () => {
  const { clock, metrics, expired, deferred, met } = rig();
  const q = deferred();
  for (let ms = 0; ms < PARKED_LIMIT_MS; ms += SWEEP_MS) clock.advance(SWEEP_MS);
  assert.deepEqual([expired.length, met('time')], [0, 0]);
  clock.advance(SWEEP_MS);
  assert.deepEqual(expired, [[q, 'ERR_QUERY_TIMEOUT']]);
  assert.equal(met('time'), 1);
  assert.equal(metrics.value('waiting_queries'), 0);
});
