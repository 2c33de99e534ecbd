// SIEVE as published (Zhang and others, NSDI '24, algorithm 1): one queue, and a hand that goes from the oldest to the newest and drops what was not used.
import { NameList, type Policy } from './policy.js';

export class Sieve implements Policy {
  readonly #capacity: number;
  readonly #list: NameList;
  readonly #isUsed: Uint8Array;
  /** -1 to begin at the oldest. */
  #hand = -1;

  constructor(capacity: number, names: number) {
    this.#capacity = capacity;
    this.#list = new NameList(names);
    this.#isUsed = new Uint8Array(names);
  }

  access(id: number): boolean {
    if (this.#list.has(id)) {
      this.#isUsed[id] = 1;
      return true;
    }
    if (this.#list.size === this.#capacity) this.#evict();
    this.#isUsed[id] = 0;
    this.#list.add(id);
    return false;
  }

  #evict(): void {
    let id = this.#hand === -1 ? this.#list.oldest : this.#hand;
    while (this.#isUsed[id] === 1) {
      this.#isUsed[id] = 0;
      id = this.#list.newerThan(id);
      if (id === -1) id = this.#list.oldest;
    }
    this.#hand = this.#list.newerThan(id);
    this.#list.remove(id);
  }
}
