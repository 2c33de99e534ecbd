// Spin locks in shared memory for sections of a few microseconds. The word holds who has the lock, so that a dead owner's can be found.
import { releaseWord } from './ordering.js';

/** Looks at a taken lock before giving up, some 20 us: several sections long, and short beside the wait for an upstream. */
const MAX_SPINS = 4096;

/** Takes the lock for `owner`, which is not 0. False when somebody else kept it: the caller does without, it must not wait. */
export function tryLock(words: Int32Array, at: number, owner: number): boolean {
  // Nearly always it is free.
  if (Atomics.compareExchange(words, at, 0, owner) === 0) return true;
  for (let spin = 0; spin < MAX_SPINS; spin++) {
    // Looking before swapping leaves the line shared while it is taken.
    if (Atomics.load(words, at) === 0 && Atomics.compareExchange(words, at, 0, owner) === 0) {
      return true;
    }
  }
  return false;
}

/** Gives the lock back; only its owner may. */
export function unlock(words: Int32Array, at: number): void {
  releaseWord(words, at, 0);
}

/** Takes over a lock that `from`, a thread that ended, still holds. False when it does not. */
export function takeOver(words: Int32Array, at: number, from: number, owner: number): boolean {
  return Atomics.compareExchange(words, at, from, owner) === from;
}
