// What a cache hit costs a query, from `serve` to the reply in its send slot, and what it allocates. Without sockets.
//
// Run: node --expose-gc dist/bench/micro/cache-hit.js [names...].
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
import { measure } from './rounds.js';

const CALLS = 200_000;

/** Query objects at most; the server has one per receive slot, but then each look-up would be of the same few names. */
const MAX_QUERIES = 1 << 14;

/** Send slots of a worker. */
const SLOTS = 256;
const SLOT_BYTES = 4160;

/** Far enough from one query to the next that the last one's memory is of no help. */
const STRIDE = 7919;

const next = (): never => {
  throw new Error('a miss');
};

function run(names: number): void {
  const handler = filledCache(names);
  const queries = queriesFor(names);
  const hit = (i: number): number =>
    handler.serve(queries[(i * STRIDE) % queries.length] as Query, next) instanceof Reply ? 1 : 0;
  const hits = (calls: number): number => {
    let sum = 0;
    for (let i = 0; i < calls; i++) sum += hit(i);
    return sum;
  };
  console.log(`\n${names} names`);
  measure('hit', CALLS, hits);
  global.gc?.();
  const before = process.memoryUsage().heapUsed;
  hits(CALLS);
  const bytes = (process.memoryUsage().heapUsed - before) / CALLS;
  console.log(`${'allocated per hit'.padEnd(44)} ${bytes.toFixed(2)} bytes`);
}

function filledCache(names: number): CacheHandler {
  const text = `cache {\n success ${Math.ceil(names * 1.1)}\n}`;
  const config = parseDirective(cache, text)[0] as CacheConfig;
  const services = fakeServices({ clock: new FakeClock() });
  const handler = new CacheHandler(optionsOf(config), allocateCache(sizesOf(config)), services);
  for (let i = 0; i < names; i++) {
    const q = makeQuery(nameOf(i), 'A');
    void handler.serve(q, (q) => replyFrom(q, { answers: answersTo(q) }));
  }
  return handler;
}

function queriesFor(names: number): readonly Query[] {
  const slots = new SharedArrayBuffer(SLOTS * SLOT_BYTES);
  const outs = Array.from(
    { length: SLOTS },
    (_, i) => new Uint8Array(slots, i * SLOT_BYTES, SLOT_BYTES),
  );
  const count = Math.min(names, MAX_QUERIES);
  return Array.from({ length: count }, (_, i) => {
    const q = makeQuery(nameOf(Math.floor((i * names) / count)), 'A');
    q.out = outs[i % SLOTS] as Uint8Array;
    return q;
  });
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
for (const names of sizes.length > 0 ? sizes : [100, 1000, 10_000, 100_000]) run(names);
