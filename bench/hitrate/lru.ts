// Least recently used.
import { NameList, type Policy } from './policy.js';

export class Lru implements Policy {
  readonly #capacity: number;
  readonly #list: NameList;

  constructor(capacity: number, names: number) {
    this.#capacity = capacity;
    this.#list = new NameList(names);
  }

  access(id: number): boolean {
    const list = this.#list;
    const isHit = list.has(id);
    if (isHit) list.remove(id);
    else if (list.size === this.#capacity) list.shift();
    list.add(id);
    return isHit;
  }
}
