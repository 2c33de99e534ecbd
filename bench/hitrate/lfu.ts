// Least frequently used, the least recently used of those. A name's count begins anew when it comes back.
import type { Policy } from './policy.js';

/** More than there are queries: a name's rank is its uses times this, plus when it was used last. */
const QUERIES = 2 ** 26;

export class Lfu implements Policy {
  readonly #capacity: number;
  /** A binary heap of names, the lowest rank first, and where each is in it, -1 for nowhere. */
  readonly #heap: number[] = [];
  readonly #place: Int32Array;
  readonly #rank: Float64Array;
  #now = 0;

  constructor(capacity: number, names: number) {
    this.#capacity = capacity;
    this.#place = new Int32Array(names).fill(-1);
    this.#rank = new Float64Array(names);
  }

  access(id: number): boolean {
    this.#now++;
    const place = this.#place[id] as number;
    if (place >= 0) {
      const uses = Math.floor((this.#rank[id] as number) / QUERIES) + 1;
      this.#rank[id] = uses * QUERIES + this.#now;
      this.#sink(place, id);
      return true;
    }
    this.#rank[id] = QUERIES + this.#now;
    if (this.#heap.length === this.#capacity) {
      this.#place[this.#heap[0] as number] = -1;
      this.#sink(0, id);
    } else {
      this.#rise(this.#heap.length, id);
    }
    return false;
  }

  #sink(from: number, id: number): void {
    const heap = this.#heap;
    let at = from;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && this.#rankAt(child + 1) < this.#rankAt(child)) child++;
      if (this.#rankAt(child) >= (this.#rank[id] as number)) break;
      this.#put(at, heap[child] as number);
      at = child;
    }
    this.#put(at, id);
  }

  #rise(from: number, id: number): void {
    let at = from;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (this.#rankAt(parent) <= (this.#rank[id] as number)) break;
      this.#put(at, this.#heap[parent] as number);
      at = parent;
    }
    this.#put(at, id);
  }

  #rankAt(place: number): number {
    return this.#rank[this.#heap[place] as number] as number;
  }

  #put(place: number, id: number): void {
    this.#heap[place] = id;
    this.#place[id] = place;
  }
}
