// Hot path. Versions of records in shared memory: a reader copies without a lock, then checks that no writer was there in between.
//
// A version is even while its record is whole and odd while it is written or free; it never goes back. A reader remembers an even version, copies,
// and keeps the copy only if the version is still the same. A writer makes it odd before its first store and even after its last; writers of one
// record exclude each other by other means (lock.ts).
import { IS_ORDERED, releaseWord } from './ordering.js';

const fence = new Int32Array(1);

/** The version at `at`; odd when there is nothing to read. */
export function readVersion(words: Int32Array, at: number): number {
  return Atomics.load(words, at);
}

/** Whether everything loaded since `readVersion` gave `version` belongs to one whole record. */
export function validate(words: Int32Array, at: number, version: number): boolean {
  // A releasing store cannot pass the loads before it, nor can the acquiring load below pass the store.
  if (!IS_ORDERED) Atomics.store(fence, 0, 0);
  return Atomics.load(words, at) === version;
}

/** Makes the version odd, unless it is: a free record's. Readers that copy now will throw their copy away. */
export function beginWrite(words: Int32Array, at: number): void {
  const version = words[at]!;
  if ((version & 1) !== 0) return;
  releaseWord(words, at, version | 1);
  // Later plain stores may pass a releasing store, but not an acquiring load behind it.
  if (!IS_ORDERED) Atomics.load(words, at);
}

/** Makes the version even again: the record is whole. */
export function endWrite(words: Int32Array, at: number): void {
  releaseWord(words, at, (words[at]! + 1) | 0);
}
