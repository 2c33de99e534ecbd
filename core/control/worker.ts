// A worker thread: waits to be told what to serve, serves it, and answers the main thread's few questions.
import { access } from 'node:fs/promises';
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import type { Plugin } from '../chain/handler.js';
import { type ComposedWorker, composeWorker } from '../container/worker.js';
import { pinThread } from '../system/affinity.js';
import { createLogger } from './lines.js';
import { importPlugin } from './load.js';
import {
  type FromWorker,
  instanceKey,
  type ToWorker,
  type WorkerSetup,
  type WorkerTask,
} from './messages.js';
import { PostedOutput } from './posted-output.js';

class WorkerThread {
  readonly #setup: WorkerSetup;
  readonly #port: MessagePort;
  readonly #output: PostedOutput;
  #composed: ComposedWorker | undefined;
  #blocks = 0;

  constructor(setup: WorkerSetup, port: MessagePort) {
    this.#setup = setup;
    this.#port = port;
    this.#output = new PostedOutput(setup.underWay, (text) => this.#say({ kind: 'lines', text }));
    port.on('message', (message: ToWorker) => void this.#onMessage(message));
    process.on('exit', () => this.#close());
  }

  async #onMessage(message: ToWorker): Promise<void> {
    if (message.kind === 'start') {
      await this.#start(message.task);
    } else if (message.kind === 'readiness') {
      this.#say({ kind: 'readiness', id: message.id, notReady: this.#notReady() });
    } else if (message.kind === 'ping') {
      this.#say({ kind: 'pong' });
    } else if (message.kind === 'drain') {
      await this.#composed?.dataPlane.drain(message.limitMs);
      this.#say({ kind: 'drained' });
    } else {
      await this.#stop();
    }
  }

  async #start(task: WorkerTask): Promise<void> {
    try {
      const composed = composeWorker({
        worker: this.#setup.worker,
        workers: task.workers,
        plan: task.plan,
        modules: await loadModules(task.plan.modules),
        udp: task.sockets.udp,
        tcp: task.sockets.tcp,
        publishedFor: (step, block) => task.published.get(instanceKey(block, step)),
        loggerFor: (plugin) => createLogger(this.#output, plugin, task.plan.isDebug),
        reportMetrics: (note) => this.#say({ kind: 'metrics', note }),
      });
      this.#composed = composed;
      this.#blocks = task.plan.blocks.length;
      this.#output.dropped = composed.metrics
        .scope('server')
        .counter('log_lines_dropped_total', 'Log lines dropped because nobody read fast enough.');
      await composed.dataPlane.start();
      if (task.cpu !== undefined) await this.#stayOn(task.cpu);
      this.#say({ kind: 'started', wakeup: composed.dataPlane.wakeup });
    } catch (error) {
      this.#say({ kind: 'failed', reason: reasonOf(error) });
    }
  }

  /**
   * Last of all, because threads inherit the processor of the one that starts them. V8's helpers start with the process, whatever plugins start when
   * they do is there by now; libuv's pool starts with the first call that needs it, which is made here.
   */
  async #stayOn(cpu: number): Promise<void> {
    await access('/').catch(() => {});
    if (pinThread(cpu)) return;
    const { worker } = this.#setup;
    createLogger(this.#output, '', false).warning(`worker ${worker} cannot be kept on CPU ${cpu}`);
  }

  #notReady(): string[][] {
    const dataPlane = this.#composed?.dataPlane;
    return Array.from({ length: this.#blocks }, (_, block) => dataPlane?.notReady(block) ?? []);
  }

  async #stop(): Promise<void> {
    try {
      await this.#composed?.dataPlane.stop();
    } catch (error) {
      createLogger(this.#output, '', false).error(`stopping failed: ${reasonOf(error)}`);
    }
    // Whatever a plugin left behind, the thread ends here; the handler of `exit` says its last words.
    process.exit(0);
  }

  #close(): void {
    this.#composed?.close();
    this.#output.flush();
  }

  #say(message: FromWorker): void {
    this.#port.postMessage(message);
  }
}

async function loadModules(
  modules: Readonly<Record<string, string>>,
): Promise<Map<string, Plugin<unknown>>> {
  const loaded = Object.entries(modules).map(
    async ([name, url]) => [name, await importPlugin(url)] as const,
  );
  return new Map(await Promise.all(loaded));
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

if (parentPort !== null) new WorkerThread(workerData as WorkerSetup, parentPort);
