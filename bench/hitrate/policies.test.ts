import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Arc } from './arc.js';
import { Lfu } from './lfu.js';
import { Lru } from './lru.js';
import type { PolicyMaker } from './policy.js';
import { S3Fifo } from './s3-fifo.js';
import { Sieve } from './sieve.js';
import { SlabPolicy } from './slab-policy.js';
import { TRACES, type Trace } from './traces.js';

const POLICIES: Readonly<Record<string, PolicyMaker>> = {
  LRU: (capacity, names) => new Lru(capacity, names),
  LFU: (capacity, names) => new Lfu(capacity, names),
  ARC: (capacity, names) => new Arc(capacity, names),
  'S3-FIFO': (capacity, names) => new S3Fifo(capacity, names),
  SIEVE: (capacity, names) => new Sieve(capacity, names),
};

// Worked out by hand: what is asked for in capitals, hits marked below.
const cases = [
  {
    policy: 'LRU',
    says: 'drops what was used longest ago',
    capacity: 2,
    asks: 'ABACBA',
    hits: '..+...',
  },
  { policy: 'LFU', says: 'drops what was used least', capacity: 2, asks: 'AABCBA', hits: '.+...+' },
  {
    policy: 'LFU',
    says: 'drops the oldest of those, which then begins anew',
    capacity: 2,
    asks: 'ABCBAACBA',
    hits: '...+.+..+',
  },
  { policy: 'ARC', says: 'drops what is new first', capacity: 2, asks: 'ABACDA', hits: '..+..+' },
  {
    policy: 'ARC',
    says: 'learns from ghosts of either list',
    capacity: 2,
    asks: 'ABACBCABA',
    hits: '..+..+..+',
  },
  {
    policy: 'S3-FIFO',
    says: 'promotes what was used twice, and ghosts',
    capacity: 4,
    asks: 'ABCDEAACCFCD',
    hits: '......+++.+.',
  },
  {
    policy: 'SIEVE',
    says: 'leaves the hand where it was',
    capacity: 3,
    asks: 'ABCADEBA',
    hits: '...+...+',
  },
];
for (const { policy, says, capacity, asks, hits } of cases) {
  test(`hit ratio: ${policy} ${says}`, () => {
    const made = (POLICIES[policy] as PolicyMaker)(capacity, 26);
    const got = [...asks].map((name) => (made.access(name.charCodeAt(0) - 65) ? '+' : '.'));
    assert.equal(got.join(''), hits);
  });
}

for (const [name, make] of Object.entries(POLICIES)) {
  test(`hit ratio: ${name} keeps as many as it may and no more`, () => {
    const policy = make(50, 1000);
    for (let n = 0; n < 50; n++) assert.equal(policy.access(n), false);
    for (let n = 0; n < 50; n++) assert.equal(policy.access(n), true);
    for (let n = 100; n < 1000; n++) assert.equal(policy.access(n), false);
    let kept = 0;
    const trace = Array.from({ length: 1000 }, (_, n) => n).reverse();
    for (const n of trace) if (policy.access(n)) kept++;
    assert.ok(kept >= 1 && kept <= 50, `${kept} kept`);
  });
}

function hits(policy: { access(id: number): boolean }, { ids }: Trace): number {
  let count = 0;
  for (const id of ids) if (policy.access(id)) count++;
  return (100 * count) / ids.length;
}

for (const name of ['zipf 0.9', 'shifting set', 'loops']) {
  test(`hit ratio: the cache is at most 1 % below the best policy on "${name}"`, () => {
    const trace = (TRACES[name] as () => Trace)();
    const capacity = Math.floor(trace.distinct / 20);
    const best = Math.max(
      ...Object.values(POLICIES).map((p) => hits(p(capacity, trace.names), trace)),
    );
    const own = hits(new SlabPolicy(capacity), trace);
    assert.ok(own >= best - 1, `${own.toFixed(2)} of ${best.toFixed(2)} %`);
  });
}

test('hit ratio: a trace is the same every time, and as long as it says', () => {
  const make = TRACES['home, a week'] as () => Trace;
  const trace = make();
  assert.deepEqual(make().ids, trace.ids);
  assert.equal(new Set(trace.ids).size, trace.distinct);
  assert.ok(trace.ids.every((id) => id < trace.names));
});
