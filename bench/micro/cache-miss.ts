// What *cache* adds to a query that it does not know, with and without *negative* and *prefetch*: looking, asking a chain that answers at once, keeping. Without sockets.
//
// Run: node dist/bench/micro/cache-miss.js.
import {
  type Handler,
  type MessageBuilder,
  type Next,
  parseName,
  type Query,
  Rcode,
  Reply,
  RRClass,
  RRType,
  Section,
} from '../../core/plugin.js';
import { FakeClock, fakeServices, makeQuery, parseDirective } from '../../core/testing.js';
import cache from '../../plugins/cache/setup.js';
import type { CacheConfig } from '../../plugins/cache/syntax.js';
import negative from '../../plugins/negative/setup.js';
import prefetch from '../../plugins/prefetch/setup.js';
import { measure } from './rounds.js';

const CALLS = 50_000;
const QUERIES = 256;

/** What a name is varied by: the eight bytes of its first label. */
const VARIED_WORDS = 2;

const ZONE = parseName('example.net.');
const SOA_DATA = Uint8Array.from([...ZONE, ...ZONE, ...new Uint8Array(19), 60]);
const ADDRESS = Uint8Array.of(192, 0, 2, 1);

const addSoa = (builder: MessageBuilder): void => {
  builder.addRecord(Section.AUTHORITY, ZONE, RRType.SOA, RRClass.IN, 60, SOA_DATA);
};
const addAddress = (builder: MessageBuilder, q: Query): void => {
  const qname = q.wire.subarray(q.qnameOffset, q.qnameEnd);
  builder.addRecord(Section.ANSWER, qname, RRType.A, RRClass.IN, 60, ADDRESS);
};
const chains: Readonly<Record<string, Next>> = {
  'an answer': (q) => q.replyRecords(Rcode.NOERROR, addAddress),
  NXDOMAIN: (q) => q.replyRecords(Rcode.NXDOMAIN, addSoa),
};

function handler(parts: ReadonlyMap<string, unknown>, clock: FakeClock): Handler {
  const [config] = parseDirective(cache, 'cache');
  const services = fakeServices({ clock, block: { parts } });
  return cache.setup?.(config as CacheConfig, services) as Handler;
}

/** Names that nobody asked for before: the first label, `nameNNNN`, counts. */
function misses(name: string, parts: ReadonlyMap<string, unknown>, next: Next): void {
  const clock = new FakeClock();
  const cacheHandler = handler(parts, clock);
  const queries = Array.from({ length: QUERIES }, () => makeQuery('name0000.a.b.example.net', 'A'));
  let count = 0;
  measure(name, CALLS, (calls) => {
    let sum = 0;
    for (let i = 0; i < calls; i++) {
      const q = queries[i % QUERIES] as Query;
      const n = count++;
      // No limit is reached.
      if (n % CALLS === 0) clock.advance(1000);
      q.receivedMs = clock.nowMs;
      for (let at = 1; at <= VARIED_WORDS * 4; at++) {
        const digit = 97 + ((n >> (3 * (at - 1))) & 7);
        q.folded[at] = digit;
        q.wire[q.qnameOffset + at] = digit;
      }
      sum += cacheHandler.serve(q, next) instanceof Reply ? 1 : 0;
    }
    return sum;
  });
}

const negativeOf = (text: string): ReadonlyMap<string, unknown> =>
  new Map([['negative', parseDirective(negative, text)[0]]]);

const settings: Readonly<Record<string, ReadonlyMap<string, unknown>>> = {
  'cache alone': new Map(),
  'no limit, no cut': negativeOf('negative {\n zone_limit off\n cut off\n}'),
  'with cut': negativeOf('negative {\n zone_limit off\n cut on\n}'),
  'with limit': negativeOf('negative {\n zone_limit 1000000\n cut off\n}'),
  'with both': negativeOf('negative {\n zone_limit 1000000\n cut on\n}'),
  'with prefetch': new Map([['prefetch', parseDirective(prefetch, 'prefetch')[0]]]),
};
for (const [chain, next] of Object.entries(chains)) {
  for (const [name, parts] of Object.entries(settings)) misses(`${chain}, ${name}`, parts, next);
}
