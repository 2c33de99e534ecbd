// A worker thread: waits to be told what to serve, serves it, and answers the main thread's few questions.
import { access } from 'node:fs/promises';
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import type { Step } from '../chain/chain.js';
import type { Plugin } from '../chain/handler.js';
import type { Plan } from '../chain/plan.js';
import { type ComposedWorker, composeWorker } from '../container/worker.js';
import type { DataPlane } from '../server/data-plane.js';
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
import { Subscriptions } from './subscriptions.js';

class WorkerThread {
  readonly #setup: WorkerSetup;
  readonly #port: MessagePort;
  readonly #output: PostedOutput;
  readonly #subscriptions: Subscriptions;
  #composed: ComposedWorker | undefined;
  #blocks = 0;

  constructor(setup: WorkerSetup, port: MessagePort) {
    this.#setup = setup;
    this.#port = port;
    this.#output = new PostedOutput(setup.underWay, (text) => this.#say({ kind: 'lines', text }));
    this.#subscriptions = new Subscriptions({
      onTaken: (key) => this.#say({ kind: 'taken', key }),
      onFault: (plugin, error) => this.#fault(`fault in plugin ${plugin}: ${reasonOf(error)}`),
    });
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
    } else if (message.kind === 'publish') {
      this.#subscriptions.take(message.key, message.value);
    } else if (message.kind === 'drain') {
      await this.#composed?.dataPlane.drain(message.limitMs);
      this.#say({ kind: 'drained' });
    } else {
      await this.#stop();
    }
  }

  async #start(task: WorkerTask): Promise<void> {
    try {
      this.#subscriptions.begin(task.published);
      const composed = composeWorker({
        worker: this.#setup.worker,
        workers: task.workers,
        plan: task.plan,
        modules: await loadModules(task.plan.modules),
        udp: task.sockets.udp,
        tcp: task.sockets.tcp,
        publishedFor: (step, block) => this.#subscriptions.valueOf(instanceKey(block, step)),
        loggerFor: (plugin) => createLogger(this.#output, plugin, task.plan.isDebug),
        reportMetrics: (note) => this.#say({ kind: 'metrics', note }),
      });
      this.#composed = composed;
      this.#blocks = task.plan.blocks.length;
      this.#output.dropped = composed.metrics
        .scope('server')
        .counter('log_lines_dropped_total', 'Log lines dropped because nobody read fast enough.');
      await composed.dataPlane.start();
      this.#subscriptions.open((key) => stepOf(composed.dataPlane, task.plan, key));
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
      this.#fault(`stopping failed: ${reasonOf(error)}`);
    }
    // Whatever a plugin left behind, the thread ends here; the handler of `exit` says its last words.
    process.exit(0);
  }

  #fault(text: string): void {
    createLogger(this.#output, '', false).error(text);
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

/** The step that `instanceKey` gives this key. */
function stepOf(dataPlane: DataPlane, plan: Plan, key: string): Step | undefined {
  for (const [block, { steps }] of plan.blocks.entries()) {
    const at = steps.findIndex((step) => instanceKey(block, step) === key);
    if (at >= 0) return dataPlane.step(block, at);
  }
  return undefined;
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

if (parentPort !== null) new WorkerThread(workerData as WorkerSetup, parentPort);
