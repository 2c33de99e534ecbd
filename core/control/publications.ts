// What control parts published last, by `instanceKey`: given to every worker that starts, and to those that serve whenever there is something newer.
import type { Counter } from '../chain/services.js';

export class Publications {
  readonly #newest = new Map<string, unknown>();
  readonly #spread: (key: string, value: unknown) => Promise<void>;
  readonly #published: Counter;

  /** `spread` gives a value to the workers that have their task, and resolves when they took it. */
  constructor(spread: (key: string, value: unknown) => Promise<void>, published: Counter) {
    this.#spread = spread;
    this.#published = published;
  }

  /** The newest of each; what is published later is found in here too. */
  get newest(): ReadonlyMap<string, unknown> {
    return this.#newest;
  }

  /** What a control part has to give when it is made. */
  begin(key: string, value: unknown): void {
    this.#newest.set(key, value);
  }

  /**
   * Publishes `value` as it is now. Resolves when every worker took it, or a newer one, or ended; at once as long as there are none. Rejects with a
   * DataCloneError when it is more than data.
   */
  async publish(key: string, value: unknown): Promise<void> {
    // Shared memory in it stays shared. A worker that starts next year must not find what became of the rest of the object by then.
    const copy = structuredClone(value);
    this.#newest.set(key, copy);
    this.#published.inc();
    await this.#spread(key, copy);
  }
}
