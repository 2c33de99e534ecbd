// Hot path. The name kernel `foldName` in TypeScript, for names that do not lie where the compiled one can read them. The twins of the others are
// `Hasher.hashHere` (core/memory/hash.ts), `equalWords` and `equalFolded` (core/wire/name.ts).
import { FOLD, MAX_LABEL_BYTES, MAX_NAME_BYTES } from '../wire/name.js';

/**
 * Folds the name at `at` of `wire`, which may not be compressed, into `into` and pads it there with zeros to whole words. Returns its length in
 * bytes times 256 plus its labels, the root not counted; -1 when its root label does not stand at `lastRoot` or before, it is over 255 bytes, or
 * has a label type other than plain. `into` needs room for 256 bytes; what is in it after -1 means nothing.
 */
export function foldName(wire: Uint8Array, at: number, lastRoot: number, into: Uint8Array): number {
  // A local: reading the module's binding for each byte costs a quarter more (58 ns, 66 ns: bench/micro/accept.ts).
  const fold = FOLD;
  const last = Math.min(lastRoot, at + MAX_NAME_BYTES - 1);
  let pos = at;
  let to = 0;
  let labels = 0;
  while (pos <= last) {
    const octet = wire[pos++] as number;
    into[to++] = octet;
    if (octet === 0) {
      // The last word is padded, so that whole words can be hashed and compared.
      for (; (to & 3) !== 0; to++) into[to] = 0;
      return ((pos - at) << 8) | labels;
    }
    // A pointer has nothing before it to point to.
    if (octet > MAX_LABEL_BYTES || pos + octet > last) return -1;
    for (const end = pos + octet; pos < end; pos++)
      into[to++] = fold[wire[pos] as number] as number;
    labels++;
  }
  return -1;
}

/** Whether the first `count` words are the same. */
export function equalWords(a: Uint32Array, b: Uint32Array, count: number): boolean {
  for (let i = 0; i < count; i++) if (a[i] !== b[i]) return false;
  return true;
}
