// The control parts of all plugins of a configuration: made together, started, drained and stopped in order.
import type { Control, Plugin } from '../chain/handler.js';
import type { StepPlan } from '../chain/plan.js';
import type { ControlServices, Logger, Parts } from '../chain/services.js';
import { instanceKey } from './messages.js';
import type { Instance } from './plan.js';
import type { Publications } from './publications.js';

interface Part {
  readonly plugin: string;
  readonly control: Control;
}

export class Controls {
  readonly #parts: readonly Part[];
  readonly #log: Logger;
  #started: Part[] = [];

  /** Makes the control part of every instance that has one, in chain order; what each has to give goes into `publications`. */
  constructor(
    instances: readonly Instance[],
    servicesFor: (step: StepPlan, block: number, parts: Parts) => ControlServices,
    publications: Publications,
    log: Logger,
  ) {
    const made: Part[] = [];
    for (const { plugin, config, step, block, parts } of instances) {
      if (!hasControl(plugin)) continue;
      const control = plugin.control(config, servicesFor(step, block, parts));
      made.push({ plugin: plugin.name, control });
      if (control.published !== undefined) {
        publications.begin(instanceKey(block, step), control.published);
      }
    }
    this.#parts = made;
    this.#log = log;
  }

  /** Lets all of them fill what they published. Never rejects. */
  async load(): Promise<void> {
    await Promise.all(
      this.#parts.map((part) => this.#attempt(part, () => part.control.onLoad?.())),
    );
  }

  /** Starts them one after the other; rejects with the first that cannot. */
  async start(): Promise<void> {
    for (const part of this.#parts) {
      try {
        await part.control.onStart?.();
      } catch (error) {
        throw new Error(`${part.plugin}: ${textOf(error)}`);
      }
      this.#started.push(part);
    }
  }

  /** Tells all at once that the process is about to stop, and waits for the slowest. */
  async drain(): Promise<void> {
    await Promise.all(
      this.#started.map((part) => this.#attempt(part, () => part.control.onDrain?.())),
    );
  }

  /** Stops those that were started, last first, whatever becomes of one of them. */
  async stop(): Promise<void> {
    const started = this.#started.reverse();
    this.#started = [];
    for (const part of started) await this.#attempt(part, () => part.control.onStop?.());
  }

  onWorkerExit(worker: number): void {
    for (const { plugin, control } of this.#parts) {
      try {
        control.onWorkerExit?.(worker);
      } catch (error) {
        this.#report(plugin, error);
      }
    }
  }

  async #attempt({ plugin }: Part, run: () => void | Promise<void> | undefined): Promise<void> {
    try {
      await run();
    } catch (error) {
      this.#report(plugin, error);
    }
  }

  #report(plugin: string, error: unknown): void {
    this.#log.error(`fault in plugin ${plugin}: ${textOf(error)}`);
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function hasControl(
  plugin: Plugin<unknown>,
): plugin is Plugin<unknown> & Required<Pick<Plugin<unknown>, 'control'>> {
  return plugin.control !== undefined;
}
