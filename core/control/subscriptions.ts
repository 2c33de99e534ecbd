// A worker's end of what control parts publish: its handlers are made from the newest values, and told of those that come later.
import type { Step } from '../chain/chain.js';

export interface SubscriptionEvents {
  /** The handler of `key` has the value that came. */
  onTaken(key: string): void;
  /** It failed to take it, and has what it had. */
  onFault(plugin: string, error: unknown): void;
}

export class Subscriptions {
  readonly #events: SubscriptionEvents;
  readonly #values = new Map<string, unknown>();
  /** Those of values that came before the handlers were started. */
  readonly #early = new Set<string>();
  #stepOf: ((key: string) => Step | undefined) | undefined;

  constructor(events: SubscriptionEvents) {
    this.#events = events;
  }

  /** The values that the worker is started with. */
  begin(values: ReadonlyMap<string, unknown>): void {
    for (const [key, value] of values) this.#values.set(key, value);
  }

  /** The newest value, for a handler that is being made. */
  valueOf(key: string): unknown {
    if (this.#early.delete(key)) this.#events.onTaken(key);
    return this.#values.get(key);
  }

  /** The handlers are started: they hear from now on, and of what they missed. */
  open(stepOf: (key: string) => Step | undefined): void {
    this.#stepOf = stepOf;
    for (const key of this.#early) void this.#deliver(key);
    this.#early.clear();
  }

  /** A newer value came. Of one key no other comes before this one is said to be taken. */
  take(key: string, value: unknown): void {
    this.#values.set(key, value);
    if (this.#stepOf === undefined) this.#early.add(key);
    else void this.#deliver(key);
  }

  async #deliver(key: string): Promise<void> {
    const step = this.#stepOf?.(key);
    try {
      await step?.handler.onPublished?.(this.#values.get(key));
    } catch (error) {
      this.#events.onFault(step?.plugin ?? '', error);
    }
    this.#events.onTaken(key);
  }
}
