// Hot path. The message ids in use towards one upstream, each with the exchange it belongs to.
//
// Open addressing with linear probing, one word per id in use: id and exchange. An array by id would do without probes, but every message would wait for
// another line of its 128 KB; this is as large as what is under way needs. Ids are random, so they need no hash.
import { random16 } from './random.js';

/**
 * Most ids in use at once. Half of all, so that a random one is free at the second try on average and an id off the wire that was guessed
 * hits a waiting query no more often than every other time.
 */
export const IN_FLIGHT_LIMIT = 32_768;

/** Places at first: 1 KB. Twice as many when half of them are taken. */
const FIRST_PLACES = 256;

const ID_SHIFT = 16;
const EXCHANGE_MASK = 2 ** ID_SHIFT - 1;

export class IdTable {
  /** The id above, the index of the exchange plus 1 below; 0 for an empty place. */
  #places = new Int32Array(FIRST_PLACES);
  #mask = FIRST_PLACES - 1;
  #inUse = 0;

  get inUse(): number {
    return this.#inUse;
  }

  /** A random free id for the exchange with this index, or -1 when too many are in use. */
  take(exchange: number): number {
    if (this.#inUse === IN_FLIGHT_LIMIT) return -1;
    if (2 * this.#inUse > this.#mask) this.#grow();
    for (;;) {
      const id = random16();
      const place = this.#placeOf(id);
      if (this.#places[place] !== 0) continue;
      this.#places[place] = (id << ID_SHIFT) | (exchange + 1);
      this.#inUse++;
      return id;
    }
  }

  /** Index of the exchange that holds `id`, 0 to 65535; -1 when it is free. */
  find(id: number): number {
    return ((this.#places[this.#placeOf(id)] as number) & EXCHANGE_MASK) - 1;
  }

  release(id: number): void {
    const places = this.#places;
    const mask = this.#mask;
    let gap = this.#placeOf(id);
    if (places[gap] === 0) return;
    this.#inUse--;
    // Those behind it move up, unless they would come before their own place.
    for (let place = (gap + 1) & mask; places[place] !== 0; place = (place + 1) & mask) {
      const home = ((places[place] as number) >>> ID_SHIFT) & mask;
      if (((place - home) & mask) < ((place - gap) & mask)) continue;
      places[gap] = places[place] as number;
      gap = place;
    }
    places[gap] = 0;
  }

  /** Where `id` is, or the empty place that ends the search for it. */
  #placeOf(id: number): number {
    const places = this.#places;
    let place = id & this.#mask;
    for (;;) {
      const held = places[place] as number;
      if (held === 0 || held >>> ID_SHIFT === id) return place;
      place = (place + 1) & this.#mask;
    }
  }

  #grow(): void {
    const old = this.#places;
    this.#places = new Int32Array(2 * old.length);
    this.#mask = this.#places.length - 1;
    for (const held of old) {
      if (held !== 0) this.#places[this.#placeOf(held >>> ID_SHIFT)] = held;
    }
  }
}
