// Which entry of a full shard makes room: CAR (Bansal and Modha, FAST '04), which is ARC in the form of clocks, so that a hit only marks its entry.
//
//   new keys -> recency clock --used since--> frequency clock -> used since: once more round
//                     | not used                    | not used
//                     v                             v
//              recency ghosts               frequency ghosts
//
// The recency clock is to hold `target` entries; the frequency clock has the rest. A key that comes back while its ghost is there tells which clock was
// too small. Where this departs from CAR, it is for what bench/hitrate shows (bench/README.md, "Hit ratio"):
//
// - A ghost of recency raises the target only if the entry would still be there in a recency clock as large as the shard. Older ghosts, up to one and a
//   half shards of evictions, still lead to the frequency clock: that is what keeps loops and scans that come again.
// - A key that comes back from the ghosts of frequency starts in the recency clock. Starting in the frequency clock it would push out what is used.
// - While the target is small, popularity is steady: entries then stay up to three rounds of the frequency clock instead of one, by how often they were used.
// - The target is never below a hundredth, where there would be no time to be used in.
//
// Each shard adapts by itself, since only its own lock is held. The hash spreads keys evenly, so all see the same traffic on a smaller scale.
import { Clocks, List } from './clocks.js';
import { ENTRY_WORDS, INLINE_WORDS, type SlabGeometry } from './geometry.js';
import { Ghosts } from './ghosts.js';
import { BODY_MASK, Entry, Shard, USES_MASK } from './shard.js';

/** Ghosts are worth something for this many evictions, in entries of the shard. */
const GHOST_AGE = 1.5;

/** The least target, and the target below which the frequency clock counts to three, as parts of the shard's entries. */
const LEAST_TARGET = 1 / 100;
const STEADY_TARGET = 1 / 20;

/** Entries that a hand passes over for one that goes: some 20 us with the lock held. Then the next one goes, used or not. */
const MAX_STEPS = 256;

/** Replacement of one slab; the caller holds the shard's lock. */
export class Replacement {
  readonly #words: Int32Array;
  readonly #entriesAt: number;
  readonly #clocks: Clocks;
  readonly #ghosts: Ghosts;

  constructor(words: Int32Array, geometry: SlabGeometry) {
    this.#words = words;
    this.#entriesAt = geometry.entriesAt - ENTRY_WORDS;
    this.#clocks = new Clocks(words, geometry);
    this.#ghosts = new Ghosts(words, geometry);
  }

  /** Learns from a key that is about to be stored and is not there. Returns the clock it belongs in. */
  admit(shard: number, hash: number): List {
    const words = this.#words;
    const used = words[shard + Shard.ENTRIES_USED]!;
    const list = this.#ghosts.take(shard, hash, GHOST_AGE * used);
    if (list === -1) return List.RECENCY;
    this.#count(shard + Shard.GHOST_HITS + list);
    const { age } = this.#ghosts;
    if (age <= used) this.#count(shard + Shard.NEAR_GHOST_HITS);
    const recent = words[shard + Shard.EVICTED]! + 1;
    const frequent = words[shard + Shard.EVICTED + 1]! + 1;
    if (list === List.FREQUENCY) {
      this.#moveTarget(shard, used, -Math.max(1, recent / frequent));
      return List.RECENCY;
    }
    // So many of the evictions since then were from the recency clock.
    const missed = (age * recent) / (recent + frequent);
    if (missed + this.#clocks.size(shard, List.RECENCY) <= used) {
      this.#moveTarget(shard, used, Math.max(1, frequent / recent));
    }
    return List.FREQUENCY;
  }

  /** Takes an entry that was stored into a clock. */
  add(shard: number, entry: number, list: List): void {
    this.#clocks.add(shard, entry, list);
  }

  /** Takes an entry that is dropped out of its clock. */
  remove(shard: number, entry: number): void {
    this.#clocks.remove(shard, entry);
  }

  /**
   * The entry to drop, 0 when the shard is empty. What is past its deadline at tick `now` goes when a hand meets it, whether it was used or not. When
   * blocks are short, an entry that has none is passed over: it would be lost for nothing.
   */
  pick(shard: number, now: number, areBlocksShort: boolean): number {
    const words = this.#words;
    const used = words[shard + Shard.ENTRIES_USED]!;
    const target = this.target(shard);
    const most = target < used * STEADY_TARGET ? USES_MASK : 1;
    for (let step = 0; ; step++) {
      const isRecent = this.#isRecencyDue(shard, target);
      const entry = this.#clocks.oldest(shard, isRecent ? List.RECENCY : List.FREQUENCY);
      if (entry === 0) return 0;
      const header = shard + this.#entriesAt + entry * ENTRY_WORDS;
      if (((now - words[header + Entry.DEADLINE]!) | 0) >= 0) return entry;
      const usage = words[header + Entry.USAGE]!;
      const uses = Math.min(usage & USES_MASK, most);
      const hasBlocks = (words[header + Entry.BODY]! & BODY_MASK) > INLINE_WORDS;
      if (step === MAX_STEPS || (uses === 0 && (hasBlocks || !areBlocksShort))) return entry;
      this.#clocks.remove(shard, entry);
      if (uses === 0) {
        this.#clocks.add(shard, entry, isRecent ? List.RECENCY : List.FREQUENCY);
        continue;
      }
      words[header + Entry.USAGE] = (usage & ~USES_MASK) | (isRecent ? 0 : uses - 1);
      this.#clocks.add(shard, entry, List.FREQUENCY);
    }
  }

  /** Remembers an entry that `pick` chose and that is dropped before its time. */
  remember(shard: number, entry: number): void {
    const words = this.#words;
    const header = shard + this.#entriesAt + entry * ENTRY_WORDS;
    const list = words[header + Entry.BODY]! < 0 ? List.FREQUENCY : List.RECENCY;
    const used = words[shard + Shard.ENTRIES_USED]!;
    this.#ghosts.add(shard, words[header + Entry.HASH]!, list, GHOST_AGE * used);
    this.#count(shard + Shard.EVICTED + list);
    const recent = words[shard + Shard.EVICTED]!;
    const frequent = words[shard + Shard.EVICTED + 1]!;
    if (recent + frequent < used) return;
    words[shard + Shard.EVICTED] = recent >> 1;
    words[shard + Shard.EVICTED + 1] = frequent >> 1;
  }

  /** Entries that the shard's recency clock is to hold. */
  target(shard: number): number {
    const used = this.#words[shard + Shard.ENTRIES_USED]!;
    return Math.min(used, leastTarget(used) + this.#words[shard + Shard.TARGET]!);
  }

  #isRecencyDue(shard: number, target: number): boolean {
    return (
      this.#clocks.size(shard, List.RECENCY) >= target ||
      this.#clocks.oldest(shard, List.FREQUENCY) === 0
    );
  }

  #moveTarget(shard: number, used: number, by: number): void {
    const least = leastTarget(used);
    const moved = Math.round(this.target(shard) - least + by);
    this.#words[shard + Shard.TARGET] = Math.max(0, Math.min(used - least, moved));
  }

  #count(at: number): void {
    this.#words[at] = (this.#words[at]! + 1) | 0;
  }
}

function leastTarget(used: number): number {
  return Math.max(1, Math.floor(used * LEAST_TARGET));
}
