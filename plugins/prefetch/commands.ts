// `heimdall prefetch`: the names that were learnt, with their popularity.
import { CommandError, formatName, type Row, typeName } from '../../core/plugin.js';
import type { NameTable } from './name-table.js';
import { WHOLE } from './popularity.js';

export const PREFETCH_HELP = 'list [N]';

/** Rows unless said otherwise. */
const ROWS = 100;

/** A key as *cache* makes it: see plugins/cache/key.ts. */
const FLAGS = [
  [1, 'DO'],
  [2, 'CD'],
  [4, 'RD'],
] as const;

/** A name by its place, with what the table is sorted by. */
interface Place {
  readonly bucket: number;
  readonly tag: number;
  readonly expected: number;
  readonly peak: number;
}

export class PrefetchCommands {
  readonly #names: NameTable;
  readonly #now: () => number;
  readonly #period: () => number;
  readonly #ticksPerSecond: number;

  /** `now` gives the tick of this moment, `period` the period of the day. */
  constructor(names: NameTable, now: () => number, period: () => number, ticksPerSecond: number) {
    this.#names = names;
    this.#now = now;
    this.#period = period;
    this.#ticksPerSecond = ticksPerSecond;
  }

  /** Carries out `heimdall prefetch ARGS...`. */
  readonly run = (args: readonly string[]): Iterable<Row> => {
    const [verb, count, more] = args;
    if (verb !== 'list') throw new CommandError(`prefetch: want ${PREFETCH_HELP}`);
    if (more !== undefined) throw new CommandError(`prefetch: unexpected "${more}"`);
    if (count !== undefined && !/^[1-9]\d{0,6}$/.test(count)) {
      throw new CommandError(`prefetch list: want a number of names, not "${count}"`);
    }
    return this.#list(count === undefined ? ROWS : Number(count));
  };

  *#list(count: number): Generator<Row, void> {
    const places = this.#places();
    places.sort((one, other) => other.expected - one.expected || other.peak - one.peak);
    const names = this.#names;
    for (const { bucket, tag } of places.slice(0, count)) {
      const period = this.#period();
      if (!names.read(bucket, tag, period)) continue;
      const { popularity, a, b } = names;
      const left = (names.end - names.lead - this.#now()) | 0;
      yield {
        name: formatName(new Uint8Array(names.name.buffer, 0), 0),
        type: typeName(a >>> 16),
        flags: FLAGS.flatMap(([bit, flag]) => ((b & bit) === 0 ? [] : flag)).join(' '),
        popularity: percent(popularity.expected),
        late: percent(popularity.late),
        day: popularity.shares.map(percent).join(' '),
        lifetime: Math.round(popularity.lifetime),
        refresh: popularity.isArmed ? Math.max(0, Math.round(left / this.#ticksPerSecond)) : null,
      };
    }
  }

  #places(): Place[] {
    const names = this.#names;
    const period = this.#period();
    const places: Place[] = [];
    const visit = (tag: number): boolean => {
      const { expected, peak } = names.popularity;
      places.push({ bucket: names.bucket.opened, tag, expected, peak });
      return false;
    };
    for (let i = 0; i < names.bucket.count; i++) names.visit(i, period, visit);
    return places;
  }
}

function percent(share: number): number {
  return Math.round((100 * share) / WHOLE);
}
