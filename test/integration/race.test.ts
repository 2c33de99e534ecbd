// A few seconds of the race (test/race): whatever two workers, flushes, snapshots, ends of workers and restarts do to the cache, every answer is what the upstream said.
import assert from 'node:assert/strict';
import test from 'node:test';
import { type RaceOptions, type RaceReport, race } from '../race/race.js';

const RACE: RaceOptions = {
  seconds: 8,
  // What the clients have to have met for the race to mean anything.
  kinds: ['answer', 'nxdomain', 'nodata', 'referral', 'truncated', 'stale'],
  seed: 7,
  loaders: 1,
  lies: 0,
  restartMs: 6000,
  killMs: 3000,
  say: () => {},
};

test('race: every answer of two workers is what the upstream said, word for word and in its time', async () => {
  const { load, faults, metrics, events } = await race(RACE);
  assert.deepEqual(load.problems, []);
  assert.equal(load.mismatches, 0);
  assert.deepEqual(faults, []);
  for (const kind of RACE.kinds) assert.ok((load.kinds[kind] ?? 0) > 0, kind);
  assert.ok((metrics.coredns_cache_hits_total ?? 0) > 0);
  assert.ok((metrics.coredns_dedupe_joined_total ?? 0) > 0);
  assert.ok((events.restarts ?? 0) > 0);
  assert.ok((events['names flushed'] ?? 0) > 0);
});

test('race: one reply in a hundred with a bit changed is noticed', async () => {
  const { load }: RaceReport = await race({
    ...RACE,
    kinds: ['wrong'],
    killMs: 0,
    restartMs: 0,
    lies: 0.01,
  });
  assert.ok(load.mismatches > 0);
  assert.ok(load.problems.length > 0);
});
