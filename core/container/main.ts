// The composition root of the main thread: what control parts of plugins are made of.
import type { DependencyContainer } from 'tsyringe';
import { stepInfo } from '../chain/build.js';
import { CoarseClock } from '../chain/clock.js';
import type { BlockPlan, Plan, StepPlan } from '../chain/plan.js';
import {
  type Clock,
  type ControlServices,
  type Logger,
  type Parts,
  type Token,
  token,
} from '../chain/services.js';
import { MetricRegistry } from '../metrics/registry.js';
import { type ThreadMetrics, threadMetrics } from '../metrics/scope.js';
import { Slice } from '../metrics/slice.js';
import type { Commands } from './commands.js';
import type { Endpoints, ProcessState } from './process.js';
import { resolve } from './resolve.js';
import { createSignal } from './signal.js';
import { COMMANDS, ENDPOINTS, METRIC_SOURCE, PROCESS, UPSTREAM_CHANGES } from './tokens.js';
import { instanceCachingFactory, root } from './tsyringe.js';

const CLOCK = token<Clock>('Clock');
const REGISTRY = token<MetricRegistry>('MetricRegistry');
const THREAD_METRICS = token<ThreadMetrics>('ThreadMetrics');

/** What the main thread is given. */
export interface MainParts {
  /** A logger for a plugin, for the server itself with ''. */
  loggerFor(plugin: string): Logger;
  makeEndpoints(): Endpoints;
}

/** What the control parts of one configuration are told. */
export interface BlockParts {
  readonly plan: Plan;
  readonly workers: number;
  /** The state of the process as a block sees it. */
  stateFor(block: number): ProcessState;
  /** Gives the workers' handlers of a step something newer than they have. */
  publish(step: StepPlan, block: number, value: unknown): Promise<void>;
  /** Where a block's commands are added. */
  commandsFor(block: number): Commands;
}

export interface ComposedMain {
  readonly registry: MetricRegistry;
  readonly metrics: ThreadMetrics;
  /** What the control part of each occurrence of a plugin gets. */
  blocks(parts: BlockParts): (step: StepPlan, block: number, parts: Parts) => ControlServices;
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
  provide(UPSTREAM_CHANGES, () =>
    createSignal((error) => parts.loggerFor('').error(`fault after a change: ${String(error)}`)),
  );
  provide(THREAD_METRICS, (c) => {
    const thread = resolve(c, REGISTRY).addThread();
    return threadMetrics(new Slice((note) => thread.take(note)), parts.loggerFor(''));
  });
  const registry = resolve(container, REGISTRY);
  const metrics = resolve(container, THREAD_METRICS);
  registry.refused = metrics
    .scope('server')
    .counter(
      'metrics_series_refused_total',
      'Series left out of scrapes: too many, or of two types.',
    );
  return {
    registry,
    metrics,
    blocks: (blockParts) => composeBlocks(container, parts, blockParts),
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

function composeBlocks(
  container: DependencyContainer,
  { loggerFor }: MainParts,
  { plan, workers, stateFor, publish, commandsFor }: BlockParts,
): (step: StepPlan, block: number, parts: Parts) => ControlServices {
  const servers = plan.listeners.map((listener) => listener.text);
  const blocks = plan.blocks.map((_, block) => {
    const child = container.createChildContainer();
    child.register<ProcessState>(PROCESS.symbol, {
      useFactory: instanceCachingFactory(() => stateFor(block)),
    });
    child.register<Commands>(COMMANDS.symbol, {
      useFactory: instanceCachingFactory(() => commandsFor(block)),
    });
    return child;
  });
  return (step, block, parts) => {
    const own = blocks[block] as DependencyContainer;
    return {
      log: loggerFor(step.plugin),
      metrics: resolve(own, THREAD_METRICS).scope(step.plugin),
      clock: resolve(own, CLOCK),
      block: stepInfo(plan.blocks[block] as BlockPlan, step, parts),
      servers,
      workers,
      publish: (value) => publish(step, block, value),
      get: (wanted) => resolve(own, wanted),
    };
  };
}
