// The main thread's view of every thread's cells: series by name and labels, summed when somebody looks.
//
// A thread that ends leaves its counts behind in the series' base, so that a counter never goes back; its gauges go with it.
import type { Counter, Labels } from '../chain/services.js';
import { cellsOf, type MetricsNote, type MetricType, type SeriesNote } from './notes.js';

/** Series of all threads together; past it further ones are left out of scrapes and counted. */
export const MAX_SERIES = 500_000;

/** One line of a family: for a histogram the counts per bucket (not cumulative), the count above the last bound, and the sum. */
export interface MetricSample {
  readonly labels: Labels;
  readonly values: Float64Array;
  readonly buckets: readonly number[];
}

/** All series of a name, the name without the namespace. */
export interface MetricFamily {
  readonly name: string;
  readonly help: string;
  readonly type: MetricType;
  readonly samples: readonly MetricSample[];
}

/** What can be scraped. */
export interface MetricSource {
  /** Every family, with the sums of this moment. */
  families(): readonly MetricFamily[];
}

interface Part {
  readonly source: MetricThread;
  readonly cells: Float64Array;
  readonly offset: number;
}

interface Series {
  readonly labels: Labels;
  readonly buckets: readonly number[];
  readonly base: Float64Array;
  parts: Part[];
}

interface Family {
  readonly help: string;
  readonly type: MetricType;
  readonly series: Map<string, Series>;
}

/** The registry's end of one thread. */
export interface MetricThread {
  /** Takes in what the thread registered. */
  take(note: MetricsNote): void;
  /** The thread ended: keeps its counts, forgets its gauges. */
  close(): void;
}

export class MetricRegistry implements MetricSource {
  readonly #families = new Map<string, Family>();
  readonly #maxSeries: number;
  #seriesCount = 0;
  #refused: Counter | undefined;

  constructor(maxSeries = MAX_SERIES) {
    this.#maxSeries = maxSeries;
  }

  /** Counts from now on what is not taken in: series past the limit, or of another type than their name has. */
  set refused(counter: Counter) {
    this.#refused = counter;
  }

  addThread(): MetricThread {
    const pages: Float64Array[] = [];
    const thread: MetricThread = {
      take: (note) => {
        for (const memory of note.pages) pages.push(new Float64Array(memory));
        for (const series of note.series) {
          this.#add(thread, series, pages[series.page] as Float64Array);
        }
      },
      close: () => this.#fold(thread),
    };
    return thread;
  }

  families(): readonly MetricFamily[] {
    const names = [...this.#families.keys()].sort();
    return names.map((name): MetricFamily => {
      const { help, type, series } = this.#families.get(name) as Family;
      const samples = [...series.values()].map((s) => ({
        labels: s.labels,
        buckets: s.buckets,
        values: total(s),
      }));
      return { name, help, type, samples };
    });
  }

  #add(source: MetricThread, note: SeriesNote, cells: Float64Array): void {
    let family = this.#families.get(note.name);
    if (family === undefined) {
      family = { help: note.help, type: note.type, series: new Map() };
      this.#families.set(note.name, family);
    }
    const key = JSON.stringify([note.labels, note.buckets]);
    let series = family.series.get(key);
    if (family.type !== note.type || (!series && this.#seriesCount >= this.#maxSeries)) {
      this.#refused?.inc();
      return;
    }
    if (series === undefined) {
      const base = new Float64Array(cellsOf(note.type, note.buckets));
      series = { labels: note.labels, buckets: note.buckets, base, parts: [] };
      family.series.set(key, series);
      this.#seriesCount++;
    }
    series.parts.push({ source, cells, offset: note.offset });
  }

  #fold(source: MetricThread): void {
    for (const family of this.#families.values()) {
      for (const series of family.series.values()) {
        for (const part of series.parts) {
          if (part.source === source && family.type !== 'gauge') add(series.base, part);
        }
        series.parts = series.parts.filter((part) => part.source !== source);
      }
    }
  }
}

function total(series: Series): Float64Array {
  const values = series.base.slice();
  for (const part of series.parts) add(values, part);
  return values;
}

function add(to: Float64Array, part: Part): void {
  for (let i = 0; i < to.length; i++) {
    to[i] = (to[i] as number) + (part.cells[part.offset + i] as number);
  }
}
