// The data plane of one worker: its chains and listeners, started and stopped in order. Knows no plugin by name and no thread.
import { buildChains } from '../chain/build.js';
import type { Chain, Step } from '../chain/chain.js';
import type { Plugin } from '../chain/handler.js';
import type { Plan, StepPlan } from '../chain/plan.js';
import type { BlockInfo, Logger, Metrics, Services, Timers } from '../chain/services.js';
import type { Endpoint, SocketLayer, UdpSocket } from '../system/sockets.js';
import { Router } from './router.js';
import { Shared, type SharedClock } from './shared.js';
import { TcpServer } from './tcp.js';
import { TcpShared } from './tcp-shared.js';
import { UdpServer } from './udp.js';

/** One socket to serve: on a descriptor from the main thread, or opened here when there is none. */
export interface ListenSocket {
  /** Index in `plan.listeners`. */
  readonly listener: number;
  readonly fd: number | undefined;
  readonly endpoint: Endpoint;
}

export interface DataPlaneOptions {
  readonly plan: Plan;
  /** Every plugin that the plan's steps name. */
  readonly modules: ReadonlyMap<string, Plugin<unknown>>;
  readonly sockets: SocketLayer;
  readonly timers: Timers;
  readonly clock: SharedClock;
  readonly udp: readonly ListenSocket[];
  readonly tcp: readonly ListenSocket[];
  readonly servicesFor: (step: StepPlan, block: number, info: BlockInfo) => Services;
  /** Scope `server`. */
  readonly metrics: Metrics;
  readonly log: Logger;
}

/** How often `drain` looks whether the last query is answered. */
const DRAIN_STEP_MS = 20;

export class DataPlane {
  readonly #options: DataPlaneOptions;
  readonly #shared: Shared;
  readonly #tcpShared: TcpShared;
  readonly #chains: readonly Chain[];
  readonly #routers: readonly Router[];
  readonly #udpSockets: UdpSocket[] = [];
  readonly #tcpServers: TcpServer[] = [];

  constructor(options: DataPlaneOptions) {
    const { plan, sockets, timers, clock, metrics, log } = options;
    this.#options = options;
    this.#shared = new Shared({ sockets, timers, clock, metrics, log, isDebug: plan.withStacks });
    this.#tcpShared = new TcpShared(timers, metrics, this.#shared.limits);
    this.#chains = buildChains(plan, options.modules, options.servicesFor);
    this.#routers = plan.listeners.map((listener) => {
      const router = new Router();
      for (const { zone, block, zoneIndex } of listener.routes) {
        const chain = this.#chains[block];
        if (chain !== undefined) router.add(zone, { chain, block, zone: zoneIndex });
      }
      return router;
    });
    sockets.onFlush(() => {
      this.#shared.outbox.flush();
      this.#tcpShared.flush();
    });
  }

  /** Starts the handlers, front to back and block by block, then the listeners. */
  async start(): Promise<void> {
    for (const chain of this.#chains) {
      for (const step of chain.steps) await startStep(step);
    }
    const { sockets, udp, tcp } = this.#options;
    for (const { listener, fd, endpoint } of udp) {
      const server = new UdpServer(this.#shared, listener, this.#router(listener));
      this.#shared.begin(server);
      this.#udpSockets.push(await sockets.listen(fd, endpoint, server.onReadable));
    }
    for (const { listener, fd, endpoint } of tcp) {
      const server = new TcpServer(this.#shared, this.#tcpShared, listener, this.#router(listener));
      await server.listen(fd, endpoint);
      this.#tcpServers.push(server);
    }
    sockets.start();
  }

  /** Step `index` of a block's chain. */
  step(block: number, index: number): Step | undefined {
    return this.#chains[block]?.steps[index];
  }

  /** What wakes its thread up: see `SocketLayer`. */
  get wakeup(): number {
    return this.#options.sockets.wakeup;
  }

  /** Names of the plugins that are not ready, each once; of all server blocks or of one. */
  notReady(block?: number): string[] {
    const names = new Set<string>();
    const chains = block === undefined ? this.#chains : this.#chains.slice(block, block + 1);
    for (const chain of chains) {
      for (const { plugin, handler } of chain.steps) {
        if (handler.ready !== undefined && !handler.ready()) names.add(plugin);
      }
    }
    return [...names];
  }

  /** Takes no more queries and waits until those in flight are answered, `limitMs` at most. */
  async drain(limitMs: number): Promise<void> {
    for (const socket of this.#udpSockets) socket.pause();
    for (const server of this.#tcpServers) server.close();
    for (const connection of this.#tcpShared.connections) connection.drain();
    const stopMs = performance.now() + limitMs;
    while (this.#hasWork && performance.now() < stopMs) {
      await new Promise((resolve) => setTimeout(resolve, DRAIN_STEP_MS));
    }
  }

  /** Ends everything: listeners, connections, handlers in reverse order, then the socket layer. */
  async stop(): Promise<void> {
    this.#shared.outbox.flush();
    for (const server of this.#tcpServers) server.close();
    for (const connection of this.#tcpShared.connections) connection.close();
    for (const socket of this.#udpSockets) socket.close();
    for (const chain of this.#chains) {
      for (const step of [...chain.steps].reverse()) await step.handler.onStop?.();
    }
    await this.#options.sockets.stop();
  }

  get #hasWork(): boolean {
    if (this.#shared.parked.size > 0) return true;
    for (const connection of this.#tcpShared.connections) if (connection.hasWork) return true;
    return false;
  }

  #router(listener: number): Router {
    return this.#routers[listener] ?? new Router();
  }
}

/** An Error that comes out of here names the plugin. */
async function startStep({ plugin, handler }: Step): Promise<void> {
  try {
    await handler.onStart?.();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`${plugin}: ${reason}`, { cause: error });
  }
}
