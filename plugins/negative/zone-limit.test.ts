import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allocateCells } from '../../core/plugin.js';
import { fakeServices, makeQuery } from '../../core/testing.js';
import { ZONE_CELLS, ZoneLimit } from './zone-limit.js';

const SECOND_MS = 5000;

function limit(rate: number): ZoneLimit {
  return new ZoneLimit(allocateCells(ZONE_CELLS), rate, [1, 2], fakeServices().log);
}

function admits(zones: ZoneLimit, name: string, nowMs = SECOND_MS): boolean {
  return zones.admit(makeQuery(name, 'A', { receivedMs: nowMs }), nowMs);
}

test('zone limit: a flood over many zones does not hide the busiest', () => {
  const zones = limit(10);
  for (let i = 0; i < 10; i++) assert.ok(admits(zones, `r${i}.example.org`));
  for (let i = 0; i < 20_000; i++) admits(zones, `r.z${i}.example.net`);
  assert.equal(admits(zones, 'r.example.org'), false);
});

test('zone limit: only a reply of the same second is taken back', () => {
  const zones = limit(1);
  const early = makeQuery('a.example.org', 'A', { receivedMs: SECOND_MS });
  assert.ok(zones.admit(early, SECOND_MS));
  assert.ok(admits(zones, 'b.example.org', SECOND_MS + 1000));
  zones.takeBack(early, SECOND_MS + 1000);
  assert.equal(admits(zones, 'c.example.org', SECOND_MS + 1000), false);
  const late = makeQuery('b.example.org', 'A', { receivedMs: SECOND_MS + 1000 });
  zones.takeBack(late, SECOND_MS + 1999);
  assert.ok(admits(zones, 'c.example.org', SECOND_MS + 1999));
});

test('zone limit: the root and names right below it are no trouble', () => {
  const zones = limit(1);
  for (let i = 0; i < 3; i++) assert.ok(admits(zones, '.'));
  assert.ok(admits(zones, 'org'));
  assert.equal(admits(zones, 'net'), false);
  zones.takeBack(makeQuery('.', 'A', { receivedMs: SECOND_MS }), SECOND_MS);
});

test('zone limit: upper and lower case are one zone', () => {
  const zones = limit(1);
  assert.ok(admits(zones, 'a.EXAMPLE.org'));
  assert.equal(admits(zones, 'b.example.ORG'), false);
});
