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
import prefetch from '../../plugins/prefetch/setup.js';
import { measure } from './rounds.js';

const CALLS = 200_000;

/** Send slots of a worker. */
const SLOTS = 256;
const SLOT_BYTES = 4160;

/** Words of a folded name as below; all are equally long. */
const NAME_WORDS = 7;

/** Far enough from one name to the next that the last one's memory is of no help. */
const STRIDE = 7919;

/** With *prefetch* each hit notes when it was; names are learnt when they are stored. */
const SETTINGS: Readonly<Record<string, ReadonlyMap<string, unknown>>> = {
  'cache alone': new Map(),
  'with prefetch': new Map([['prefetch', parseDirective(prefetch, 'prefetch')[0]]]),
};

const next = (): never => {
  throw new Error('a miss');
};

function run(names: number, parts: ReadonlyMap<string, unknown>, setting: string): void {
  const handler = filledCache(names, parts);
  const queries = slotQueries();
  const folded = foldedNames(names);
  // As the server does it: the query object of a slot is made another query by writing to it.
  const hit = (i: number): number => {
    const q = queries[i % SLOTS] as Query;
    const at = ((i * STRIDE) % names) * NAME_WORDS;
    for (let w = 0; w < NAME_WORDS; w++) q.folded32[w] = folded[at + w] as number;
    return handler.serve(q, next) instanceof Reply ? 1 : 0;
  };
  const hits = (calls: number): number => {
    let sum = 0;
    for (let i = 0; i < calls; i++) sum += hit(i);
    return sum;
  };
  console.log(`\n${names} names, ${setting}`);
  measure('hit', CALLS, hits);
  global.gc?.();
  const before = process.memoryUsage().heapUsed;
  hits(CALLS);
  const bytes = (process.memoryUsage().heapUsed - before) / CALLS;
  console.log(`${'allocated per hit'.padEnd(44)} ${bytes.toFixed(2)} bytes`);
}

function filledCache(names: number, parts: ReadonlyMap<string, unknown>): CacheHandler {
  const text = `cache {\n success ${Math.ceil(names * 1.1)}\n}`;
  const config = parseDirective(cache, text)[0] as CacheConfig;
  const services = fakeServices({ clock: new FakeClock(), block: { parts } });
  const handler = new CacheHandler(
    optionsOf(config, parts),
    allocateCache(sizesOf(config, parts)),
    services,
  );
  for (let i = 0; i < names; i++) {
    const q = makeQuery(nameOf(i), 'A');
    void handler.serve(q, (q) => replyFrom(q, { answers: answersTo(q) }));
  }
  return handler;
}

function slotQueries(): readonly Query[] {
  const slots = new SharedArrayBuffer(SLOTS * SLOT_BYTES);
  return Array.from({ length: SLOTS }, (_, i) => {
    const q = makeQuery(nameOf(0), 'A');
    q.out = new Uint8Array(slots, i * SLOT_BYTES, SLOT_BYTES);
    return q;
  });
}

function foldedNames(names: number): Uint32Array {
  const all = new Uint32Array(names * NAME_WORDS);
  for (let i = 0; i < names; i++) {
    all.set(makeQuery(nameOf(i), 'A').folded32.subarray(0, NAME_WORDS), i * NAME_WORDS);
  }
  return all;
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
for (const names of sizes.length > 0 ? sizes : [100, 1000, 10_000, 100_000]) {
  for (const [setting, parts] of Object.entries(SETTINGS)) run(names, parts, setting);
}
