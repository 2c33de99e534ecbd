// Hot path. The cells one thread counts in: pages of shared memory that only this thread writes and the main thread reads.
//
//   page: | pad 8 | cell cell cell ... | pad 8 |      8 cells are one cache line, so no two threads ever write to the same line
//
// A single writer needs no atomics: an aligned 64-bit store is seen whole by the reader.
import type { Counter, Gauge, Histogram } from '../chain/services.js';
import type { MetricsNote, SeriesNote } from './notes.js';

/** Cells of a page, 8 KiB: a few pages hold what a usual configuration counts. */
export const PAGE_CELLS = 1024;

const PAD_CELLS = 8;

/** 260,000 cells, 2 MB a thread: past it something registers without bound, and memory matters more than its numbers. */
export const MAX_PAGES = 256;

/** Room for cells in a page. */
export interface Span {
  readonly cells: Float64Array;
  readonly page: number;
  readonly offset: number;
}

export class Slice {
  readonly #report: (note: MetricsNote) => void;
  readonly #maxPages: number;
  #cells: Float64Array | undefined;
  #pages = 0;
  #next = 0;
  #newPages: SharedArrayBuffer[] = [];
  #newSeries: SeriesNote[] = [];
  #isReporting = false;

  /** `report` gets what was registered, collected over one turn of the microtask queue. */
  constructor(report: (note: MetricsNote) => void, maxPages = MAX_PAGES) {
    this.#report = report;
    this.#maxPages = maxPages;
  }

  /** `count` cells in a row, all zero, `count` well below a page's; undefined when the slice is full. */
  allocate(count: number): Span | undefined {
    let cells = this.#cells;
    if (cells === undefined || this.#next + count > PAGE_CELLS - PAD_CELLS) {
      if (this.#pages === this.#maxPages) return undefined;
      cells = this.#addPage();
    }
    const offset = this.#next;
    this.#next += count;
    return { cells, page: this.#pages - 1, offset };
  }

  /** Lets the main thread know of a series. */
  announce(series: SeriesNote): void {
    this.#newSeries.push(series);
    this.#reportSoon();
  }

  #addPage(): Float64Array {
    const memory = new SharedArrayBuffer(PAGE_CELLS * Float64Array.BYTES_PER_ELEMENT);
    const cells = new Float64Array(memory);
    this.#cells = cells;
    this.#pages++;
    this.#next = PAD_CELLS;
    this.#newPages.push(memory);
    return cells;
  }

  #reportSoon(): void {
    if (this.#isReporting) return;
    this.#isReporting = true;
    queueMicrotask(() => this.flush());
  }

  /** Reports at once what waits; for a thread that is about to end. */
  flush(): void {
    this.#isReporting = false;
    if (this.#newSeries.length === 0) return;
    const note = { pages: this.#newPages, series: this.#newSeries };
    this.#newPages = [];
    this.#newSeries = [];
    this.#report(note);
  }
}

export class CounterCell implements Counter {
  readonly #cells: Float64Array;
  readonly #at: number;

  constructor(cells: Float64Array, at: number) {
    this.#cells = cells;
    this.#at = at;
  }

  inc(n = 1): void {
    this.#cells[this.#at] = (this.#cells[this.#at] as number) + n;
  }
}

export class GaugeCell implements Gauge {
  readonly #cells: Float64Array;
  readonly #at: number;

  constructor(cells: Float64Array, at: number) {
    this.#cells = cells;
    this.#at = at;
  }

  set(value: number): void {
    this.#cells[this.#at] = value;
  }

  inc(n = 1): void {
    this.#cells[this.#at] = (this.#cells[this.#at] as number) + n;
  }
}

/** Counts per bucket (not cumulative: that is the scrape's work), then +Inf, then the sum. */
export class HistogramCells implements Histogram {
  readonly #cells: Float64Array;
  readonly #at: number;
  readonly #bounds: Float64Array;

  constructor(cells: Float64Array, at: number, buckets: readonly number[]) {
    this.#cells = cells;
    this.#at = at;
    this.#bounds = Float64Array.from(buckets);
  }

  observe(value: number): void {
    const bounds = this.#bounds;
    const cells = this.#cells;
    let i = 0;
    // Most values fall into the first few buckets, where a walk beats halving.
    while (i < bounds.length && value > (bounds[i] as number)) i++;
    const bucket = this.#at + i;
    const sum = this.#at + bounds.length + 1;
    cells[bucket] = (cells[bucket] as number) + 1;
    cells[sum] = (cells[sum] as number) + value;
  }
}
