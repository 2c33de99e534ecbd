import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { readText } from '../../test/lib/repository.js';
import { Hasher } from '../memory/hash.js';
import { equalFolded, parseName } from '../wire/name.js';
import { foldPlaced, loadKernels, placeForKernels } from './kernels.js';
import { equalWords, foldName } from './names.js';

const { kernels, memory } = loadKernels() as NonNullable<ReturnType<typeof loadKernels>>;
const bytes = new Uint8Array(memory.buffer);
const words = new Int32Array(memory.buffer);

/** Places in the kernels' memory, none of them on a vector's boundary but the folded ones. */
const NAME = 1027;
const OTHER = 2053;
const FOLDED = 4096;
const HASHER = 8192;

const RUNS = { numRuns: 2000 };

/** Labels of any length and bytes, some too long, pointers among them, with and without an end, and what is behind it. */
const label = fc.oneof(
  fc.uint8Array({ minLength: 0, maxLength: 64 }).map((text) => [text.length, ...text]),
  fc.string({ minLength: 1, maxLength: 20 }).map((text) => [...withLength(Buffer.from(text))]),
  fc.constantFrom([63, ...new Array(63).fill(0x5a)], [62, ...new Array(62).fill(0x41)]),
  fc.integer({ min: 0x40, max: 0xff }).map((octet) => [octet, 12]),
);
const hostile = fc
  .tuple(fc.array(label, { maxLength: 9 }), fc.uint8Array({ maxLength: 40 }))
  .map(([labels, rest]) => Uint8Array.from([...labels.flat(), ...rest].slice(0, 400)));

/** Names that are well formed, of every length to just over the limit. */
const wellFormed = fc
  .array(fc.uint8Array({ minLength: 1, maxLength: 63 }), { maxLength: 20 })
  .map((labels) => Uint8Array.from([...labels.flatMap((text) => [...withLength(text)]), 0]))
  .filter((name) => name.length <= 257);

function withLength(text: Uint8Array): Uint8Array {
  return Uint8Array.of(text.length, ...text.subarray(0, 255));
}

/** Folds by both ways, behind noise that neither may take for part of it; checks that they agree and gives what they return. */
function foldBoth(wire: Uint8Array, lastRoot: number): number {
  bytes.fill(0xee, NAME - 16, NAME + 512);
  bytes.fill(0xdd, FOLDED, FOLDED + 512);
  bytes.set(wire, NAME);
  const twin = new Uint8Array(256);
  const want = foldName(bytes.slice(NAME, NAME + 512), 0, lastRoot, twin);
  // Both see the noise behind the end, as the server's slots have older messages there.
  const got = kernels.foldName(NAME, NAME + lastRoot, FOLDED);
  assert.equal(got, want);
  if (got < 0) return got;
  const length = got >> 8;
  assert.deepEqual(
    bytes.slice(FOLDED, FOLDED + ((length + 3) & ~3)),
    twin.slice(0, (length + 3) & ~3),
  );
  assert.ok(bytes.subarray(FOLDED + ((length + 15) & ~15), FOLDED + 512).every((b) => b === 0xdd));
  return got;
}

test('name kernels: they are vector code over shared memory, without an instruction that waits', () => {
  assert.ok(memory.buffer instanceof SharedArrayBuffer);
  // Whoever waits or notifies does so with `atomic`; AssemblyScript adds neither.
  assert.doesNotMatch(readText('core/simd/assembly/names.ts'), /\batomic\b/);
  const code = readFileSync(new URL('names.wasm', import.meta.url));
  // Behind 0xfd are vectors: 0 is v128.load, 11 v128.store.
  for (const op of [0, 11]) assert.ok(code.includes(Buffer.of(0xfd, op)));
});

test('name kernels: fold, validate and count labels as TypeScript does, whatever the bytes', () => {
  fc.assert(
    fc.property(
      fc.oneof(hostile, wellFormed),
      fc.integer({ min: -7, max: 300 }),
      (wire, lastRoot) => {
        foldBoth(wire, lastRoot);
        foldBoth(wire, wire.length - 1);
      },
    ),
    RUNS,
  );
});

const label63 = 'A'.repeat(63);
const edges = [
  { name: 'the root', wire: [0], want: 0x100 },
  { name: 'nothing', wire: [], want: -1 },
  { name: 'one letter', wire: [1, 0x5a, 0], want: 0x301 },
  { name: 'a label of 63 bytes', wire: parseName(`${label63}.`), want: (65 << 8) | 1 },
  { name: 'a label of 64 bytes', wire: [64, ...new Array(64).fill(65), 0], want: -1 },
  {
    name: 'a name of 255 bytes',
    wire: parseName(`${label63}.${label63}.${label63}.${'B'.repeat(61)}.`),
    want: (255 << 8) | 4,
  },
  {
    name: 'a name of 256 bytes',
    wire: [
      ...parseName(`${label63}.${label63}.${label63}.`).slice(0, -1),
      62,
      ...new Array(62).fill(66),
      0,
    ],
    want: -1,
  },
  {
    name: '127 labels',
    wire: [...new Array(127).fill([1, 0x41]).flat(), 0],
    want: (255 << 8) | 127,
  },
  { name: '128 labels', wire: [...new Array(128).fill([1, 0x41]).flat(), 0], want: -1 },
  { name: 'a pointer', wire: [0xc0, 12], want: -1 },
  { name: 'a label, then a pointer', wire: [1, 0x41, 0xc0, 12], want: -1 },
  { name: 'a label cut short', wire: [5, 0x41, 0x42], want: -1 },
  { name: 'no root', wire: [1, 0x41], want: -1 },
];
for (const { name, wire, want } of edges) {
  test(`name kernels: ${name} is ${want < 0 ? 'refused' : 'folded'} by both`, () => {
    assert.equal(foldBoth(Uint8Array.from(wire), wire.length - 1), want);
  });
}

test('name kernels: hash as TypeScript does, with every seed and length', () => {
  const int = fc.integer();
  const key = fc.uint8Array({ maxLength: 256 }).map((text) => {
    const padded = new Uint8Array((text.length + 3) & ~3);
    padded.set(text);
    return new Uint32Array(padded.buffer);
  });
  fc.assert(
    fc.property(int, int, int, int, key, (seedLow, seedHigh, a, b, text) => {
      const hasher = new Hasher(seedLow, seedHigh);
      hasher.hashHere(a, b, text, text.length);
      const { low, high } = hasher;
      words.set([seedLow, seedHigh], HASHER / 4);
      words.set(text, FOLDED / 4);
      kernels.hash(HASHER, a, b, FOLDED, text.length);
      assert.deepEqual([...words.subarray(HASHER / 4 + 2, HASHER / 4 + 4)], [low, high]);
      hasher.hash(a, b, text, text.length);
      assert.deepEqual([hasher.low, hasher.high], [low, high]);
    }),
    RUNS,
  );
});

/** Two runs of one length that are the same, differ in case, or differ in one byte. */
const pairs = fc
  .tuple(
    fc.uint8Array({ maxLength: 255 }),
    fc.nat(),
    fc.constantFrom(0, 0x20, 1, 0x80),
    fc.boolean(),
  )
  .map(([a, at, change, isOther]) => {
    const b = Uint8Array.from(a, (byte) =>
      isOther && /[a-z]/i.test(String.fromCharCode(byte)) ? byte ^ 0x20 : byte,
    );
    const place = at % Math.max(1, a.length);
    if (a.length > 0) b[place] = (b[place] as number) ^ change;
    return [a, b] as const;
  });

test('name kernels: compare as TypeScript does, with and without case, and no further than told', () => {
  fc.assert(
    fc.property(pairs, ([a, b]) => {
      bytes.fill(0x11, NAME, NAME + 300);
      bytes.fill(0x99, OTHER, OTHER + 300);
      bytes.set(a, NAME);
      bytes.set(b, OTHER);
      assert.equal(
        kernels.equalFolded(NAME, OTHER, a.length) === 1,
        equalFolded(a, 0, b, 0, a.length),
      );
      const padded = (from: Uint8Array): Uint32Array => {
        const to = new Uint8Array(256);
        to.set(from);
        return new Uint32Array(to.buffer);
      };
      const same = equalWords(padded(a), padded(b), (a.length + 3) >> 2);
      assert.equal(kernels.equal(NAME, OTHER, a.length) === 1, same);
    }),
    RUNS,
  );
});

test('name kernels: a placed name is folded into the words of its query, and a place is never given twice', () => {
  const first = placeForKernels(100_000);
  const second = placeForKernels(100_000);
  assert.ok(first !== undefined && second !== undefined);
  assert.ok(second.at >= first.at + 100_000);
  const name = parseName('WWW.Example.ORG.');
  // At the very end of what was given: what is read behind it is there.
  const at = second.at + 100_000 - name.length;
  new Uint8Array(second.memory).set(name, at);
  const into = new Uint32Array(64);
  assert.equal(foldPlaced(at, at + name.length - 1, into), (name.length << 8) | 3);
  const want = new Uint8Array(256);
  foldName(name, 0, name.length - 1, want);
  assert.deepEqual(new Uint8Array(into.buffer), want);
  assert.equal(foldPlaced(at, at + 3, into), -1);
});

test('name kernels: where no memory is left, none is given', () => {
  assert.equal(placeForKernels(1 << 30), undefined);
});

const MODULE = JSON.stringify(new URL('./kernels.js', import.meta.url).href);

test('name kernels: each worker thread has its own', async (t) => {
  const code = `import(${MODULE}).then(({ placeForKernels }) =>
    require('node:worker_threads').parentPort.postMessage(placeForKernels(64).at))`;
  const worker = new Worker(code, { eval: true });
  t.after(() => worker.terminate());
  const [at] = await once(worker, 'message');
  assert.equal(at, 576);
});

test('name kernels: where there is no WebAssembly there are none', () => {
  const code = `const { placeForKernels } = await import(${MODULE}); console.log(placeForKernels(64));`;
  const args = ['--jitless', '--input-type=module', '-e', code];
  assert.equal(
    execFileSync(process.execPath, args, { encoding: 'utf8', stdio: 'pipe' }),
    'undefined\n',
  );
});
