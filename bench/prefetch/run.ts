// What does refreshing popular names gain, and cost? A home's week and an office's day through the real cache, with an upstream by a model and a clock that is
// set: no sockets, no wall clock, the same result in every run.
//
// Run: node dist/bench/prefetch/run.js [--only TEXT] [--variants REGEX].
import { parseArgs } from 'node:util';
import { homeDay, officeDay, type TimedTrace } from '../hitrate/day.js';
import { type Outcome, replay } from './replay.js';

interface Variant {
  readonly name: string;
  readonly cache: string;
  readonly prefetch: string;
}

const VARIANTS: readonly Variant[] = [
  { name: 'none', cache: 'cache', prefetch: '' },
  { name: 'as CoreDNS: 10 1m 10%', cache: 'cache {\n prefetch 10\n}', prefetch: '' },
  { name: 'on hits alone', cache: 'cache', prefetch: 'prefetch {\n timer off\n}' },
  { name: '*prefetch*', cache: 'cache', prefetch: 'prefetch' },
  { name: '*prefetch*, timer 25%', cache: 'cache', prefetch: 'prefetch {\n timer 25%\n}' },
  { name: '*prefetch*, timer 75%', cache: 'cache', prefetch: 'prefetch {\n timer 75%\n}' },
  { name: '*prefetch*, budget 1', cache: 'cache', prefetch: 'prefetch {\n budget 1\n}' },
];

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    variants: { type: 'string', default: '' },
  },
});

for (const make of [homeDay, officeDay]) {
  const trace = make();
  if (trace.name.includes(values.only)) show(trace);
}

function show(trace: TimedTrace): void {
  console.log(`\n${trace.name}: ${trace.ids.length} queries for ${trace.distinct} names\n`);
  console.log(
    '| refreshes | hit ratio | wait | mean ms | p99 ms | p99.9 ms | upstream queries | extra | most a second | on hits | on timer | of use | names | bytes each |',
  );
  console.log(`| --- |${' ---: |'.repeat(13)}`);
  let without: Outcome | undefined;
  for (const { name, cache, prefetch } of VARIANTS) {
    if (name !== 'none' && !new RegExp(values.variants).test(name)) continue;
    const outcome = replay(trace, cache, prefetch);
    without ??= outcome;
    console.log(`| ${[name, ...cells(outcome, without)].join(' | ')} |`);
  }
}

function cells(outcome: Outcome, without: Outcome): string[] {
  const { queries, hits, waits, asked, mostAsked, metrics, names, nameBytes } = outcome;
  const refreshes = (reason: string): number =>
    metrics.value('/prefetch_refreshes_total', { reason });
  const used = metrics.value('/prefetch_used_total');
  const unused = metrics.value('/prefetch_unused_total');
  const onHits = metrics.names.includes('/prefetch_used_total')
    ? refreshes('hit')
    : metrics.value('prefetch_total');
  return [
    `${((100 * hits) / queries).toFixed(2)} %`,
    `${(100 - (100 * hits) / queries).toFixed(2)} %`,
    (waits.reduce((sum, wait) => sum + wait, 0) / queries).toFixed(2),
    percentile(waits, 0.99),
    percentile(waits, 0.999),
    String(asked),
    `${((100 * (asked - without.asked)) / without.asked).toFixed(1)} %`,
    String(mostAsked),
    String(onHits),
    String(refreshes('timer')),
    used + unused === 0 ? '-' : `${((100 * used) / (used + unused)).toFixed(0)} %`,
    String(names),
    names === 0 ? '-' : (nameBytes / names).toFixed(1),
  ];
}

function percentile(sorted: Float32Array, share: number): string {
  return (sorted[Math.floor(sorted.length * share)] as number).toFixed(0);
}
