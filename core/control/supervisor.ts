// Keeps the workers alive: starts them together, replaces one that ends by itself or hangs, stops them in order.
//
// A worker that dies after having served for a while is replaced at once. One that keeps dying is replaced at growing intervals, so that a
// crash loop does not eat the processor the other workers need. Its sockets stay open meanwhile; what arrives there waits for its successor.
import type { Counter, Logger } from '../chain/services.js';
import type { MetricRegistry, MetricThread } from '../metrics/registry.js';
import { loadLibc } from '../system/libc.js';
import type { WorkerTask } from './messages.js';
import { type WorkerEnd, WorkerHandle } from './worker-handle.js';

/** A worker that lived this long is healthy: its death starts a new count. */
const STABLE_MS = 10_000;

/** The first replacement comes at once, the second after this long, then twice as long each time up to the limit. */
const FIRST_DELAY_MS = 250;
const MAX_DELAY_MS = 8_000;

/**
 * A worker whose event loop has not turned for so many checks hangs: its clients get no answer, and the kernel keeps sending them to it. Checks are
 * counted, not time, so that a process that was halted (a debugger, a snapshot of its machine) finds its workers alive.
 */
const CHECK_MS = 2_000;
const CHECKS_UNTIL_HUNG = 5;

/** How long a worker may take to end in order once it is drained: plugins save what they have. */
const STOP_LIMIT_MS = 1_000;

export interface SupervisorOptions {
  /** Between two checks whether the workers live; for tests. */
  readonly checkMs?: number;
  /** One for each worker to be, already loading. */
  readonly handles: readonly WorkerHandle[];
  readonly registry: MetricRegistry;
  readonly log: Logger;
  /** Counts replaced workers. */
  readonly restarts: Counter;
  /** Counts published values that a worker never got because a newer one was there first. */
  readonly skipped: Counter;
  /** Takes whole lines of the workers' logs. */
  onLines(text: string): void;
  /** A worker died; called before its successor starts. */
  onExit(worker: number): void;
}

/** One place for a worker, with whoever fills it now. */
interface Seat {
  readonly worker: number;
  handle: WorkerHandle;
  metrics: MetricThread;
  startedMs: number;
  /** Deaths in a row. */
  deaths: number;
  restart: NodeJS.Timeout | undefined;
}

export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #seats: Seat[] = [];
  #taskFor: ((worker: number) => WorkerTask) | undefined;
  #isStopping = false;
  readonly #check: NodeJS.Timeout;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    // While any thread has koffi loaded its code stays mapped. With the last one gone, libuv would call into nothing when it closes the handles of
    // a worker that was ended by force: so the main thread keeps it.
    loadLibc();
    for (const handle of options.handles) this.#seats.push(this.#seat(handle));
    this.#check = setInterval(() => this.#lookAfter(), options.checkMs ?? CHECK_MS).unref();
  }

  /** Gives every worker its task; resolves when all serve, rejects with the first reason why one cannot. */
  async start(taskFor: (worker: number) => WorkerTask): Promise<void> {
    this.#taskFor = taskFor;
    await Promise.all(this.#seats.map((seat) => this.#begin(seat)));
  }

  /** Per server block, names of plugins that are not ready in some worker; undefined when some worker does not run or does not answer. */
  async notReady(): Promise<readonly (readonly string[])[] | undefined> {
    const answers = await Promise.all(this.#seats.map((seat) => seat.handle.notReady()));
    const blocks: Set<string>[] = [];
    for (const answer of answers) {
      if (answer === undefined) return undefined;
      for (const [i, names] of answer.entries()) {
        blocks[i] = new Set([...(blocks[i] ?? []), ...names]);
      }
    }
    return blocks.map((names) => [...names].sort());
  }

  /** Gives every worker that has its task what a control part published; resolves when all took it or ended. */
  async publish(key: string, value: unknown): Promise<void> {
    await Promise.all(this.#seats.map((seat) => seat.handle.publish(key, value)));
  }

  /** Takes no more queries and waits for those in flight, `limitMs` at most. Dead workers are not replaced any more. */
  async drain(limitMs: number): Promise<void> {
    this.#dismiss();
    await Promise.all(this.#seats.map((seat) => seat.handle.drain(limitMs)));
  }

  /** Ends every worker, by force if need be. */
  async stop(): Promise<void> {
    this.#dismiss();
    await Promise.all(this.#seats.map((seat) => seat.handle.stop(STOP_LIMIT_MS)));
  }

  /** From here on nobody is replaced. */
  #dismiss(): void {
    this.#isStopping = true;
    clearInterval(this.#check);
    for (const seat of this.#seats) clearTimeout(seat.restart);
  }

  #lookAfter(): void {
    for (const { handle } of this.#seats) {
      if (handle.ping() >= CHECKS_UNTIL_HUNG) handle.kill('it does not respond');
    }
  }

  #seat(handle: WorkerHandle): Seat {
    const metrics = this.#options.registry.addThread();
    return {
      worker: handle.worker,
      metrics,
      handle,
      startedMs: performance.now(),
      deaths: 0,
      restart: undefined,
    };
  }

  async #begin(seat: Seat): Promise<void> {
    const task = this.#taskFor?.(seat.worker);
    if (task === undefined) return;
    await seat.handle.start(task, {
      onLines: (text) => this.#options.onLines(text),
      onMetrics: (note) => seat.metrics.take(note),
      onSkipped: () => this.#options.skipped.inc(),
      onEnd: (end) => this.#onEnd(seat, end),
    });
    seat.startedMs = performance.now();
  }

  #onEnd(seat: Seat, { reason }: WorkerEnd): void {
    const { log, onExit } = this.#options;
    seat.metrics.close();
    if (this.#isStopping) return;
    onExit(seat.worker);
    seat.deaths = performance.now() - seat.startedMs < STABLE_MS ? seat.deaths + 1 : 1;
    const delayMs = restartDelayMs(seat.deaths);
    const when = delayMs === 0 ? 'now' : `in ${delayMs / 1000} s`;
    log.error(`worker ${seat.worker} ended: ${reason}; it is replaced ${when}`);
    seat.restart = setTimeout(() => void this.#replace(seat), delayMs);
  }

  async #replace(seat: Seat): Promise<void> {
    const { worker, deaths } = seat;
    const next = { ...this.#seat(new WorkerHandle(worker)), deaths };
    this.#seats[worker] = next;
    this.#options.restarts.inc();
    try {
      await this.#begin(next);
      if (!this.#isStopping) this.#options.log.info(`worker ${worker} serves again`);
    } catch (error) {
      await next.handle.stop(STOP_LIMIT_MS);
      this.#onEnd(next, { reason: (error as Error).message });
    }
  }
}

/** How long to wait before the worker that died `deaths` times in a row is replaced. */
export function restartDelayMs(deaths: number): number {
  if (deaths <= 1) return 0;
  return Math.min(FIRST_DELAY_MS * 2 ** (deaths - 2), MAX_DELAY_MS);
}
