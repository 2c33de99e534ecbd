// The running server: workers, sockets and control parts of one configuration, started and stopped in order.
import type { BlockPlan } from '../chain/plan.js';
import type { Logger } from '../chain/services.js';
import { type ComposedMain, composeMain } from '../container/main.js';
import type { ProcessState } from '../container/process.js';
import { allowedCpus } from '../system/affinity.js';
import { notifySystem } from '../system/notify.js';
import { placeWorkers, readMachine } from '../system/topology.js';
import { oddZones, platformLine, version, versionLine, workersText, zoneLines } from './banner.js';
import { CommandSocket, OUTCOMES, type Outcome } from './command-socket.js';
import { blockName, CommandTable } from './command-table.js';
import { Controls } from './controls.js';
import { HttpEndpoints } from './endpoints.js';
import { createLogger } from './lines.js';
import { instanceKey } from './messages.js';
import type { StandardOutput } from './output.js';
import type { Planned } from './plan.js';
import { Publications } from './publications.js';
import { openSockets, type ProcessSockets } from './sockets.js';
import { Supervisor } from './supervisor.js';
import type { WorkerHandle } from './worker-handle.js';

/** Clients wait no longer for what the last process knew; what is not loaded by then comes while queries are answered. */
const LOAD_LIMIT_MS = 1_000;

/**
 * Stopping takes at most 5 s, but for what a plugin asks for before it (lameduck): queries in flight get 3 s, workers and control parts what
 * is left to save what they have.
 */
const STOP_LIMIT_MS = 4_750;
const DRAIN_LIMIT_MS = 3_000;
const MIN_CONTROL_STOP_MS = 500;

export interface ServerOptions {
  /** Whether the processor that receives a datagram chooses the worker. */
  readonly isSteering: boolean;
  /** Path of the command socket, `none`, or undefined for the usual place. */
  readonly control: string | undefined;
}

export class Server {
  readonly #log: Logger;
  readonly #main: ComposedMain;
  readonly #supervisor: Supervisor;
  readonly #workers: number;
  /** The processor of each worker; empty where they are free to move. */
  readonly #cpus: readonly number[];
  readonly #isSteering: boolean;
  /** Path of the command socket, `none`, or undefined for the usual place. */
  readonly #control: string | undefined;
  readonly #publications: Publications;
  #commandSocket: CommandSocket | undefined;
  #planned: Planned | undefined;
  #controls: Controls | undefined;
  #sockets: ProcessSockets | undefined;
  #isStopping = false;
  #isDebug = false;
  #stopped: Promise<void> | undefined;
  #fail: (reason: string) => void = () => {};
  /** Resolves with the reason when a control part finds that the process can do no good. */
  readonly failed = new Promise<string>((resolve) => {
    this.#fail = resolve;
  });

  /** `handles` are the workers, already loading. */
  constructor(
    output: StandardOutput,
    handles: readonly WorkerHandle[],
    { isSteering, control }: ServerOptions,
  ) {
    this.#log = createLogger(output, '', false);
    this.#workers = handles.length;
    this.#cpus = handles.length < 2 ? [] : placeWorkers(handles.length, readMachine(allowedCpus()));
    this.#isSteering = isSteering;
    this.#control = control;
    this.#main = composeMain({
      loggerFor: (plugin) => createLogger(output, plugin, this.#isDebug),
      makeEndpoints: () => new HttpEndpoints(),
    });
    const metrics = this.#main.metrics.scope('server');
    output.dropped = metrics.counter(
      'log_lines_dropped_total',
      'Log lines dropped because nobody read fast enough.',
    );
    this.#supervisor = new Supervisor({
      handles,
      registry: this.#main.registry,
      log: this.#log,
      restarts: metrics.counter('worker_restarts_total', 'Workers that died and were replaced.'),
      skipped: metrics.counter(
        'publications_skipped_total',
        'Published values that gave way to newer ones before a worker got them.',
      ),
      onLines: (text) => output.write(text),
      onExit: (worker) => this.#controls?.onWorkerExit(worker),
    });
    this.#publications = new Publications(
      (key, value) => this.#supervisor.publish(key, value),
      metrics.counter('publications_total', 'Values that control parts of plugins published.'),
    );
  }

  /** Serves; rejects with the first reason why it cannot. */
  async start(planned: Planned): Promise<void> {
    const { plan, instances } = planned;
    this.#planned = planned;
    this.#isDebug = plan.isDebug;
    const sockets = openSockets(plan.listeners, this.#workers, this.#isSteering ? this.#cpus : []);
    this.#sockets = sockets;
    const workers = this.#workers;
    const stateFor = (block: number): ProcessState => this.#stateFor(block);
    const commands = new CommandTable();
    const servicesFor = this.#main.blocks({
      plan,
      workers,
      stateFor,
      publish: (step, block, value) => this.#publications.publish(instanceKey(block, step), value),
      commandsFor: (block) => commands.forBlock(blockName(plan, plan.blocks[block] as BlockPlan)),
    });
    const controls = new Controls(instances, servicesFor, this.#publications, this.#log);
    this.#controls = controls;
    await within(LOAD_LIMIT_MS, controls.load());
    await Promise.all([
      controls.start(),
      this.#supervisor.start((worker) => ({
        plan,
        workers,
        cpu: this.#cpus[worker],
        sockets: sockets.forWorker(worker),
        published: this.#publications.newest,
      })),
    ]);
    if (this.#isSteering && !sockets.isSteered) {
      const why =
        this.#cpus.length === 0 ? 'workers have no CPU of their own' : 'not possible here';
      this.#log.warning(`-steer has no effect: ${why}`);
    }
    await this.#takeCommands(commands);
    notifySystem('READY=1');
  }

  /** A server without its command socket serves as well. */
  async #takeCommands(commands: CommandTable): Promise<void> {
    if (this.#control === 'none' || this.#isStopping) return;
    // Nothing to warn of where there is no such thing and nobody asked for it.
    if (this.#control === undefined && process.getuid === undefined) return;
    const metrics = this.#main.metrics.scope('server');
    const counters = new Map(
      OUTCOMES.map((outcome) => [
        outcome,
        metrics.counter('commands_total', 'Commands of operators.', { outcome }),
      ]),
    );
    const at = this.#control ?? this.#planned?.plan.listeners[0]?.port ?? 0;
    try {
      this.#commandSocket = await CommandSocket.open(at, {
        run: (command, args) => commands.run(command, args),
        log: this.#log,
        count: (outcome: Outcome) => counters.get(outcome)?.inc(),
      });
    } catch (error) {
      const reason = (error as Error).message;
      this.#log.warning(`no commands are taken: ${reason}; -control PATH names another place`);
    }
  }

  get isStopping(): boolean {
    return this.#isStopping;
  }

  /** What is printed when it serves. */
  async banner(): Promise<string> {
    // Here, because it takes longer to load than to start without it.
    const { describeIo } = await import('../system/layer.js');
    const listeners = this.#planned?.plan.listeners ?? [];
    const odd = oddZones(listeners).map(
      (zone) => `Warning: zone "${zone}" does not follow the preferred syntax of RFC 1035`,
    );
    const workers = workersText(this.#workers, this.#cpus, this.#sockets?.isSteered === true);
    const lines = [
      ...odd,
      ...zoneLines(listeners),
      versionLine(),
      `${platformLine()}, ${workers}, ${describeIo()}`,
    ];
    return lines.map((line) => `${line}\n`).join('');
  }

  /** Answers what is in flight, then ends everything. Never rejects; calling it again waits for the same end. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stopInOrder();
    return this.#stopped;
  }

  async #stopInOrder(): Promise<void> {
    this.#isStopping = true;
    notifySystem('STOPPING=1');
    await this.#controls?.drain();
    const beganMs = performance.now();
    await this.#commandSocket?.close();
    await this.#supervisor.drain(DRAIN_LIMIT_MS);
    await this.#supervisor.stop();
    const leftMs = STOP_LIMIT_MS - (performance.now() - beganMs);
    if (this.#controls !== undefined) {
      const isDone = await within(Math.max(leftMs, MIN_CONTROL_STOP_MS), this.#controls.stop());
      if (!isDone) this.#log.warning('stopped before everything was saved: that took too long');
    }
    this.#sockets?.close();
  }

  #stateFor(block: number): ProcessState {
    const isStopping = (): boolean => this.#isStopping;
    return {
      version: version(),
      get isStopping() {
        return isStopping();
      },
      notReady: async () => (await this.#supervisor.notReady())?.[block],
      fail: (reason) => this.#fail(reason),
    };
  }
}

/** Waits for `work`, but no longer than `limitMs`; whether it was done by then. */
async function within(limitMs: number, work: Promise<void>): Promise<boolean> {
  let limit: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    limit = setTimeout(resolve, limitMs, false);
  });
  const isDone = await Promise.race([work.then(() => true), late]);
  clearTimeout(limit);
  return isDone;
}
