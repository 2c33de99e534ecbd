// What the server offers to a plugin: interfaces only. The container makes them; nothing is resolved per query.

/** Lines for the operator: `[LEVEL] plugin/NAME: text`. Debug lines appear only with the *debug* plugin. */
export interface Logger {
  debug(text: string): void;
  info(text: string): void;
  warning(text: string): void;
  error(text: string): void;
  /** The text as it is behind `[INFO] `, without the plugin's name: for query logs. */
  line(text: string): void;
}

/**
 * The worker's coarse clock: refreshed once per batch and at every timer tick, the same time base in all workers. Tests advance it.
 */
export interface Clock {
  /** Monotonic milliseconds since an arbitrary point, with fraction. Never goes back. */
  readonly nowMs: number;
  /** Brings it up to date: for what begins with an event of a plugin's own, not with a query, a reply or a timer. */
  refresh?(): unknown;
  /** The same, unless it was read in this callback of the event loop: what belongs to a batch counts from its beginning. */
  freshen?(): unknown;
}

/** Coarse timers of a worker, for many short time-outs: a timer costs a few array writes and fires up to 10 ms late, never early. */
export interface Timers {
  /** Calls `fire(arg)` after `delayMs`; gives a handle for `cancel`. `fire` should be one function for all timers of a kind, `arg` an integer of 32 bits. */
  start(delayMs: number, fire: (arg: number) => void, arg: number): number;
  /** Takes a timer back; a handle that fired or was taken back already is ignored. */
  cancel(handle: number): void;
}

/** Labels in the order they are printed. Bounded values only: never a qname. */
export type Labels = Readonly<Record<string, string>>;

export interface Counter {
  /** Adds `n`, 1 by default. One addition to a shared cell: fit for the hot path. */
  inc(n?: number): void;
}

export interface Gauge {
  set(value: number): void;
  inc(n?: number): void;
}

export interface Histogram {
  observe(value: number): void;
}

/**
 * Registers metrics as `NAMESPACE_PLUGIN_NAME`. Call in `setup`, once per label set; the same name and labels give the same cell.
 * Values are summed over workers when scraped (gauges too: set a share or set it in one place).
 */
export interface Metrics {
  counter(name: string, help: string, labels?: Labels): Counter;
  gauge(name: string, help: string, labels?: Labels): Gauge;
  /** `buckets` are upper bounds in ascending order, +Inf is added. */
  histogram(name: string, help: string, buckets: readonly number[], labels?: Labels): Histogram;
}

/** Configurations of directives by their names. */
export type Parts = ReadonlyMap<string, unknown>;

/** The server block a handler belongs to. */
export interface BlockInfo {
  /** Zones in wire order of the block's keys, lower case, with final dot; `q.zone` is an index into it. */
  readonly zones: readonly string[];
  /** Name of the block's view, '' without one. */
  readonly view: string;
  /** Names of the plugins in chain order; `q.depth` is an index into it. */
  readonly plugins: readonly string[];
  /** Indices in `servers` of the listeners that serve this block. */
  readonly listeners: readonly number[];
  /** 32-bit hash of the configuration that answers come from: zones, view and everything below this handler in the chain. */
  readonly fingerprint: number;
  /** Directory that relative file names start from (*root*; else the working directory). */
  readonly root: string;
  /** Configurations of the block's directives that are part of this plugin, by their names. */
  readonly parts: Parts;
}

/** A typed name for something in the container. */
export interface Token<T> {
  readonly symbol: symbol;
  /** Only carries the type. */
  readonly type?: T;
}

/** Makes a token; `name` shows up in error messages. */
export function token<T>(name: string): Token<T> {
  return { symbol: Symbol(name) };
}

export interface Services {
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly block: BlockInfo;
  /** Every listener of the process as CoreDNS writes it, `dns://127.0.0.1:53`; `q.server` is an index into it. */
  readonly servers: readonly string[];
  /** Index of this worker, 0 to `workers` - 1. A replaced worker keeps its index. */
  readonly worker: number;
  readonly workers: number;
  /** What the plugin's control part published last for this instance, `undefined` without a control part. */
  readonly published: unknown;
  /** Something else of the worker, by token; throws when there is none. */
  get<T>(token: Token<T>): T;
}

/** The same for the control part, in the main thread. */
export interface ControlServices {
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly block: BlockInfo;
  readonly servers: readonly string[];
  readonly workers: number;
  /**
   * Gives every worker's handler of this occurrence something newer than `published` or what was published before: plain data and SharedArrayBuffers, as
   * they are now. Resolves when all have it (`Handler.onPublished`), or something newer still; at once before the workers begin. Rejects when it is
   * more than data.
   */
  publish(value: unknown): Promise<void>;
  get<T>(token: Token<T>): T;
}
