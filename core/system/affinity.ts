// Binds the calling thread to a processor. Linux with koffi only: elsewhere nothing happens.
import { type Libc, loadLibc } from './libc.js';

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

/** Keeps the calling thread on one processor; true when the kernel agreed. */
export function pinThread(cpu: number): boolean {
  const result = loadLibc();
  return 'libc' in result && pin(result.libc, cpu);
}

function pin(libc: Libc, cpu: number): boolean {
  if (cpu < 0 || cpu >= MASK_BYTES * 8) return false;
  const mask = new Uint8Array(MASK_BYTES);
  mask[cpu >> 3] = 1 << (cpu & 7);
  return libc.sched_setaffinity(0, MASK_BYTES, mask) === 0;
}
