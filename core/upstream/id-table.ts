// Hot path. The message ids in use towards one upstream, each with the exchange it belongs to.
import { random16 } from './random.js';

/**
 * Most ids in use at once. Half of all, so that a random one is free at the second try on average and an id off the wire that was guessed
 * hits a waiting query no more often than every other time.
 */
export const IN_FLIGHT_LIMIT = 32_768;

const ID_MASK = 0xffff;

export class IdTable {
  /** Index of the exchange plus 1 by id, 0 for a free id. Made on first use: 128 KB. */
  #exchanges: Uint16Array | undefined;
  #inUse = 0;

  get inUse(): number {
    return this.#inUse;
  }

  /** A random free id for the exchange with this index, or -1 when too many are in use. */
  take(exchange: number): number {
    if (this.#inUse === IN_FLIGHT_LIMIT) return -1;
    this.#exchanges ??= new Uint16Array(65_536);
    const exchanges = this.#exchanges;
    let id = random16();
    while (exchanges[id] !== 0) id = random16();
    exchanges[id] = exchange + 1;
    this.#inUse++;
    return id;
  }

  /** Index of the exchange that holds `id`, -1 when it is free. */
  find(id: number): number {
    return this.#exchanges === undefined ? -1 : (this.#exchanges[id & ID_MASK] as number) - 1;
  }

  release(id: number): void {
    if (this.#exchanges === undefined || this.#exchanges[id] === 0) return;
    this.#exchanges[id] = 0;
    this.#inUse--;
  }
}
