// The main thread's end of one worker thread: starts it, asks it, ends it, and tells when it ended by itself.
import { Worker } from 'node:worker_threads';
import { allocateCells } from '../memory/cells.js';
import type { MetricsNote } from '../metrics/notes.js';
import { ownFile } from '../places.js';
import { muffle } from '../system/muffle.js';
import { Deliveries } from './deliveries.js';
import type { FromWorker, ToWorker, WorkerSetup, WorkerTask } from './messages.js';
import { taken } from './posted-output.js';

/** What a worker that has not answered by then is taken to be: not ready. */
const READINESS_LIMIT_MS = 500;

/** How a thread ended that was not asked to. */
export interface WorkerEnd {
  /** What it threw, or its exit code. */
  readonly reason: string;
}

export interface WorkerEvents {
  onLines(text: string): void;
  onMetrics(note: MetricsNote): void;
  /** A published value gave way to a newer one on its way. */
  onSkipped(): void;
  /** Once, and not for a worker that was stopped or terminated. */
  onEnd(end: WorkerEnd): void;
}

/**
 * Room for short-lived objects of a worker. A query leaves next to none behind, so V8's default would only grow the process by some 15 MB,
 * and 4 by 1.5 MB; collecting this much takes well under a millisecond.
 */
const YOUNG_MB = 2;

/** For a thread that is only short of processor time to be done with what had woken it, or with its end, before it is ended by force. */
const SETTLE_MS = 500;

export class WorkerHandle {
  readonly worker: number;
  readonly #thread: Worker;
  #events: WorkerEvents | undefined;
  readonly #underWay = allocateCells(1);
  readonly #questions = new Map<number, (notReady: readonly string[][] | undefined) => void>();
  readonly #exited: Promise<void>;
  readonly #deliveries = new Deliveries({
    post: (key, value) => this.#post({ kind: 'publish', key, value }),
    onSkipped: () => this.#events?.onSkipped(),
  });
  #lastQuestion = 0;
  #wakeup = -1;
  #waiter:
    | { kind: FromWorker['kind']; resolve: () => void; reject: (e: Error) => void }
    | undefined;
  #fault: string | undefined;
  /** Pings since the last answer. */
  #unanswered = 0;
  #hasExited = false;
  #hasTask = false;
  #isStarted = false;
  #isEnding = false;

  /** Starts the thread, which loads the server's code and waits for its task. */
  constructor(worker: number) {
    this.worker = worker;
    const setup: WorkerSetup = { worker, underWay: this.#underWay };
    this.#thread = new Worker(ownFile('core/control/worker.js'), {
      workerData: setup,
      name: `worker ${worker}`,
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MB },
    });
    this.#thread.on('message', (message: FromWorker) => this.#onMessage(message));
    this.#thread.on('error', (error) => {
      this.#fault = describe(error);
    });
    this.#exited = new Promise((resolve) => {
      this.#thread.on('exit', (code) => {
        this.#onExit(code);
        resolve();
      });
    });
  }

  get isStarted(): boolean {
    return this.#isStarted;
  }

  /** Resolves when the worker serves; rejects with the reason when it cannot, or ended. */
  async start(task: WorkerTask, events: WorkerEvents): Promise<void> {
    this.#events = events;
    if (this.#hasExited) throw new Error(this.#fault);
    this.#hasTask = true;
    await this.#tell({ kind: 'start', task }, 'started');
  }

  /** Per server block, the plugins that are not ready; undefined when the worker does not answer in time. */
  notReady(): Promise<readonly string[][] | undefined> {
    if (!this.#isStarted) return Promise.resolve(undefined);
    const id = ++this.#lastQuestion;
    return new Promise((resolve) => {
      const limit = setTimeout(() => this.#answer(id, undefined), READINESS_LIMIT_MS);
      this.#questions.set(id, (notReady) => {
        clearTimeout(limit);
        resolve(notReady);
      });
      this.#post({ kind: 'readiness', id });
    });
  }

  /**
   * Gives a worker that has its task what a control part published: resolves when its handler took this, or something newer, or the worker ended.
   * For one without a task there is nothing to do: it gets the newest with that.
   */
  publish(key: string, value: unknown): Promise<void> {
    if (!this.#hasTask || this.#hasExited || this.#isEnding) return Promise.resolve();
    return this.#deliveries.send(key, value);
  }

  /** Asks for a sign of life; gives how many times it was asked for in vain. */
  ping(): number {
    if (this.#isStarted && this.#unanswered++ === 0) this.#post({ kind: 'ping' });
    return Math.max(0, this.#unanswered - 1);
  }

  /** Ends the thread by force, as if it had ended by itself for this reason. */
  kill(reason: string): void {
    if (this.#fault !== undefined) return;
    this.#fault = reason;
    void this.#end();
  }

  /** Resolves when the queries in flight are answered, or `limitMs` has passed. */
  async drain(limitMs: number): Promise<void> {
    if (this.#isStarted)
      await this.#within(limitMs, this.#tell({ kind: 'drain', limitMs }, 'drained'));
  }

  /**
   * Ends the worker: in order if it can within `limitMs`, by force otherwise. Force is the last resort for one that has its task: a thread that
   * is stopped within a call of koffi ends the process.
   */
  async stop(limitMs: number): Promise<void> {
    this.#isEnding = true;
    this.#isStarted = false;
    if (this.#hasTask && !this.#hasExited) {
      this.#post({ kind: 'stop' });
      await this.#within(limitMs, this.#exited);
    }
    await this.#end();
    await this.#exited;
  }

  /** By force, if it has not ended by itself. */
  async #end(): Promise<void> {
    if (!this.#hasExited && this.#wakeup >= 0) {
      muffle(this.#wakeup);
      await this.#within(SETTLE_MS, this.#exited);
    }
    await this.#thread.terminate();
  }

  /** Sends `message` and waits for the answer of this kind. One such exchange at a time. */
  #tell(message: ToWorker, kind: FromWorker['kind']): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiter = { kind, resolve, reject };
      this.#post(message);
    });
  }

  #post(message: ToWorker): void {
    this.#thread.postMessage(message);
  }

  #onMessage(message: FromWorker): void {
    if (message.kind === 'lines') {
      this.#events?.onLines(message.text);
      taken(this.#underWay, message.text);
    } else if (message.kind === 'metrics') {
      this.#events?.onMetrics(message.note);
    } else if (message.kind === 'taken') {
      this.#deliveries.taken(message.key);
    } else if (message.kind === 'readiness') {
      this.#answer(message.id, message.notReady);
    } else if (message.kind === 'pong') {
      this.#unanswered = 0;
    } else if (message.kind === 'failed') {
      this.#waiter?.reject(new Error(message.reason));
    } else if (message.kind === this.#waiter?.kind) {
      // Now and not when the promise is: the last messages of a thread and its end can come in one go.
      if (message.kind === 'started') {
        this.#isStarted = !this.#isEnding;
        this.#wakeup = message.wakeup;
      }
      this.#waiter.resolve();
    }
  }

  #answer(id: number, notReady: readonly string[][] | undefined): void {
    this.#questions.get(id)?.(notReady);
    this.#questions.delete(id);
  }

  #onExit(code: number): void {
    const wasStarted = this.#isStarted;
    this.#isStarted = false;
    this.#hasExited = true;
    this.#deliveries.end();
    for (const id of [...this.#questions.keys()]) this.#answer(id, undefined);
    this.#fault ??= `it exited with code ${code}`;
    const reason = this.#fault;
    this.#waiter?.reject(new Error(reason));
    if (wasStarted && !this.#isEnding) this.#events?.onEnd({ reason });
  }

  /** Waits for `exchange` at most `limitMs`, whatever comes of it. */
  async #within(limitMs: number, exchange: Promise<void>): Promise<void> {
    let limit: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      limit = setTimeout(resolve, limitMs);
    });
    await Promise.race([exchange.catch(() => {}), late]);
    clearTimeout(limit);
  }
}

/** `Error: text (file:line:column)`. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const frame = error.stack?.split('\n').find((line) => line.startsWith('    at '));
  const place = frame?.replace(/^ {4}at (.*\()?/, '').replace(/\)$/, '');
  return `${error.name}: ${error.message}${place === undefined ? '' : ` (${place})`}`;
}
