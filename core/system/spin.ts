// Hot path. Whether to look again for a moment before sleeping: while one client asks one query after another, and its next is found that way.
//
// Going to sleep and waking up is most of a lone query's round trip. Looking again costs processor time and keeps datagrams from being served
// together, so it is done only where nobody else asks: after a run of datagrams that each came alone and from one sender. A look that finds nothing
// is not repeated for a while, twice as long every time.

/** Datagrams in a row that came alone and from one sender. */
const RUN = 16;
/** Looks at most, some 60 us: what a client on this host needs to wake up and ask again. With 32 looks most were vain. */
const LOOKS = 128;
/** After so many vain tries in a row the pause grows no longer: one try in 4096 chances. */
const MAX_VAIN = 12;

export class Spinner {
  /** Looks to take before sleeping; 0 for none. */
  looks = 0;
  #sender = 0;
  #run = 0;
  #vain = 0;
  #pause = 0;

  /** A receive call brought `count` datagrams, the first from `sender`. */
  onBatch(count: number, sender: number): void {
    if (count !== 1 || sender !== this.#sender) {
      this.#sender = sender;
      this.#run = 0;
      this.looks = 0;
    } else if (++this.#run >= RUN) {
      this.looks = --this.#pause < 0 ? LOOKS : 0;
    }
  }

  /** What came of looking: `isFound` says that a datagram was there. */
  onLooked(isFound: boolean): void {
    if (isFound) {
      this.#vain = 0;
    } else {
      this.#vain = Math.min(this.#vain + 1, MAX_VAIN);
      this.#pause = 1 << this.#vain;
      this.looks = 0;
    }
  }
}
