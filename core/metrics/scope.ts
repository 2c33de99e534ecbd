// Metrics of one thread by name and labels: registering twice gives the same cells.
import type { Counter, Gauge, Histogram, Labels, Logger, Metrics } from '../chain/services.js';
import { cellsOf, type MetricType } from './notes.js';
import { CounterCell, GaugeCell, HistogramCells, type Slice } from './slice.js';

const NAME = /^[a-z_][a-z0-9_]*$/;
const LABEL = /^[a-z_][a-z0-9_]*$/i;

/** Each bucket is a series of its own wherever the metrics are stored; it also has to fit in a page. */
const MAX_BUCKETS = 64;

type Cell = CounterCell | GaugeCell | HistogramCells;

/** Every series of a thread. One per thread; `scope` gives each plugin its view. */
export class ThreadMetrics {
  readonly #slice: Slice;
  readonly #onFull: (name: string) => void;
  readonly #cells = new Map<string, Cell>();
  readonly #types = new Map<string, MetricType>();
  readonly #dropped: Counter;
  #isFull = false;

  /** `onFull` is told the first name for which there was no room. */
  constructor(slice: Slice, onFull: (name: string) => void) {
    this.#slice = slice;
    this.#onFull = onFull;
    this.#dropped = this.scope('server').counter(
      'metrics_series_dropped_total',
      'Series not counted because the memory for metrics is full.',
    );
  }

  /**
   * Metrics named `PLUGIN_NAME`; a name with a leading slash stands for itself, without the plugin's name. The namespace is put in front of
   * either when they are shown.
   */
  scope(plugin: string): Metrics {
    const full = (name: string): string =>
      name.startsWith('/') ? name.slice(1) : `${plugin}_${name}`;
    return {
      counter: (name, help, labels = {}): Counter =>
        this.#cell(full(name), help, 'counter', [], labels) as CounterCell,
      gauge: (name, help, labels = {}): Gauge =>
        this.#cell(full(name), help, 'gauge', [], labels) as GaugeCell,
      histogram: (name, help, buckets, labels = {}): Histogram =>
        this.#cell(full(name), help, 'histogram', buckets, labels) as HistogramCells,
    };
  }

  #cell(
    name: string,
    help: string,
    type: MetricType,
    buckets: readonly number[],
    labels: Labels,
  ): Cell {
    const key = `${name} ${JSON.stringify(labels)}`;
    const known = this.#types.get(name);
    if (known !== undefined && known !== type) {
      throw new Error(`metric ${name} is a ${known}, it cannot be a ${type} too`);
    }
    const existing = this.#cells.get(key);
    if (existing !== undefined) return existing;
    checkNames(name, labels);
    checkBuckets(name, buckets);
    const cell = this.#make(name, help, type, buckets, labels);
    if (this.#isFull) return cell;
    this.#types.set(name, type);
    this.#cells.set(key, cell);
    return cell;
  }

  #make(
    name: string,
    help: string,
    type: MetricType,
    buckets: readonly number[],
    labels: Labels,
  ): Cell {
    const count = cellsOf(type, buckets);
    const span = this.#isFull ? undefined : this.#slice.allocate(count);
    if (span === undefined) {
      this.#drop(name);
      return cellOver(type, new Float64Array(count), 0, buckets);
    }
    const { page, offset } = span;
    this.#slice.announce({ name, help, type, labels, buckets, page, offset });
    return cellOver(type, span.cells, offset, buckets);
  }

  #drop(name: string): void {
    this.#dropped.inc();
    if (this.#isFull) return;
    this.#isFull = true;
    this.#onFull(name);
  }
}

/** Metrics of a thread that say in its log when their memory is full. */
export function threadMetrics(slice: Slice, log: Logger): ThreadMetrics {
  return new ThreadMetrics(slice, (name) =>
    log.warning(`no room for metric ${name}: it and further new series are not counted`),
  );
}

function cellOver(
  type: MetricType,
  cells: Float64Array,
  at: number,
  buckets: readonly number[],
): Cell {
  if (type === 'histogram') return new HistogramCells(cells, at, buckets);
  return type === 'gauge' ? new GaugeCell(cells, at) : new CounterCell(cells, at);
}

function checkNames(name: string, labels: Labels): void {
  if (!NAME.test(name)) throw new Error(`"${name}" is no metric name, want ${NAME.source}`);
  for (const label of Object.keys(labels)) {
    if (!LABEL.test(label)) throw new Error(`metric ${name}: "${label}" is no label name`);
  }
}

function checkBuckets(name: string, buckets: readonly number[]): void {
  if (buckets.length > MAX_BUCKETS) {
    throw new Error(`metric ${name}: ${buckets.length} buckets, want at most ${MAX_BUCKETS}`);
  }
  for (let i = 1; i < buckets.length; i++) {
    if ((buckets[i] as number) <= (buckets[i - 1] as number)) {
      throw new Error(`metric ${name}: buckets must ascend`);
    }
  }
}
