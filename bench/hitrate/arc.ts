// ARC as published (Megiddo and Modha, FAST '03, figure 4): recent names and frequent ones, what fell out of either, and a target between them.
import { NameList, type Policy } from './policy.js';

export class Arc implements Policy {
  readonly #capacity: number;
  readonly #recent: NameList;
  readonly #frequent: NameList;
  readonly #recentGhosts: NameList;
  readonly #frequentGhosts: NameList;
  /** Names that `#recent` should hold. */
  #target = 0;

  constructor(capacity: number, names: number) {
    this.#capacity = capacity;
    this.#recent = new NameList(names);
    this.#frequent = new NameList(names);
    this.#recentGhosts = new NameList(names);
    this.#frequentGhosts = new NameList(names);
  }

  access(id: number): boolean {
    if (this.#recent.has(id) || this.#frequent.has(id)) {
      (this.#recent.has(id) ? this.#recent : this.#frequent).remove(id);
      this.#frequent.add(id);
      return true;
    }
    if (this.#recentGhosts.has(id)) {
      const step = Math.max(1, this.#frequentGhosts.size / this.#recentGhosts.size);
      this.#target = Math.min(this.#capacity, this.#target + step);
      this.#replace(false);
      this.#recentGhosts.remove(id);
      this.#frequent.add(id);
    } else if (this.#frequentGhosts.has(id)) {
      const step = Math.max(1, this.#recentGhosts.size / this.#frequentGhosts.size);
      this.#target = Math.max(0, this.#target - step);
      this.#replace(true);
      this.#frequentGhosts.remove(id);
      this.#frequent.add(id);
    } else {
      this.#makeRoom();
      this.#recent.add(id);
    }
    return false;
  }

  /** Room for a name that is in no list. */
  #makeRoom(): void {
    const recent = this.#recent.size + this.#recentGhosts.size;
    const all = recent + this.#frequent.size + this.#frequentGhosts.size;
    if (recent === this.#capacity) {
      if (this.#recent.size < this.#capacity) {
        this.#recentGhosts.shift();
        this.#replace(false);
      } else {
        this.#recent.shift();
      }
    } else if (all >= this.#capacity) {
      if (all === 2 * this.#capacity) this.#frequentGhosts.shift();
      this.#replace(false);
    }
  }

  #replace(isFrequentGhost: boolean): void {
    const { size } = this.#recent;
    if (this.#recent.size + this.#frequent.size < this.#capacity) return;
    if (size > 0 && (size > this.#target || (isFrequentGhost && size === this.#target))) {
      this.#recentGhosts.add(this.#recent.shift());
    } else {
      this.#frequentGhosts.add(this.#frequent.shift());
    }
  }
}
