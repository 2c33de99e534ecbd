// What a look-up and an insert cost in the slab: hash, probe, key compare, copy, TTL patch, without sockets and chain. And what it costs that long
// bodies lie in blocks, beside the same bytes in one piece.
//
// Run: node dist/bench/micro/slab.js [entries...].
import { slabBytes, slabGeometry } from '../../core/memory/geometry.js';
import { Hasher } from '../../core/memory/hash.js';
import { type SlabKey, SlabReader } from '../../core/memory/slab-reader.js';
import { SlabWriter } from '../../core/memory/slab-writer.js';
import { copyWords } from '../../core/memory/words.js';
import { measure } from './rounds.js';

const CALLS = 200_000;

/** Words of a name of 20 bytes, and of an answer of 100 bytes: 88 behind the header, and one word with the offset of its TTL. */
const NAME_WORDS = 5;
const BODY_WORDS = 23;

/** Entries are taken in this order, over and over. */
const DRAWS = 1 << 16;

class Key implements SlabKey {
  readonly a = 0x10001;
  readonly b = 20 << 8;
  readonly c = 0;
  readonly words = new Uint32Array(64);
  readonly bytes = 20;
  low = 0;
  high = 0;
}

/** A name for each number, one behind another so that finding the name costs the benchmark little. */
function names(count: number): Uint32Array {
  const bytes = new Uint8Array(count * NAME_WORDS * 4);
  for (let i = 0; i < count; i++) {
    const name = `\x06${String(i).padStart(6, '0')}\x07example\x03net`;
    bytes.set(new TextEncoder().encode(name.slice(0, 19)), i * NAME_WORDS * 4);
  }
  return new Uint32Array(bytes.buffer);
}

class Bench {
  readonly reader: SlabReader;
  readonly writer: SlabWriter;
  readonly #all: Uint32Array;
  readonly #order: Uint32Array;
  readonly #key = new Key();
  readonly #hasher = new Hasher(0x12345678, 0x9abcdef0);
  readonly #meta = new Int32Array(6);
  readonly #body = new Int32Array(1024);
  readonly #out = new Int32Array(1024);
  readonly #bytes = new Uint8Array(this.#out.buffer);

  constructor(entries: number) {
    const geometry = slabGeometry(entries, entries * 2048);
    const memory = new SharedArrayBuffer(slabBytes(geometry));
    this.reader = new SlabReader(memory, geometry);
    this.writer = new SlabWriter(memory, geometry, 1);
    this.#all = names(entries);
    this.#order = Uint32Array.from({ length: DRAWS }, () => Math.floor(Math.random() * entries));
  }

  /** Makes the key that of draw `i`. */
  select(i: number): Key {
    const key = this.#key;
    const at = (this.#order[i & (DRAWS - 1)] as number) * NAME_WORDS;
    for (let w = 0; w < NAME_WORDS; w++) key.words[w] = this.#all[at + w] as number;
    this.#hasher.hash(key.a, key.b, key.words, NAME_WORDS);
    key.low = this.#hasher.low;
    key.high = this.#hasher.high;
    return key;
  }

  insert(i: number, words: number): void {
    const key = this.select(i);
    for (let w = 0; w < NAME_WORDS; w++) this.#body[w] = key.words[w] as number;
    this.writer.insert(key, this.#meta, this.#body, words, 1 << 20, 0);
  }

  fill(): void {
    const count = this.#all.length / NAME_WORDS;
    for (let n = 0; n < count; n++) {
      this.#order[0] = n;
      this.insert(0, BODY_WORDS);
    }
  }

  find(i: number): number {
    return this.reader.find(this.select(i)) && this.reader.isWhole ? 1 : 0;
  }

  hit(i: number): number {
    const { reader } = this;
    if (!reader.find(this.select(i))) return 0;
    if (!reader.copyBody(this.#out, 3) || !reader.isWhole) return 0;
    reader.touch();
    const bytes = this.#bytes;
    const at = 40 + (this.#out[25] as number);
    for (let b = at; b < at + 4; b++) bytes[b] = (bytes[b] as number) - 1;
    return 1;
  }

  copy(): number {
    return this.reader.copyBody(this.#out, 3) ? 1 : 0;
  }
}

/** Runs `step` for each call and adds up what it gives. */
function each(step: (i: number) => number): (calls: number) => number {
  return (calls) => {
    let sum = 0;
    for (let i = 0; i < calls; i++) sum += step(i);
    return sum;
  };
}

function run(entries: number): void {
  const bench = new Bench(entries);
  const held = process.memoryUsage.rss();
  bench.fill();
  const grown = ((process.memoryUsage.rss() - held) / 2 ** 20).toFixed(1);
  console.log(`\n${entries} entries: ${bench.writer.count} kept, memory grew by ${grown} MB`);
  measure(
    'hash',
    CALLS,
    each((i) => bench.select(i).low & 1),
  );
  measure(
    'hash, find',
    CALLS,
    each((i) => bench.find(i)),
  );
  measure(
    'hash, find, copy, patch a TTL, touch',
    CALLS,
    each((i) => bench.hit(i)),
  );
  measure(
    'insert over an entry',
    CALLS,
    each((i) => {
      bench.insert(i, BODY_WORDS);
      return 1;
    }),
  );
}

function compareStorage(): void {
  console.log('\nbodies in blocks, and the same in one piece');
  const pieces = new Int32Array(new SharedArrayBuffer(1024 * 4096));
  const out = new Int32Array(1024);
  for (const bytes of [100, 200, 400, 1200]) {
    const words = bytes / 4;
    const bench = new Bench(1024);
    bench.insert(0, words);
    bench.reader.find(bench.select(0));
    measure(
      `copy ${bytes} bytes, blocks`,
      CALLS,
      each(() => bench.copy()),
    );
    measure(
      `copy ${bytes} bytes, one piece`,
      CALLS,
      each(() => {
        copyWords(pieces, 1024, out, 3, words);
        return 1;
      }),
    );
  }
}

const sizes = process.argv.slice(2).map(Number);
for (const entries of sizes.length > 0 ? sizes : [10_000, 100_000, 1_000_000]) run(entries);
compareStorage();
