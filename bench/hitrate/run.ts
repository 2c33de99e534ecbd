// Which share of queries does the cache's replacement answer, beside LRU, LFU, ARC, S3-FIFO and SIEVE, on the same traces and with as many entries?
//
// Run: node dist/bench/hitrate/run.js [--only TEXT] [--fractions 0.01,0.05,0.2].
import { parseArgs } from 'node:util';
import { Arc } from './arc.js';
import { Lfu } from './lfu.js';
import { Lru } from './lru.js';
import type { Policy, PolicyMaker } from './policy.js';
import { S3Fifo } from './s3-fifo.js';
import { Sieve } from './sieve.js';
import { SlabPolicy } from './slab-policy.js';
import { TRACES, type Trace } from './traces.js';

/** Entries of a half of the cache where nothing else is configured. */
const DEFAULT_ENTRIES = 9984;

const OTHERS: Readonly<Record<string, PolicyMaker>> = {
  LRU: (capacity, names) => new Lru(capacity, names),
  LFU: (capacity, names) => new Lfu(capacity, names),
  ARC: (capacity, names) => new Arc(capacity, names),
  'S3-FIFO': (capacity, names) => new S3Fifo(capacity, names),
  SIEVE: (capacity, names) => new Sieve(capacity, names),
};

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    fractions: { type: 'string', default: '0.01,0.05,0.2' },
  },
});

const rows: string[] = [];
const doubled: string[] = [];
let worst = 0;
for (const [name, make] of Object.entries(TRACES)) {
  if (!name.includes(values.only)) continue;
  const trace = make();
  for (const capacity of capacitiesFor(trace)) compare(trace, capacity);
}
console.log(
  `\n| trace | entries | ${Object.keys(OTHERS).join(' | ')} | cache | to the best | shards | in one |`,
);
console.log(`| --- | ---: |${' ---: |'.repeat(Object.keys(OTHERS).length + 4)}`);
for (const row of rows) console.log(row);
console.log(`\nfurthest below the best: ${worst.toFixed(2)}`);
console.log(
  '\n| trace | entries | hit ratio | of twice the entries | gained | as the ghosts say | of what was gained |',
);
console.log('| --- | ---: | ---: | ---: | ---: | ---: | ---: |');
for (const row of doubled) console.log(row);

function capacitiesFor({ name, distinct }: Trace): number[] {
  const fractions = values.fractions.split(',').map(Number);
  const capacities = fractions.map((fraction) => Math.floor(distinct * fraction));
  if (/home|office/.test(name)) capacities.push(DEFAULT_ENTRIES);
  return capacities;
}

function compare(trace: Trace, capacity: number): void {
  const others = Object.values(OTHERS).map((make) => ratio(make(capacity, trace.names), trace));
  const cache = new SlabPolicy(capacity);
  const own = ratio(cache, trace);
  const { shards } = cache.writer;
  const inOne = shards === 1 ? own : ratio(new SlabPolicy(capacity, 1), trace);
  const toBest = own - Math.max(...others);
  worst = Math.min(worst, toBest);
  const cells = [...others, own, toBest].map((value) => value.toFixed(2));
  rows.push(row(trace.name, capacity, ...cells, shards, inOne.toFixed(2)));

  const twice = ratio(new SlabPolicy(2 * capacity), trace);
  const said = (100 * cache.writer.nearGhostHits) / trace.ids.length;
  const share = twice - own < 0.005 ? '-' : (said / (twice - own)).toFixed(2);
  const gains = [own, twice, twice - own, said].map((value) => value.toFixed(2));
  doubled.push(row(trace.name, capacity, ...gains, share));
}

/** Hits in percent. */
function ratio(policy: Policy, { ids }: Trace): number {
  let hits = 0;
  for (const id of ids) if (policy.access(id)) hits++;
  return (100 * hits) / ids.length;
}

function row(...cells: (string | number)[]): string {
  return `| ${cells.join(' | ')} |`;
}
