// Hot path. In which order other threads see what one thread stores in shared memory.
//
// x86 makes stores visible in the order of the program, and takes loads in that order too (Sewell et al., "x86-TSO", CACM 2010), and V8 keeps the order of
// stores to typed arrays. What `Atomics.store` adds there is a wait until all earlier stores have reached the cache, which those to memory that is not in it
// make long: an insert into a slab of 100,000 entries had nine such waits and took a fifth more (bench/micro/slab.ts). Elsewhere order has its price.

/** Plain stores, and plain loads, stay in order among themselves. */
export const IS_ORDERED = process.arch === 'x64' || process.arch === 'ia32';

/** Stores a word that no thread sees before everything this one stored earlier. What comes later may become visible before it only where order is not given. */
export function releaseWord(words: Int32Array, at: number, value: number): void {
  if (IS_ORDERED) words[at] = value;
  else Atomics.store(words, at, value);
}
