// What a replacement policy is to this benchmark, and the list all those for comparison are made of.

/** A cache of names, each a number below `names`. */
export interface Policy {
  /** Asks for a name: true when it was there. Afterwards it is, whatever had to go for it. */
  access(id: number): boolean;
}

export type PolicyMaker = (capacity: number, names: number) => Policy;

/** Names in the order they were added, each at most once; any can be removed. */
export class NameList {
  size = 0;
  readonly #older: Int32Array;
  readonly #newer: Int32Array;
  /** Stands before the oldest and behind the newest. */
  readonly #end: number;

  constructor(names: number) {
    this.#end = names;
    this.#older = new Int32Array(names + 1).fill(-1);
    this.#newer = new Int32Array(names + 1).fill(-1);
    this.#older[names] = names;
    this.#newer[names] = names;
  }

  has(id: number): boolean {
    return (this.#newer[id] as number) >= 0;
  }

  /** -1 when there is none. */
  get oldest(): number {
    const id = this.#newer[this.#end] as number;
    return id === this.#end ? -1 : id;
  }

  /** The next one added after `id`, -1 when that is the newest. */
  newerThan(id: number): number {
    const next = this.#newer[id] as number;
    return next === this.#end ? -1 : next;
  }

  /** Adds a name that is not in the list. */
  add(id: number): void {
    const last = this.#older[this.#end] as number;
    this.#newer[last] = id;
    this.#older[id] = last;
    this.#newer[id] = this.#end;
    this.#older[this.#end] = id;
    this.size++;
  }

  /** Takes a name out that is in the list. */
  remove(id: number): void {
    const older = this.#older[id] as number;
    const newer = this.#newer[id] as number;
    this.#newer[older] = newer;
    this.#older[newer] = older;
    this.#newer[id] = -1;
    this.size--;
  }

  /** Takes the oldest out and returns it; there must be one. */
  shift(): number {
    const id = this.oldest;
    this.remove(id);
    return id;
  }
}
