// The composition root of a worker: what its parts are made of. Nothing here is resolved per query.
import type { DependencyContainer } from 'tsyringe';
import { CoarseClock } from '../chain/clock.js';
import type { Plugin } from '../chain/handler.js';
import type { Plan, StepPlan } from '../chain/plan.js';
import {
  type BlockInfo,
  type Clock,
  type Logger,
  type Services,
  type Token,
  token,
} from '../chain/services.js';
import type { MetricsNote } from '../metrics/notes.js';
import { type ThreadMetrics, threadMetrics } from '../metrics/scope.js';
import { Slice } from '../metrics/slice.js';
import { DataPlane, type ListenSocket } from '../server/data-plane.js';
import { timerLimitsOf } from '../server/limits.js';
import { createSocketLayer } from '../system/layer.js';
import type { SocketLayer } from '../system/sockets.js';
import { TimerWheel } from '../upstream/timer-wheel.js';
import { resolve } from './resolve.js';
import { SOCKETS, TIMERS } from './tokens.js';
import { instanceCachingFactory, root } from './tsyringe.js';

const CLOCK = token<CoarseClock>('Clock');
const SLICE = token<Slice>('Slice');
const THREAD_METRICS = token<ThreadMetrics>('ThreadMetrics');
const DATA_PLANE = token<DataPlane>('DataPlane');

/** What a worker is told and given. */
export interface WorkerParts {
  readonly worker: number;
  readonly workers: number;
  readonly plan: Plan;
  readonly modules: ReadonlyMap<string, Plugin<unknown>>;
  readonly udp: readonly ListenSocket[];
  readonly tcp: readonly ListenSocket[];
  /** What the control part of a step published. */
  publishedFor(step: StepPlan, block: number): unknown;
  /** A logger for a plugin, for the server itself with ''. */
  loggerFor(plugin: string): Logger;
  /** Takes what is registered as metrics. */
  reportMetrics(note: MetricsNote): void;
}

export interface ComposedWorker {
  readonly dataPlane: DataPlane;
  readonly metrics: ThreadMetrics;
  /** Reports what is not reported yet and stops the timers. */
  close(): void;
}

/** Makes a worker's data plane with everything it needs; nothing is started. */
export function composeWorker(parts: WorkerParts): ComposedWorker {
  const container = root.createChildContainer();
  const provide = <T>(as: Token<T>, make: (c: DependencyContainer) => T): void => {
    container.register<T>(as.symbol, { useFactory: instanceCachingFactory(make) });
  };
  provide(CLOCK, () => new CoarseClock());
  provide<SocketLayer>(SOCKETS, () => createSocketLayer());
  provide(TIMERS, (c) => {
    const metrics = resolve(c, THREAD_METRICS).scope('server');
    return new TimerWheel(resolve(c, CLOCK), true, timerLimitsOf(metrics));
  });
  provide(SLICE, () => new Slice(parts.reportMetrics));
  provide(THREAD_METRICS, (c) => threadMetrics(resolve(c, SLICE), parts.loggerFor('')));
  provide(DATA_PLANE, (c) => makeDataPlane(c, parts));
  return {
    dataPlane: resolve(container, DATA_PLANE),
    metrics: resolve(container, THREAD_METRICS),
    close: () => {
      resolve(container, SLICE).flush();
      (resolve(container, TIMERS) as TimerWheel).close();
    },
  };
}

function makeDataPlane(container: DependencyContainer, parts: WorkerParts): DataPlane {
  const { plan, modules, udp, tcp } = parts;
  const blocks = plan.blocks.map(() => container.createChildContainer());
  const metrics = resolve(container, THREAD_METRICS);
  return new DataPlane({
    plan,
    modules,
    udp,
    tcp,
    sockets: resolve(container, SOCKETS),
    timers: resolve(container, TIMERS),
    clock: resolve(container, CLOCK),
    metrics: metrics.scope('server'),
    log: parts.loggerFor(''),
    servicesFor: (step, block, info) =>
      servicesOf(blocks[block] as DependencyContainer, parts, step, block, info),
  });
}

function servicesOf(
  container: DependencyContainer,
  parts: WorkerParts,
  step: StepPlan,
  block: number,
  info: BlockInfo,
): Services {
  const clock: Clock = resolve(container, CLOCK);
  return {
    log: parts.loggerFor(step.plugin),
    metrics: resolve(container, THREAD_METRICS).scope(step.plugin),
    clock,
    block: info,
    servers: parts.plan.listeners.map((listener) => listener.text),
    worker: parts.worker,
    workers: parts.workers,
    published: parts.publishedFor(step, block),
    get: (wanted) => resolve(container, wanted),
  };
}
