// What it costs to learn which names are popular, when an entry is stored, and to look for those that are due, once a second. Without sockets.
//
// Run: node dist/bench/micro/popular-names.js.
import { makeQuery } from '../../core/testing.js';
import { CacheKey } from '../../plugins/cache/key.js';
import { Due } from '../../plugins/prefetch/due.js';
import { allocateNames, NameTable, Use } from '../../plugins/prefetch/name-table.js';
import { measure } from './rounds.js';

const CALLS = 50_000;
const TICKS_PER_SECOND = 16;
const LIFETIME = 300 * TICKS_PER_SECOND;

/** Far enough from one name to the next that the last one's memory is of no help. */
const STRIDE = 7919;

/** Half of the most: no name is to be looked at by chance. */
const SHARE = 128;

for (const names of [10_000, 100_000]) {
  const table = new NameTable(allocateNames(names), 1, TICKS_PER_SECOND);
  const keys = Array.from({ length: names }, (_, i) => keyOf(`host${i}.example.net`));
  let now = 0;
  const learn = (use: Use) => (calls: number) => {
    for (let i = 0; i < calls; i++) {
      table.learn(keys[(i * STRIDE) % names] as CacheKey, now, LIFETIME, use, 1, 0);
      now += TICKS_PER_SECOND;
    }
    return calls;
  };
  console.log(`\n${names} names`);
  measure('learn: names that are there, missed', CALLS, learn(Use.MISSED));
  measure('learn: names that are there, refreshed', CALLS, learn(Use.USED));
  const once = keyOf('once.example.net');
  measure('learn: names that come once', CALLS, (calls) => {
    for (let i = 0; i < calls; i++) {
      once.low = Math.imul(i, 0x9e3779b1);
      once.high = Math.imul(i + 1, 0x85ebca6b);
      table.learn(once, now, LIFETIME, Use.MISSED, 1, 0);
    }
    return calls;
  });
  const due = new Due(table, SHARE);
  measure('look for what is due: nothing', 20, (calls) => {
    for (let i = 0; i < Math.min(calls, 2000); i++) due.find(-LIFETIME, 0, false);
    return 1;
  });
}

function keyOf(name: string): CacheKey {
  const key = new CacheKey([1, 2], 3);
  key.set(makeQuery(name, 'A'));
  return key;
}
