// Binds the calling thread to processors. Linux with koffi only: elsewhere nothing happens.
import { loadLibc } from './libc.js';

/** 1,024 processors, as in glibc's cpu_set_t. */
const MASK_BYTES = 128;

/** Numbers of the processors this process may use (taskset, cpuset of the container), ascending; empty when unknown. */
export function allowedCpus(): number[] {
  const result = loadLibc();
  const mask = new Uint8Array(MASK_BYTES);
  if (!('libc' in result) || result.libc.sched_getaffinity(0, MASK_BYTES, mask) < 0) return [];
  return Array.from({ length: MASK_BYTES * 8 }, (_, cpu) => cpu).filter(
    (cpu) => ((mask[cpu >> 3] as number) >> (cpu & 7)) & 1,
  );
}

/**
 * Keeps the calling thread on these processors; true when the kernel agreed. Threads and processes that it starts from then on inherit this, so those
 * that are to run anywhere have to be there before.
 */
export function pinThread(...cpus: readonly number[]): boolean {
  const result = loadLibc();
  if (!('libc' in result)) return false;
  const mask = new Uint8Array(MASK_BYTES);
  for (const cpu of cpus) {
    if (cpu < 0 || cpu >= MASK_BYTES * 8) return false;
    mask[cpu >> 3] = (mask[cpu >> 3] as number) | (1 << (cpu & 7));
  }
  return result.libc.sched_setaffinity(0, MASK_BYTES, mask) === 0;
}
