// Hot path. The queries that wait for another one's reply: linked lists in arrays, one per flight, with a limit on all together.
import type { Query } from '../../core/plugin.js';
import type { Flight } from './flights.js';

const NONE = -1;

export class Waiters {
  readonly #limit: number;
  /** One question may have half of the room. */
  readonly #limitEach: number;
  readonly #queries: (Query | null)[];
  /** The node after each: in its list, or among the free ones. */
  readonly #links: Int32Array;
  #free = 0;
  #size = 0;

  constructor(limit: number) {
    this.#limit = limit;
    this.#limitEach = Math.ceil(limit / 2);
    this.#queries = new Array(limit).fill(null);
    this.#links = new Int32Array(limit);
    for (let i = 0; i < limit; i++) this.#links[i] = i + 1 < limit ? i + 1 : NONE;
  }

  /** Puts a query at the end of the flight's list. False when it or the whole is full. */
  append(flight: Flight, q: Query): boolean {
    if (this.#size >= this.#limit || flight.waiting >= this.#limitEach) return false;
    const node = this.#free;
    this.#free = this.#links[node] as number;
    this.#queries[node] = q;
    this.#links[node] = NONE;
    if (flight.tail === NONE) flight.head = node;
    else this.#links[flight.tail] = node;
    flight.tail = node;
    flight.waiting++;
    this.#size++;
    return true;
  }

  /** Takes the oldest query of the flight out. Only when it has one. */
  shift(flight: Flight): Query {
    const node = flight.head;
    flight.head = this.after(node);
    if (flight.head === NONE) flight.tail = NONE;
    if (flight.lastTried === node) flight.lastTried = NONE;
    flight.waiting--;
    return this.release(node);
  }

  /**
   * Takes the queries up to node `last` out of the flight, and gives the first of their nodes. The caller walks them with `after`, which must
   * be read before `release`.
   */
  detach(flight: Flight, last: number): number {
    const first = flight.head;
    flight.head = this.after(last);
    if (flight.head === NONE) flight.tail = NONE;
    flight.lastTried = NONE;
    this.#links[last] = NONE;
    for (let node = first; node !== NONE; node = this.after(node)) flight.waiting--;
    return first;
  }

  /** The node after this one in its list, -1 at the end. */
  after(node: number): number {
    return this.#links[node] as number;
  }

  /** Frees a node that is in no list any more; gives its query. */
  release(node: number): Query {
    const q = this.#queries[node] as Query;
    this.#queries[node] = null;
    this.#links[node] = this.#free;
    this.#free = node;
    this.#size--;
    return q;
  }
}
