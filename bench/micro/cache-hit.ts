// What a cache hit costs a query, from `serve` to the reply in its send slot; and a miss with its insert. Without sockets.
//
// Run: node --expose-gc dist/bench/micro/cache-hit.js [names...]. Figures are medians of eleven rounds, with the least and the most.
import { type Query, Reply } from '../../core/plugin.js';
import {
  FakeClock,
  fakeServices,
  makeQuery,
  parseDirective,
  replyFrom,
} from '../../core/testing.js';
import { CacheHandler } from '../../plugins/cache/cache.js';
import { allocateCache } from '../../plugins/cache/control.js';
import cache, { optionsOf, sizesOf } from '../../plugins/cache/setup.js';
import type { CacheConfig } from '../../plugins/cache/syntax.js';

const ROUNDS = 11;
const ROUND_OPERATIONS = 200_000;

/** Names drawn for a round, over and over; even, so that nothing is hotter than it would be. */
const DRAWS = 1 << 16;

const SLOTS = 256;
const SLOT_BYTES = 4160;

function measure(label: string, work: (n: number) => void): void {
  work(ROUND_OPERATIONS);
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const start = process.hrtime.bigint();
    work(ROUND_OPERATIONS);
    times.push(Number(process.hrtime.bigint() - start) / ROUND_OPERATIONS);
  }
  times.sort((a, b) => a - b);
  const [least, median, most] = [times[0], times[ROUNDS >> 1], times.at(-1)] as number[];
  const spread = `(${least?.toFixed(1)} to ${most?.toFixed(1)})`;
  console.log(`${label.padEnd(36)} ${median?.toFixed(1).padStart(7)} ns  ${spread}`);
}

function run(names: number): void {
  const text = `cache {\n success ${Math.ceil(names * 1.1)}\n}`;
  const config = parseDirective(cache, text)[0] as CacheConfig;
  const handler = new CacheHandler(
    optionsOf(config),
    allocateCache(sizesOf(config)),
    fakeServices({ clock: new FakeClock() }),
  );
  const slots = new SharedArrayBuffer(SLOTS * SLOT_BYTES);
  const outs = Array.from(
    { length: SLOTS },
    (_, i) => new Uint8Array(slots, i * SLOT_BYTES, SLOT_BYTES),
  );
  // As the server has them: one query object per receive slot, filled anew for each query.
  const held = process.memoryUsage.rss();
  for (let i = 0; i < names; i++) {
    const q = makeQuery(nameOf(i), 'A');
    handler.serve(q, (q) => replyFrom(q, { answers: answersTo(q) }));
  }
  const grown = (process.memoryUsage.rss() - held) / 2 ** 20;
  console.log(`\n${names} names: memory grew by ${grown.toFixed(1)} MB`);
  const queries = Array.from({ length: Math.min(names, DRAWS) }, (_, i) =>
    makeQuery(nameOf(Math.floor((i * names) / Math.min(names, DRAWS))), 'A'),
  );
  for (const [i, q] of queries.entries()) q.out = outs[i % SLOTS] as Uint8Array;
  const next = (): never => {
    throw new Error('a miss');
  };
  let hits = 0;
  measure('hit', (n) => {
    for (let i = 0; i < n; i++) {
      const q = queries[(i * 7919) % queries.length] as Query;
      if (handler.serve(q, next) instanceof Reply) hits++;
    }
  });
  global.gc?.();
  const before = process.memoryUsage().heapUsed;
  for (let i = 0; i < ROUND_OPERATIONS; i++) {
    handler.serve(queries[(i * 7919) % queries.length] as Query, next);
  }
  const bytes = (process.memoryUsage().heapUsed - before) / ROUND_OPERATIONS;
  console.log(`${'allocated per hit'.padEnd(36)} ${bytes.toFixed(2).padStart(7)} bytes`);
}

function nameOf(i: number): string {
  return `host${String(i).padStart(7, '0')}.example.net`;
}

function answersTo(q: Query): Parameters<typeof replyFrom>[1]['answers'] {
  return [
    { type: 'A', name: q.qname, ttl: 3600, data: '192.0.2.1' },
    { type: 'A', name: q.qname, ttl: 3600, data: '192.0.2.2' },
  ];
}

const sizes = process.argv.slice(2).map(Number);
for (const names of sizes.length > 0 ? sizes : [1000, 10_000, 100_000]) run(names);
