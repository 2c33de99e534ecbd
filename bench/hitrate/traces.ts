// What is asked for, name by name: traces made from a seed, the same in every run. Names are numbers.
import { createRandom, zipfDraw } from '../lib/draw.js';
import { homeDay, officeDay } from './day.js';

export interface Trace {
  readonly name: string;
  readonly ids: Uint32Array;
  /** All are below. */
  readonly names: number;
  /** How many of them occur. */
  readonly distinct: number;
}

const QUERIES = 1_000_000;
const NAMES = 100_000;

export const TRACES: Readonly<Record<string, () => Trace>> = {
  'zipf 0.7': () => zipf(0.7),
  'zipf 0.9': () => zipf(0.9),
  'zipf 1.1': () => zipf(1.1),
  'zipf and scans': zipfWithScans,
  'zipf and one-time names': zipfWithNoise,
  'shifting set': shifting,
  'drifting ranks': drifting,
  'short-lived names': shortLived,
  'zipf and short-lived names': zipfWithShortLived,
  loop: () => loops([20_000]),
  loops: () => loops([500, 2500, 12_000, 60_000]),
  'zipf and loop': zipfWithLoop,
  'home, a week': homeDay,
  'office, a day': officeDay,
};

function traceOf(name: string, ids: Uint32Array): Trace {
  let names = 0;
  for (const id of ids) names = Math.max(names, id + 1);
  const seen = new Uint8Array(names);
  let distinct = 0;
  for (const id of ids) {
    if (seen[id] === 0) distinct++;
    seen[id] = 1;
  }
  return { name, ids, names, distinct };
}

/** The same popularity throughout. */
function zipf(exponent: number): Trace {
  return traceOf(`zipf ${exponent}`, zipfDraw(NAMES, exponent, 1, QUERIES));
}

/** Every 50,000 queries somebody goes through 10,000 names in a row: the same ones each time, most of them otherwise unpopular. */
function zipfWithScans(): Trace {
  const ids = zipfDraw(NAMES, 0.9, 2, QUERIES);
  for (let at = 40_000; at < QUERIES; at += 50_000) {
    for (let i = 0; i < 10_000; i++) ids[at + i] = NAMES + i;
  }
  return traceOf('zipf and scans', ids);
}

/** Every third query is for a name that is never asked for again. */
function zipfWithNoise(): Trace {
  const ids = zipfDraw(NAMES, 0.9, 3, QUERIES);
  for (let at = 0; at < QUERIES; at += 3) ids[at] = NAMES + at / 3;
  return traceOf('zipf and one-time names', ids);
}

/** Every 100,000 queries the popular names are others. */
function shifting(): Trace {
  const ids = zipfDraw(NAMES, 0.9, 4, QUERIES);
  for (let at = 0; at < QUERIES; at++) {
    ids[at] = ((ids[at] as number) + Math.floor(at / 100_000) * 10_007) % NAMES;
  }
  return traceOf('shifting set', ids);
}

/** Ranks move on by one name every 20 queries: today's most popular name is nothing tomorrow. */
function drifting(): Trace {
  const ids = zipfDraw(NAMES, 0.9, 5, QUERIES);
  for (let at = 0; at < QUERIES; at++) {
    ids[at] = ((ids[at] as number) + Math.floor(at / 20)) % NAMES;
  }
  return traceOf('drifting ranks', ids);
}

/** Names that are asked for two to five times within some 10,000 queries and never again. */
function shortLived(): Trace {
  return traceOf('short-lived names', shortLivedIds(QUERIES, 0));
}

/** Half of the queries are for such names, half have a Zipf law. */
function zipfWithShortLived(): Trace {
  const ids = zipfDraw(NAMES, 0.9, 8, QUERIES);
  const others = shortLivedIds(QUERIES / 2, NAMES);
  for (let i = 0; i < others.length; i++) ids[2 * i] = others[i] as number;
  return traceOf('zipf and short-lived names', ids);
}

function shortLivedIds(count: number, first: number): Uint32Array {
  const random = createRandom(9);
  const times: number[] = [];
  const names: number[] = [];
  for (let id = first; times.length < count; id++) {
    const born = (times.length / count) * (count - 10_000);
    for (let uses = 2 + Math.floor(random() * 4); uses > 0; uses--) {
      times.push(born + random() * 10_000);
      names.push(id);
    }
  }
  const order = times.map((_, i) => i).sort((a, b) => (times[a] as number) - (times[b] as number));
  return Uint32Array.from({ length: count }, (_, i) => names[order[i] as number] as number);
}

/** Loops of these lengths; which one goes a step further is drawn evenly. */
function loops(lengths: readonly number[]): Trace {
  const random = createRandom(6);
  const starts: number[] = [];
  let names = 0;
  for (const length of lengths) {
    starts.push(names);
    names += length;
  }
  const steps = lengths.map(() => 0);
  const ids = Uint32Array.from({ length: QUERIES }, () => {
    const i = Math.floor(random() * lengths.length);
    const step = steps[i] as number;
    steps[i] = step + 1;
    return (starts[i] as number) + (step % (lengths[i] as number));
  });
  return traceOf(lengths.length === 1 ? 'loop' : 'loops', ids);
}

/** Two of three queries have a Zipf law, the third goes round a loop. */
function zipfWithLoop(): Trace {
  const ids = zipfDraw(NAMES, 0.9, 7, QUERIES);
  for (let at = 0; at < QUERIES; at += 3) ids[at] = NAMES + ((at / 3) % 15_000);
  return traceOf('zipf and loop', ids);
}
