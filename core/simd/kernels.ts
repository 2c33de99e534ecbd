// Hot path. The compiled name kernels (assembly/names.ts: WebAssembly with v128) and the memory they see. A thread has one of each, made when first
// asked for.
//
// A kernel reads nothing but its own memory, so the receive slots of client queries are placed there: a question is folded where it was received, and
// only the folded words are copied out, to the query that keeps them. Where WebAssembly, its vectors or its threads are missing TypeScript does it all.
//
// Decision, from bench/micro/names.ts on Node 20 (two shared cores; ns for names of 5, 15, 30, 60, 120 and 250 bytes, TypeScript against WebAssembly):
//   fold, where it lies        10  35  63 112 223 445     9  11  13  17  24  45
//   the same, copied out        "                        13  17  23  35  63 126     used for UDP: accept takes 33 to 62 ns instead of 47 to 114
//   the same, copied in and out "                        13  30  47  80 184 305     not for TCP, whose bytes come in a buffer of Node's
//   hash, copied in            16  24  44  80 158 327    18  25  35  53  94 184     used from five words on
//   compare, both in place      6  12  17  25  57  86     7   9  10  11  14  20     not used: the cache and the flights lie elsewhere, and
//   the same, copied in         "                        14  24  36  58 104 197     copying both in costs more than it saves
//   but for case, copied in     9  12  52 100 198 415    16  26  43  60 108 212     not used: replies lie in other slots, by bytes and not in words
import { readFileSync } from 'node:fs';
import { ownFile } from '../places.js';

const PAGE_BYTES = 65_536;

/** As in .ci/prepare.mjs. 16 MB: the slots of a worker take 1.2, and where there is no room TypeScript does the work. */
const MAX_PAGES = 256;

/** Kernels read, and write, up to a vector behind what they are given. */
const SPARE_BYTES = 16;

/** Places start on cache lines. */
const CACHE_LINE = 64;

/** At the start: the longest name, folded; seed and hash; the longest key that is hashed. */
const FOLDED_AT = 0;
const HASHER_AT = 256;
const KEY_AT = HASHER_AT + 16;
const KEY_BYTES = 256;
const PLACES_AT = KEY_AT + KEY_BYTES;

/** The same in words. */
const SEED = HASHER_AT / 4;
const HASH = SEED + 2;
const KEY = KEY_AT / 4;

/** Words of the longest key for `HashKernel`, and of the shortest for which it is the faster one (four: 24 ns, 25 ns). */
export const MAX_KEY_WORDS = KEY_BYTES / 4;
export const MIN_KEY_WORDS = 5;

/** The kernels. Every argument that is a place is an offset into their memory. */
export interface NameKernels {
  /** As `foldName` in names.ts; pads with zeros to sixteen bytes. */
  foldName(at: number, lastRoot: number, into: number): number;
  /** As `Hasher.hash`. At `hasher` are the two halves of the seed, and behind them it puts those of the hash. */
  hash(hasher: number, a: number, b: number, words: number, count: number): void;
  /** 1 when two runs of `length` bytes are the same, else 0. */
  equal(a: number, b: number, length: number): number;
  /** 1 when they are the same but for the case of ASCII letters, else 0. */
  equalFolded(a: number, b: number, length: number): number;
}

/** A memory that never moves: it grows under the views of it. */
export interface KernelMemory {
  readonly buffer: SharedArrayBuffer;
  grow(pages: number): number;
}

/** Bytes that kernels can read: from `at` of `memory`. */
export interface Place {
  readonly memory: SharedArrayBuffer;
  readonly at: number;
}

/** What is used of WebAssembly; Node's types leave it to those of browsers. Absent where the engine runs without a compiler. */
declare const WebAssembly:
  | {
      readonly Memory: new (limits: {
        initial: number;
        maximum: number;
        shared: true;
      }) => KernelMemory;
      readonly Module: new (code: Uint8Array) => object;
      readonly Instance: new (
        module: object,
        imports: { env: { memory: KernelMemory } },
      ) => { readonly exports: unknown };
      validate(code: Uint8Array): boolean;
    }
  | undefined;

/** New kernels over a memory of their own; undefined where WebAssembly, its vectors or its threads are missing, or address space for them. */
export function loadKernels(): { kernels: NameKernels; memory: KernelMemory } | undefined {
  if (typeof WebAssembly === 'undefined') return undefined;
  const code = readFileSync(ownFile('core/simd/names.wasm'));
  if (!WebAssembly.validate(code)) return undefined;
  try {
    const memory = new WebAssembly.Memory({ initial: 1, maximum: MAX_PAGES, shared: true });
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(code), { env: { memory } });
    return { kernels: exports as NameKernels, memory };
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** The thread's kernels, how far their memory is given away, and its start as words. */
class Thread {
  readonly kernels: NameKernels;
  readonly words: Int32Array;
  readonly #memory: KernelMemory;
  #used = PLACES_AT;

  constructor(kernels: NameKernels, memory: KernelMemory) {
    this.kernels = kernels;
    this.#memory = memory;
    this.words = new Int32Array(memory.buffer, 0, PLACES_AT / 4);
  }

  place(bytes: number): Place | undefined {
    const at = Math.ceil(this.#used / CACHE_LINE) * CACHE_LINE;
    const end = at + bytes;
    const wanted = Math.ceil((end + SPARE_BYTES) / PAGE_BYTES);
    if (wanted > MAX_PAGES) return undefined;
    const missing = wanted - this.#memory.buffer.byteLength / PAGE_BYTES;
    try {
      if (missing > 0) this.#memory.grow(missing);
    } catch {
      return undefined;
    }
    this.#used = end;
    return { memory: this.#memory.buffer, at };
  }
}

let thread: Thread | undefined;
let isTried = false;

/** The thread's kernels, loaded when first asked for. */
function threadKernels(): Thread | undefined {
  if (!isTried) {
    isTried = true;
    const loaded = loadKernels();
    if (loaded !== undefined) thread = new Thread(loaded.kernels, loaded.memory);
  }
  return thread;
}

/** Memory, zeroed and for good, that `foldPlaced` can read; undefined when there is none, and TypeScript has to do. */
export function placeForKernels(bytes: number): Place | undefined {
  return threadKernels()?.place(bytes);
}

/** Hashes keys of up to `MAX_KEY_WORDS` words, copied in; undefined where there are no kernels. */
export function hashKernel(): HashKernel | undefined {
  const own = threadKernels();
  return own === undefined ? undefined : new HashKernel(own.kernels, own.words);
}

export class HashKernel {
  readonly #kernels: NameKernels;
  readonly #words: Int32Array;

  constructor(kernels: NameKernels, words: Int32Array) {
    this.#kernels = kernels;
    this.#words = words;
  }

  /** As `Hasher.hash`; the hash is in `low` and `high` until the thread hashes again. */
  hash(
    seedLow: number,
    seedHigh: number,
    a: number,
    b: number,
    key: Uint32Array,
    count: number,
  ): void {
    const words = this.#words;
    words[SEED] = seedLow;
    words[SEED + 1] = seedHigh;
    for (let i = 0; i < count; i++) words[KEY + i] = key[i] as number;
    this.#kernels.hash(HASHER_AT, a, b, KEY_AT, count);
  }

  get low(): number {
    return this.#words[HASH] as number;
  }

  get high(): number {
    return this.#words[HASH + 1] as number;
  }
}

/** The offsets of `count` slots, `stride` apart from `first` of a place on; all -1 for slots that are elsewhere. */
export function offsetsInKernels(
  place: Place | undefined,
  count: number,
  first: number,
  stride: number,
): Int32Array {
  return Int32Array.from({ length: count }, (_, i) =>
    place === undefined ? -1 : place.at + first + i * stride,
  );
}

/** `foldName` for a name within what `placeForKernels` gave in this thread. */
export function foldPlaced(at: number, lastRoot: number, into: Uint32Array): number {
  const { kernels, words } = thread as Thread;
  const result = kernels.foldName(at, lastRoot, FOLDED_AT);
  if (result < 0) return -1;
  const count = ((result >> 8) + 3) >> 2;
  for (let i = 0; i < count; i++) into[i] = words[i] as number;
  return result;
}
