import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Query } from '../../core/plugin.js';
import { replyFrom } from '../../core/testing.js';
import { a, CacheBench, NXDOMAIN, SERVFAIL, soa, ttlsOf } from '../../test/lib/cache-bench.js';

const says = (ttl: number) => () => ({ answers: [a('example.org', ttl)] });

/** What happens at a second, and what is seen then. */
interface Moment {
  readonly at: number;
  readonly ttl: number;
  readonly asked: number;
}

const stories: readonly {
  readonly name: string;
  readonly text: string;
  readonly moments: readonly Moment[];
}[] = [
  {
    name: 'once it was used often enough and a tenth of its time is left',
    text: 'prefetch 3',
    moments: [
      { at: 0, ttl: 80, asked: 1 },
      { at: 40, ttl: 40, asked: 1 },
      { at: 72, ttl: 8, asked: 1 },
      { at: 73, ttl: 7, asked: 2 },
      { at: 74, ttl: 79, asked: 2 },
    ],
  },
  {
    name: 'not when the pauses between uses are too long',
    text: 'prefetch 2 30s',
    moments: [
      { at: 0, ttl: 80, asked: 1 },
      { at: 40, ttl: 40, asked: 1 },
      { at: 73, ttl: 7, asked: 1 },
      { at: 75, ttl: 5, asked: 2 },
    ],
  },
  {
    name: 'at the percentage that is set',
    text: 'prefetch 1 1m 50%',
    moments: [
      { at: 0, ttl: 80, asked: 1 },
      { at: 39, ttl: 41, asked: 1 },
      { at: 40, ttl: 40, asked: 2 },
      { at: 41, ttl: 79, asked: 2 },
    ],
  },
];
for (const story of stories) {
  test(`cache: an entry is refreshed ${story.name}`, async () => {
    const b = new CacheBench(`cache {\n ${story.text}\n}`);
    b.says = says(80);
    const start = b.clock.nowMs;
    for (const { at, ttl, asked } of story.moments) {
      b.clock.advance(start + at * 1000 - b.clock.nowMs);
      assert.deepEqual(ttlsOf(await b.ask()), [ttl], `at ${at}`);
      assert.equal(b.asked, asked, `at ${at}`);
    }
  });
}

test('cache: a refreshed entry is still known to be popular', async () => {
  const b = new CacheBench('cache {\n prefetch 10\n}');
  b.says = says(20);
  for (let i = 0; i < 11; i++) await b.ask();
  for (let round = 0; round < 3; round++) {
    b.advance(19);
    await b.ask();
  }
  assert.equal(b.asked, 4);
  assert.equal(b.count('prefetch_total'), 3);
  assert.equal(b.count('misses_total'), 1);
});

test('cache: one refresh at a time, and none for a second after a failed one', async () => {
  const b = new CacheBench('cache {\n prefetch 1 1m 50%\n}');
  b.says = says(100);
  await b.ask();
  b.advance(60);
  const waiting: Query[] = [];
  b.says = (q) => {
    waiting.push(q);
    return q.defer();
  };
  for (let i = 0; i < 3; i++) await b.ask();
  assert.equal(b.asked, 2);
  const q = waiting[0] as Query;
  q.settle(replyFrom(q, { flags: SERVFAIL }));
  for (let i = 0; i < 3; i++) assert.deepEqual(ttlsOf(await b.ask()), [40]);
  assert.equal(b.asked, 2);
  b.advance(1);
  assert.deepEqual(ttlsOf(await b.ask()), [39]);
  assert.equal(b.asked, 3);
});

test('cache: a refresh that brings a denial ends the answer', async () => {
  const b = new CacheBench('cache {\n prefetch 1 1m 50%\n}');
  b.says = says(100);
  await b.ask();
  b.advance(60);
  b.says = () => ({ flags: NXDOMAIN, authorities: [soa('example.org', 60, 60)] });
  assert.equal((await b.ask()).rcode, 'NOERROR');
  assert.equal((await b.ask()).rcode, 'NXDOMAIN');
  assert.equal(b.asked, 2);
});
