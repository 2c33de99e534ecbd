// Which entry of a full shard makes room: CLOCK. A hand goes round; an entry that was read since it last passed is passed over once.
import { ENTRY_WORDS, type SlabGeometry } from './geometry.js';
import { Entry, Shard } from './shard.js';

const READ = 1;

/** Replacement of one slab; the caller holds the shard's lock. Readers only set the bit in USAGE. */
export class ClockHand {
  readonly #words: Int32Array;
  readonly #entriesAt: number;

  constructor(words: Int32Array, geometry: SlabGeometry) {
    this.#words = words;
    this.#entriesAt = geometry.entriesAt;
  }

  /** The entry to drop, 0 when the shard is empty. What is past its deadline at tick `now` goes whether it was read or not. */
  pick(shard: number, now: number): number {
    const words = this.#words;
    const touched = words[shard + Shard.ENTRIES_TOUCHED]!;
    let hand = words[shard + Shard.HAND]!;
    // Two rounds are enough: the first clears the bits. Readers that set them again meanwhile do not hold it up.
    for (let step = 0; step <= 2 * touched; step++) {
      if (hand >= touched) hand = 0;
      const at = shard + this.#entriesAt + hand++ * ENTRY_WORDS;
      if (words[at + Entry.BODY] === 0) continue;
      const usage = words[at + Entry.USAGE]!;
      const isDead = ((now - words[at + Entry.DEADLINE]!) | 0) >= 0;
      if (!isDead && (usage & READ) !== 0 && step < 2 * touched) {
        words[at + Entry.USAGE] = usage & ~READ;
        continue;
      }
      words[shard + Shard.HAND] = hand;
      return hand;
    }
    return 0;
  }
}
