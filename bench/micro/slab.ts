// What a look-up and an insert cost: hash, probe, key compare, copy, TTL patch, without sockets and chain.
//
// Run: node dist/bench/micro/slab.js [entries...]. Figures are medians of eleven rounds.

import { slabBytes, slabGeometry } from '../../core/memory/geometry.js';
import { Hasher } from '../../core/memory/hash.js';
import { type SlabKey, SlabReader } from '../../core/memory/slab-reader.js';
import { SlabWriter } from '../../core/memory/slab-writer.js';

const ROUNDS = 11;
const ROUND_OPERATIONS = 400_000;

/** An answer of 100 bytes: 88 behind the header, and one word with the offset of its TTL. */
const BODY_WORDS = 23;

class Key implements SlabKey {
  a = 0;
  b = 0;
  c = 0;
  readonly words = new Uint32Array(64);
  bytes = 0;
  low = 0;
  high = 0;
}

/** Words of a name of 20 bytes. */
const NAME_WORDS = 5;

/** A name for each number, one behind another so that finding the name costs the benchmark little. */
function names(count: number): Uint32Array {
  const bytes = new Uint8Array(count * NAME_WORDS * 4);
  for (let i = 0; i < count; i++) {
    const name = `\x06${String(i).padStart(6, '0')}\x07example\x03net`;
    bytes.set(new TextEncoder().encode(name.slice(0, 19)), i * NAME_WORDS * 4);
  }
  return new Uint32Array(bytes.buffer);
}

function measure(label: string, work: (n: number) => number): void {
  work(ROUND_OPERATIONS);
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const start = process.hrtime.bigint();
    sink += work(ROUND_OPERATIONS);
    times.push(Number(process.hrtime.bigint() - start) / ROUND_OPERATIONS);
  }
  times.sort((a, b) => a - b);
  const spread = `${(times[0] as number).toFixed(1)} to ${(times.at(-1) as number).toFixed(1)}`;
  const median = (times[ROUNDS >> 1] as number).toFixed(1);
  console.log(`${label.padEnd(44)} ${median.padStart(7)} ns  (${spread})`);
}

let sink = 0;

function run(entries: number): void {
  const geometry = slabGeometry(entries, entries * 1024);
  const memory = new SharedArrayBuffer(slabBytes(geometry));
  const slab = new SlabReader(memory, geometry);
  const writer = new SlabWriter(memory, geometry, 1);
  const hasher = new Hasher(0x12345678, 0x9abcdef0);
  const key = new Key();
  const all = names(entries);
  const meta = new Int32Array(6);
  const body = new Int32Array(64);
  const out = new Int32Array(1024);
  const outBytes = new Uint8Array(out.buffer);
  const order = Uint32Array.from({ length: 1 << 16 }, () => Math.floor(Math.random() * entries));
  const select = (i: number): void => {
    for (let w = 0; w < NAME_WORDS; w++) key.words[w] = all[i * NAME_WORDS + w] as number;
    key.bytes = 20;
    key.a = 0x10001;
    key.b = 20 << 8;
    hasher.hash(key.a, key.b, key.words, NAME_WORDS);
    key.low = hasher.low;
    key.high = hasher.high;
  };
  const fill = (i: number): void => {
    select(i);
    for (let w = 0; w < NAME_WORDS; w++) body[w] = key.words[w] as number;
    writer.insert(key, meta, body, BODY_WORDS, 1 << 20, 0);
  };
  const held = process.memoryUsage.rss();
  for (let i = 0; i < entries; i++) fill(i);
  const grown = (process.memoryUsage.rss() - held) / 2 ** 20;
  console.log(`\n${entries} entries: ${writer.count} kept, memory grew by ${grown.toFixed(1)} MB`);
  measure('hash', (n) => {
    let sum = 0;
    for (let i = 0; i < n; i++) {
      select(order[i & 0xffff] as number);
      sum += key.low;
    }
    return sum;
  });
  measure('hash, find', (n) => {
    let found = 0;
    for (let i = 0; i < n; i++) {
      select(order[i & 0xffff] as number);
      if (slab.find(key) && slab.isWhole) found++;
    }
    return found;
  });
  measure('hit: hash, find, copy, patch a TTL, touch', (n) => {
    let found = 0;
    for (let i = 0; i < n; i++) {
      select(order[i & 0xffff] as number);
      if (!slab.find(key)) continue;
      if (!slab.copyBody(out, 3) || !slab.isWhole) continue;
      slab.touch();
      const at = 40 + (out[25] as number);
      outBytes[at] = (outBytes[at] as number) - 1;
      outBytes[at + 1] = (outBytes[at + 1] as number) - 1;
      outBytes[at + 2] = (outBytes[at + 2] as number) - 1;
      outBytes[at + 3] = (outBytes[at + 3] as number) - 1;
      found++;
    }
    return found;
  });
  measure('insert over an entry', (n) => {
    for (let i = 0; i < n; i++) fill(order[i & 0xffff] as number);
    return 0;
  });
}

const sizes = process.argv.slice(2).map(Number);
for (const entries of sizes.length > 0 ? sizes : [10_000, 100_000, 1_000_000]) run(entries);
if (sink === 0.5) console.log(sink);
