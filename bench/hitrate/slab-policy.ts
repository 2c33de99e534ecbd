// The cache's own replacement, in the slab the cache uses: shared memory, look-ups that only mark, insertion by the writer.
import { slabBytes, slabGeometry } from '../../core/memory/geometry.js';
import { Hasher } from '../../core/memory/hash.js';
import { type SlabKey, SlabReader } from '../../core/memory/slab-reader.js';
import { SlabWriter } from '../../core/memory/slab-writer.js';
import type { Policy } from './policy.js';

/** Words of a record: what fits in an entry. */
const BODY_WORDS = 8;
const META = new Int32Array(6);

class NumberKey implements SlabKey {
  a = 0;
  readonly b = 0;
  readonly c = 0;
  readonly words = new Uint32Array(1);
  readonly bytes = 4;
  low = 0;
  high = 0;
  readonly #hasher = new Hasher(0x01234567, 0x89abcdef);

  set(n: number): void {
    this.a = n;
    this.words[0] = n;
    this.#hasher.hash(n, 0, this.words, 1);
    this.low = this.#hasher.low;
    this.high = this.#hasher.high;
  }
}

export class SlabPolicy implements Policy {
  readonly writer: SlabWriter;
  readonly #reader: SlabReader;
  readonly #key = new NumberKey();
  readonly #body = new Int32Array(BODY_WORDS);

  /** `shards` is the slab's own choice unless it is given. */
  constructor(capacity: number, shards?: number) {
    const geometry = slabGeometry(capacity, 0, 0, shards);
    const memory = new SharedArrayBuffer(slabBytes(geometry));
    this.#reader = new SlabReader(memory, geometry);
    this.writer = new SlabWriter(memory, geometry, 1);
  }

  access(id: number): boolean {
    this.#key.set(id);
    if (this.#reader.find(this.#key)) {
      this.#reader.touch();
      return true;
    }
    this.#body[0] = id;
    this.writer.insert(this.#key, META, this.#body, BODY_WORDS, 1, 0);
    return false;
  }
}
