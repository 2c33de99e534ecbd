// The composition root of the main thread: what control parts of plugins are made of.
import 'reflect-metadata';
import { type DependencyContainer, instanceCachingFactory, container as root } from 'tsyringe';
import { stepInfo } from '../chain/build.js';
import { CoarseClock } from '../chain/clock.js';
import type { Plan, StepPlan } from '../chain/plan.js';
import {
  type Clock,
  type ControlServices,
  type Logger,
  type Token,
  token,
} from '../chain/services.js';
import { MetricRegistry } from '../metrics/registry.js';
import { ThreadMetrics } from '../metrics/scope.js';
import { Slice } from '../metrics/slice.js';
import type { Endpoints, ProcessState } from './process.js';
import { resolve } from './resolve.js';
import { ENDPOINTS, METRIC_SOURCE, PROCESS } from './tokens.js';

const CLOCK = token<Clock>('Clock');
const REGISTRY = token<MetricRegistry>('MetricRegistry');
const THREAD_METRICS = token<ThreadMetrics>('ThreadMetrics');

/** What the main thread is given. */
export interface MainParts {
  readonly plan: Plan;
  readonly workers: number;
  /** A logger for a plugin, for the server itself with ''. */
  loggerFor(plugin: string): Logger;
  makeEndpoints(): Endpoints;
  /** The state of the process as a block sees it. */
  stateFor(block: number): ProcessState;
}

export interface ComposedMain {
  readonly registry: MetricRegistry;
  readonly metrics: ThreadMetrics;
  /** What the control part of a plugin gets. */
  servicesFor(step: StepPlan, block: number): ControlServices;
}

/** Makes what all control parts share. */
export function composeMain(parts: MainParts): ComposedMain {
  const container = root.createChildContainer();
  const provide = <T>(as: Token<T>, make: (c: DependencyContainer) => T): void => {
    container.register<T>(as.symbol, { useFactory: instanceCachingFactory(make) });
  };
  provide<Clock>(CLOCK, () => new LiveClock());
  provide(REGISTRY, () => new MetricRegistry());
  provide(METRIC_SOURCE, (c) => resolve(c, REGISTRY));
  provide(ENDPOINTS, () => parts.makeEndpoints());
  provide(THREAD_METRICS, (c) => {
    const thread = resolve(c, REGISTRY).addThread();
    const log = parts.loggerFor('');
    return new ThreadMetrics(new Slice((note) => thread.take(note)), (name) =>
      log.warning(`no room for metric ${name}: it and further new series are not counted`),
    );
  });
  const blocks = parts.plan.blocks.map((_, block) => {
    const child = container.createChildContainer();
    child.register<ProcessState>(PROCESS.symbol, {
      useFactory: instanceCachingFactory(() => parts.stateFor(block)),
    });
    return child;
  });
  return {
    registry: resolve(container, REGISTRY),
    metrics: resolve(container, THREAD_METRICS),
    servicesFor: (step, block) =>
      servicesOf(blocks[block] as DependencyContainer, parts, step, block),
  };
}

/** Here nothing comes in batches: the time is read whenever it is asked for. */
class LiveClock implements Clock {
  readonly #clock = new CoarseClock();

  get nowMs(): number {
    this.#clock.refresh();
    return this.#clock.nowMs;
  }
}

function servicesOf(
  container: DependencyContainer,
  parts: MainParts,
  step: StepPlan,
  block: number,
): ControlServices {
  const { plan, workers } = parts;
  const blockPlan = plan.blocks[block];
  if (blockPlan === undefined) throw new Error(`no server block ${block}`);
  return {
    log: parts.loggerFor(step.plugin),
    metrics: resolve(container, THREAD_METRICS).scope(step.plugin),
    clock: resolve(container, CLOCK),
    block: stepInfo(blockPlan, step),
    servers: plan.listeners.map((listener) => listener.text),
    workers,
    get: (wanted) => resolve(container, wanted),
  };
}
