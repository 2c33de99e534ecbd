// Hot path. How much may be sent beyond one message per query: a share of what is earned, and a burst.

export class Budget {
  readonly #share: number;
  readonly #burst: number;
  #left: number;

  /** `share` messages are earned each time; no more than `burst` are kept. A share of 0 allows nothing. */
  constructor(share: number, burst: number) {
    this.#share = share;
    this.#burst = share === 0 ? 0 : burst;
    this.#left = this.#burst;
  }

  get isOpen(): boolean {
    return this.#share > 0;
  }

  earn(): void {
    this.#left = Math.min(this.#left + this.#share, this.#burst);
  }

  /** Whether there was one left, which is spent then. */
  spend(): boolean {
    if (this.#left < 1) return false;
    this.#left--;
    return true;
  }
}
