// The two clocks of a shard: every entry in use is in one of them. As lists: a hand takes the oldest and what it passes over becomes the newest.
//
//   links of a shard: two words for each entry, the next older one and the next newer one, 0 for none; both ends of each list are in the shard's words.
import { ENTRY_WORDS, type SlabGeometry } from './geometry.js';
import { Entry, FREQUENT, Shard } from './shard.js';

/** Recency holds what was asked for once of late, frequency what was asked for again. */
export const List = { RECENCY: 0, FREQUENCY: 1 } as const;
export type List = (typeof List)[keyof typeof List];

/** Words of one entry's links. */
const LINK_WORDS = 2;

/** The clocks of one slab; the caller holds the shard's lock. */
export class Clocks {
  readonly #words: Int32Array;
  readonly #linksAt: number;
  readonly #entriesAt: number;

  constructor(words: Int32Array, geometry: SlabGeometry) {
    this.#words = words;
    this.#linksAt = geometry.linksAt - LINK_WORDS;
    this.#entriesAt = geometry.entriesAt - ENTRY_WORDS;
  }

  /** The entry whose turn it is, 0 when there is none. */
  oldest(shard: number, list: List): number {
    return this.#words[shard + Shard.OLDEST + list]!;
  }

  /** Entries in a list. */
  size(shard: number, list: List): number {
    return this.#words[shard + Shard.LISTED + list]!;
  }

  /** Makes an entry that is in no list the newest of one. */
  add(shard: number, entry: number, list: List): void {
    const words = this.#words;
    const at = this.#linkOf(shard, entry);
    const last = words[shard + Shard.NEWEST + list]!;
    words[at] = last;
    words[at + 1] = 0;
    if (last === 0) words[shard + Shard.OLDEST + list] = entry;
    else words[this.#linkOf(shard, last) + 1] = entry;
    words[shard + Shard.NEWEST + list] = entry;
    words[shard + Shard.LISTED + list] = words[shard + Shard.LISTED + list]! + 1;
    const body = shard + this.#entriesAt + entry * ENTRY_WORDS + Entry.BODY;
    words[body] = list === List.FREQUENCY ? words[body]! | FREQUENT : words[body]! & ~FREQUENT;
  }

  /** Takes an entry out of its list and returns which one that was. */
  remove(shard: number, entry: number): List {
    const words = this.#words;
    const body = words[shard + this.#entriesAt + entry * ENTRY_WORDS + Entry.BODY]!;
    const list = body < 0 ? List.FREQUENCY : List.RECENCY;
    const at = this.#linkOf(shard, entry);
    const older = words[at]!;
    const newer = words[at + 1]!;
    words[older === 0 ? shard + Shard.OLDEST + list : this.#linkOf(shard, older) + 1] = newer;
    words[newer === 0 ? shard + Shard.NEWEST + list : this.#linkOf(shard, newer)] = older;
    words[shard + Shard.LISTED + list] = words[shard + Shard.LISTED + list]! - 1;
    return list;
  }

  #linkOf(shard: number, entry: number): number {
    return shard + this.#linksAt + entry * LINK_WORDS;
  }
}
