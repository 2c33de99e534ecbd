// S3-FIFO as published (Yang and others, SOSP '23, algorithm 1): a small queue that new names must be used in, a main one, and ghosts of the small one.
import { NameList, type Policy } from './policy.js';

/** Share of the small queue. */
const SMALL = 0.1;

const MOST_USES = 3;

export class S3Fifo implements Policy {
  readonly #capacity: number;
  readonly #smallSize: number;
  readonly #small: NameList;
  readonly #main: NameList;
  readonly #ghosts: NameList;
  readonly #uses: Uint8Array;

  constructor(capacity: number, names: number) {
    this.#capacity = capacity;
    this.#smallSize = Math.max(1, Math.floor(capacity * SMALL));
    this.#small = new NameList(names);
    this.#main = new NameList(names);
    this.#ghosts = new NameList(names);
    this.#uses = new Uint8Array(names);
  }

  access(id: number): boolean {
    const uses = this.#uses;
    if (this.#small.has(id) || this.#main.has(id)) {
      uses[id] = Math.min(MOST_USES, (uses[id] as number) + 1);
      return true;
    }
    while (this.#small.size + this.#main.size >= this.#capacity) this.#evict();
    uses[id] = 0;
    if (this.#ghosts.has(id)) {
      this.#ghosts.remove(id);
      this.#main.add(id);
    } else {
      this.#small.add(id);
    }
    return false;
  }

  #evict(): void {
    if (this.#small.size >= this.#smallSize || this.#main.size === 0) this.#evictSmall();
    else this.#evictMain();
  }

  #evictSmall(): void {
    while (this.#small.size > 0) {
      const id = this.#small.shift();
      if ((this.#uses[id] as number) <= 1) {
        if (this.#ghosts.size >= this.#capacity - this.#smallSize) this.#ghosts.shift();
        this.#ghosts.add(id);
        return;
      }
      this.#uses[id] = 0;
      this.#main.add(id);
      if (this.#main.size > this.#capacity - this.#smallSize) {
        this.#evictMain();
        return;
      }
    }
  }

  #evictMain(): void {
    for (;;) {
      const id = this.#main.shift();
      if (this.#uses[id] === 0) return;
      this.#uses[id] = (this.#uses[id] as number) - 1;
      this.#main.add(id);
    }
  }
}
