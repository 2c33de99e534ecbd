// What a thread tells the main thread about its metrics: plain data, once per page and series, never per value.

export type MetricType = 'counter' | 'gauge' | 'histogram';

/** A series that was registered: where its cells are and how it is called, without the namespace. */
export interface SeriesNote {
  readonly name: string;
  readonly help: string;
  readonly type: MetricType;
  readonly labels: Readonly<Record<string, string>>;
  /** Upper bounds of a histogram's buckets, ascending, without +Inf; empty otherwise. */
  readonly buckets: readonly number[];
  /** Index of the page among those the thread reported. */
  readonly page: number;
  /** First cell in the page. */
  readonly offset: number;
}

/** News of one thread: pages it began (in order) and series it put into them. */
export interface MetricsNote {
  readonly pages: readonly SharedArrayBuffer[];
  readonly series: readonly SeriesNote[];
}

/** Cells a series takes: one, or for a histogram one per bucket, one for +Inf and one for the sum. */
export function cellsOf(type: MetricType, buckets: readonly number[]): number {
  return type === 'histogram' ? buckets.length + 2 : 1;
}
