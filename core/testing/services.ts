// Services for a handler under test: log lines are kept, metrics can be read back.
import type {
  BlockInfo,
  Clock,
  Counter,
  Gauge,
  Histogram,
  Labels,
  Logger,
  Metrics,
  Services,
  Token,
} from '../chain/services.js';
import { createSignal } from '../container/signal.js';
import { COMMANDS, UPSTREAM_CHANGES } from '../container/tokens.js';
import { FakeClock } from './clock.js';
import { FakeCommands } from './commands.js';

export interface FakeServicesOptions {
  readonly clock?: Clock;
  readonly block?: Partial<BlockInfo>;
  readonly servers?: readonly string[];
  readonly worker?: number;
  readonly workers?: number;
  readonly published?: unknown;
  /** What `get` gives: pairs of token and value. */
  readonly tokens?: readonly (readonly [Token<never> | Token<unknown>, unknown])[];
}

/** Metrics in a map; `value('hits_total', { type: 'success' })` sums the cells whose labels include these. */
export class FakeMetrics implements Metrics {
  readonly #cells: { name: string; labels: Labels; value: number }[] = [];

  counter(name: string, _help: string, labels: Labels = {}): Counter {
    const cell = this.#cell(name, labels);
    return {
      inc: (n = 1) => {
        cell.value += n;
      },
    };
  }

  gauge(name: string, _help: string, labels: Labels = {}): Gauge {
    const cell = this.#cell(name, labels);
    return {
      set: (value) => {
        cell.value = value;
      },
      inc: (n = 1) => {
        cell.value += n;
      },
    };
  }

  /** Counts observations; their sum is under `NAME_sum`. */
  histogram(
    name: string,
    _help: string,
    _buckets: readonly number[],
    labels: Labels = {},
  ): Histogram {
    const count = this.#cell(name, labels);
    const sum = this.#cell(`${name}_sum`, labels);
    return {
      observe: (value) => {
        count.value++;
        sum.value += value;
      },
    };
  }

  value(name: string, labels: Labels = {}): number {
    let sum = 0;
    for (const cell of this.#cells) {
      const matches = Object.entries(labels).every(([key, value]) => cell.labels[key] === value);
      if (cell.name === name && matches) sum += cell.value;
    }
    return sum;
  }

  /** Names of everything registered. */
  get names(): readonly string[] {
    return [...new Set(this.#cells.map((cell) => cell.name))];
  }

  #cell(name: string, labels: Labels): { name: string; labels: Labels; value: number } {
    const key = JSON.stringify(labels);
    const known = this.#cells.find((c) => c.name === name && JSON.stringify(c.labels) === key);
    if (known !== undefined) return known;
    const cell = { name, labels, value: 0 };
    this.#cells.push(cell);
    return cell;
  }
}

export type FakeServices = Services & {
  readonly metrics: FakeMetrics;
  readonly lines: string[];
  readonly commands: FakeCommands;
  /** What was published, first to last. */
  readonly publications: unknown[];
  publish(value: unknown): Promise<void>;
};

/**
 * Services with a fake clock unless told otherwise; `lines` has what was logged, as `level text`, and `commands` runs the commands that were added.
 */
export function fakeServices(options: FakeServicesOptions = {}): FakeServices {
  const lines: string[] = [];
  const commands = new FakeCommands();
  const publications: unknown[] = [];
  const changes = createSignal((error) => lines.push(`fault ${String(error)}`));
  const keep =
    (level: string) =>
    (text: string): void => {
      lines.push(level === '' ? text : `${level} ${text}`);
    };
  const log: Logger = {
    debug: keep('debug'),
    info: keep('info'),
    warning: keep('warning'),
    error: keep('error'),
    line: keep(''),
  };
  return {
    log,
    lines,
    commands,
    publications,
    publish: async (value) => {
      publications.push(structuredClone(value));
    },
    metrics: new FakeMetrics(),
    clock: options.clock ?? new FakeClock(),
    block: {
      zones: ['.'],
      view: '',
      plugins: [],
      listeners: [0],
      fingerprint: 1,
      root: process.cwd(),
      parts: new Map(),
      ...options.block,
    },
    servers: options.servers ?? ['dns://:53'],
    worker: options.worker ?? 0,
    workers: options.workers ?? 1,
    published: options.published,
    get<T>(token: Token<T>): T {
      const found = options.tokens?.find(([known]) => known.symbol === token.symbol);
      if (found === undefined && token.symbol === COMMANDS.symbol) return commands as T;
      if (found === undefined && token.symbol === UPSTREAM_CHANGES.symbol) return changes as T;
      if (found === undefined) throw new Error(`no ${String(token.symbol.description)} here`);
      return found[1] as T;
    },
  };
}
