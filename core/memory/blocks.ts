// Hot path. Bodies of entries as chains of equal blocks: any free block fits any body, so no size can run out while others have room.
import { BLOCK_WORDS, INLINE_WORDS, PAYLOAD_WORDS, type SlabGeometry } from './geometry.js';
import { Shard } from './shard.js';
import { copyWords } from './words.js';

/** Blocks that a body of `words` takes beside what its entry holds. */
export function blocksFor(words: number): number {
  return words <= INLINE_WORDS ? 0 : Math.ceil((words - INLINE_WORDS) / PAYLOAD_WORDS);
}

/** The blocks of one slab. A block is named by its number in its shard, from 1; 0 is none. Writers hold the shard's lock. */
export class Blocks {
  readonly #words: Int32Array;
  readonly #at: number;
  readonly #count: number;

  constructor(words: Int32Array, geometry: SlabGeometry) {
    this.#words = words;
    this.#at = geometry.blocksAt - BLOCK_WORDS;
    this.#count = geometry.blocks;
  }

  /** Blocks of the shard that are not in use. */
  free(shard: number): number {
    return this.#count - this.#words[shard + Shard.BLOCKS_USED]!;
  }

  /** Writes the words of `from` from INLINE_WORDS to `count` into a new chain and returns its first block, 0 when there are none. There must be room. */
  write(shard: number, from: Int32Array, count: number): number {
    if (count <= INLINE_WORDS) return 0;
    const words = this.#words;
    const first = this.#take(shard);
    let at = shard + this.#at + first * BLOCK_WORDS;
    for (let done = INLINE_WORDS; ; ) {
      const end = Math.min(done + PAYLOAD_WORDS, count);
      for (let to = at; done < end; done++, to++) words[to] = from[done]!;
      if (done === count) break;
      const next = this.#take(shard);
      words[at + PAYLOAD_WORDS] = next;
      at = shard + this.#at + next * BLOCK_WORDS;
    }
    words[at + PAYLOAD_WORDS] = 0;
    return first;
  }

  /** Gives the chain of a body of `count` words back. */
  release(shard: number, first: number, count: number): void {
    const blocks = blocksFor(count);
    if (blocks === 0) return;
    const words = this.#words;
    let last = shard + this.#at + first * BLOCK_WORDS;
    for (let i = 1; i < blocks; i++) {
      last = shard + this.#at + words[last + PAYLOAD_WORDS]! * BLOCK_WORDS;
    }
    words[last + PAYLOAD_WORDS] = words[shard + Shard.FREE_BLOCK]!;
    words[shard + Shard.FREE_BLOCK] = first;
    words[shard + Shard.BLOCKS_USED] = words[shard + Shard.BLOCKS_USED]! - blocks;
  }

  /** Copies `count` words of a chain to `into` from `at`. Without lock: false when the chain is torn, anything may have been copied then. */
  copy(shard: number, first: number, count: number, into: Int32Array, at: number): boolean {
    const words = this.#words;
    let block = first;
    let done = 0;
    while (block > 0 && block <= this.#count) {
      const from = shard + this.#at + block * BLOCK_WORDS;
      const end = Math.min(PAYLOAD_WORDS, count - done);
      copyWords(words, from, into, at + done, end);
      done += end;
      if (done === count) return true;
      block = words[from + PAYLOAD_WORDS]!;
    }
    return false;
  }

  #take(shard: number): number {
    const words = this.#words;
    words[shard + Shard.BLOCKS_USED] = words[shard + Shard.BLOCKS_USED]! + 1;
    const block = words[shard + Shard.FREE_BLOCK]!;
    if (block === 0) {
      const fresh = words[shard + Shard.BLOCKS_TOUCHED]! + 1;
      words[shard + Shard.BLOCKS_TOUCHED] = fresh;
      return fresh;
    }
    const at = shard + this.#at + block * BLOCK_WORDS;
    words[shard + Shard.FREE_BLOCK] = words[at + PAYLOAD_WORDS]!;
    return block;
  }
}
