// What *dedupe* costs a query that nobody joins, alone and with other workers, with few and with many questions in flight, and one that joins.
import { type Next, type Query, type ReplySink, TIMERS } from '../../core/plugin.js';
import { FakeClock, FakeTimers, fakeServices, makeQuery } from '../../core/testing.js';
import { allocateDedupe } from '../../plugins/dedupe/control.js';
import { DedupeHandler } from '../../plugins/dedupe/dedupe.js';
import { measure } from './rounds.js';

const CALLS = 300_000;

const sink: ReplySink = { deliver() {}, fault() {} };
const out = new Uint8Array(4096);

function query(name: string): Query {
  const q = makeQuery(name, 'A', { udpSize: 1232 }, sink);
  q.out = out;
  return q;
}

const answer = query('answer.example.org').replyRcode(0).copy();
const next: Next = (q) => q.defer();

function newHandler(inFlight: number, workers = 1): DedupeHandler {
  const clock = new FakeClock();
  const timers = new FakeTimers(clock);
  const handler = new DedupeHandler(
    { waiters: 10_000, timeoutMs: 6000 },
    allocateDedupe(workers),
    fakeServices({ clock, workers, tokens: [[TIMERS, timers]] }),
  );
  for (let i = 0; i < inFlight; i++) void handler.serve(query(`other${i}.example.org`), next);
  return handler;
}

function settle(q: Query): number {
  q.settle(q.replyWire(answer.wire, answer.length, 0));
  return q.length;
}

const queries = Array.from({ length: 1000 }, (_, i) => query(`www${i}.some-zone.example.org`));
measure('defer and settle alone', CALLS, (calls) => {
  let sum = 0;
  for (let i = 0; i < calls; i++) {
    const q = queries[i % 1000] as Query;
    void next(q);
    sum += settle(q);
  }
  return sum;
});

for (const [inFlight, workers] of [
  [0, 1],
  [10_000, 1],
  [0, 2],
  [10_000, 2],
] as const) {
  const handler = newHandler(inFlight, workers);
  measure(`dedupe, ${workers} workers, ${inFlight} in flight`, CALLS, (calls) => {
    let sum = 0;
    for (let i = 0; i < calls; i++) {
      const q = queries[i % 1000] as Query;
      void handler.serve(q, next);
      sum += settle(q);
    }
    return sum;
  });
}

const joining = newHandler(0);
const same = Array.from({ length: 1000 }, () => query('www.some-zone.example.org'));
measure('a query that joins one in flight', CALLS, (calls) => {
  let sum = 0;
  for (let i = 0; i < calls; i += 1000) {
    for (const q of same) void joining.serve(q, next);
    sum += settle(same[0] as Query);
  }
  return sum;
});
