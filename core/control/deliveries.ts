// What control parts publish while a worker serves, on its way to that worker: of each occurrence one value under way, and of those that wait the newest.
// So a worker that is busy, or whose handler takes long, holds up nothing and is owed no more than two values an occurrence.

export interface DeliveryEvents {
  /** Sends a value to the worker, which says that it took it. */
  post(key: string, value: unknown): void;
  /** A value gave way to a newer one before it was sent. */
  onSkipped(): void;
}

export class Deliveries {
  readonly #events: DeliveryEvents;
  readonly #underWay = new Map<string, Delivery>();
  readonly #waiting = new Map<string, Delivery>();

  constructor(events: DeliveryEvents) {
    this.#events = events;
  }

  /** Resolves when the worker took this value or a newer one of `key`, or is gone. */
  send(key: string, value: unknown): Promise<void> {
    const waiting = this.#waiting.get(key);
    if (waiting !== undefined) {
      waiting.value = value;
      this.#events.onSkipped();
      return waiting.done;
    }
    const delivery = new Delivery(value);
    if (this.#underWay.has(key)) this.#waiting.set(key, delivery);
    else this.#begin(key, delivery);
    return delivery.done;
  }

  /** The worker took the value of `key` that was under way. */
  taken(key: string): void {
    this.#underWay.get(key)?.resolve();
    this.#underWay.delete(key);
    const next = this.#waiting.get(key);
    this.#waiting.delete(key);
    if (next !== undefined) this.#begin(key, next);
  }

  /** The worker is gone: nothing is waited for. */
  end(): void {
    for (const delivery of [...this.#underWay.values(), ...this.#waiting.values()]) {
      delivery.resolve();
    }
    this.#underWay.clear();
    this.#waiting.clear();
  }

  #begin(key: string, delivery: Delivery): void {
    this.#underWay.set(key, delivery);
    this.#events.post(key, delivery.value);
    // It is the worker's from here on.
    delivery.value = undefined;
  }
}

class Delivery {
  value: unknown;
  resolve: () => void = () => {};
  readonly done = new Promise<void>((resolve) => {
    this.resolve = resolve;
  });

  constructor(value: unknown) {
    this.value = value;
  }
}
