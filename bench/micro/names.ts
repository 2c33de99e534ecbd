// The name kernels by length of name: WebAssembly, where the bytes lie in its memory or must be copied in, beside TypeScript.
import { Hasher } from '../../core/memory/hash.js';
import { foldPlaced, loadKernels, placeForKernels } from '../../core/simd/kernels.js';
import { equalWords, foldName } from '../../core/simd/names.js';
import { equalFolded } from '../../core/wire/name.js';
import { measure } from './rounds.js';

const CALLS = 300_000;
const LENGTHS = [5, 15, 30, 60, 120, 250];

/** Where a question's name starts. */
const QNAME = 12;
const SLOT_BYTES = 4096;

const LETTERS = 'AbCdEfGh12-xyz';

/** A name of `length` bytes in mixed case, of labels as long as usual ones. */
function nameOf(length: number): Uint8Array {
  const name = new Uint8Array(length);
  for (let at = 0; at < length - 1; ) {
    let label = Math.min(at === 0 ? 3 : 12, length - 2 - at);
    if (length - 2 - at - label === 1) label--;
    name[at++] = label;
    for (let i = 0; i < label; i++) name[at++] = LETTERS.charCodeAt(i % LETTERS.length);
  }
  return name;
}

const loaded = loadKernels();
const place = placeForKernels(SLOT_BYTES);
if (loaded === undefined || place === undefined) throw new Error('no WebAssembly with vectors');
const { kernels, memory } = loaded;
const inside = new Int32Array(memory.buffer);
const insideBytes = new Uint8Array(memory.buffer);
const placed = new Uint8Array(place.memory, place.at, SLOT_BYTES);

/** As in the server: a receive slot is shared memory, a query's folded name its own. */
const slot = new Uint8Array(new SharedArrayBuffer(SLOT_BYTES));
const slotWords = new Int32Array(slot.buffer);
const folded = new Uint8Array(256);
const folded32 = new Uint32Array(folded.buffer);
const stored = new Uint8Array(new SharedArrayBuffer(256));
const stored32 = new Uint32Array(stored.buffer);

/** Places in the kernels' memory. */
const IN = 4096;
const OUT = 8192;
const OTHER = 12_288;
const HASHER = 16_384;

function copyIn(from: Int32Array | Uint32Array, first: number, to: number, count: number): void {
  for (let i = 0; i < count; i++) inside[to + i] = from[first + i] as number;
}

function each(name: string, step: (i: number) => number): void {
  measure(name, CALLS, (calls) => {
    let sum = 1;
    for (let i = 0; i < calls; i++) sum += step(i);
    return sum;
  });
}

function compareFolding(length: number, words: number, at: number): void {
  const last = length - 1;
  each(`${length} bytes: fold, TypeScript`, () => foldName(slot, QNAME, QNAME + last, folded));
  each('  wasm, stays in its memory', () => kernels.foldName(IN, IN + last, OUT));
  each('  wasm, copied out (the server)', () => foldPlaced(at, at + last, folded32));
  each('  wasm, copied in and out', () => {
    copyIn(slotWords, QNAME / 4, IN / 4, words);
    const result = kernels.foldName(IN, IN + last, OUT);
    for (let i = 0; i < words; i++) folded32[i] = inside[OUT / 4 + i] as number;
    return result;
  });
}

function compareHashing(length: number, words: number): void {
  const hasher = new Hasher(1, 2);
  each(`${length} bytes: hash, TypeScript`, (i) => {
    hasher.hashHere(i, 5, folded32, words);
    return hasher.low ^ hasher.high;
  });
  const taken = (): number =>
    (inside[HASHER / 4 + 2] as number) ^ (inside[HASHER / 4 + 3] as number);
  each('  wasm, lies in its memory', (i) => {
    kernels.hash(HASHER, i, 5, OUT, words);
    return taken();
  });
  each('  wasm, copied in from five words on (the server)', (i) => {
    hasher.hash(i, 5, folded32, words);
    return hasher.low ^ hasher.high;
  });
}

function compareComparing(length: number, words: number): void {
  each(`${length} bytes: equal, TypeScript (the server)`, () =>
    equalWords(stored32, folded32, words) ? 1 : 0,
  );
  each('  wasm, both lie in its memory', () => kernels.equal(OUT, OTHER, length));
  each('  wasm, both copied in', () => {
    copyIn(stored32, 0, OTHER / 4, words);
    copyIn(folded32, 0, OUT / 4, words);
    return kernels.equal(OUT, OTHER, length);
  });
  each(`${length} bytes: equal but for case, TypeScript (the server)`, () =>
    equalFolded(slot, QNAME, stored, 0, length) ? 1 : 0,
  );
  each('  wasm, both lie in its memory', () => kernels.equalFolded(IN, OTHER, length));
  each('  wasm, both copied in', () => {
    copyIn(slotWords, QNAME / 4, IN / 4, words);
    copyIn(stored32, 0, OTHER / 4, words);
    return kernels.equalFolded(IN, OTHER, length);
  });
}

for (const length of LENGTHS) {
  const name = nameOf(length);
  slot.set(name, QNAME);
  placed.set(name, QNAME);
  insideBytes.set(name, IN);
  foldName(name, 0, length - 1, folded);
  stored.set(folded);
  insideBytes.set(folded, OTHER);
  const words = (length + 3) >> 2;
  compareFolding(length, words, place.at + QNAME);
  compareHashing(length, words);
  compareComparing(length, words);
}
