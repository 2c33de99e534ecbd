// What the whole process is set to before it does much.
import { setFlagsFromString } from 'node:v8';
import { loadLibc } from './libc.js';
import { M_TRIM_THRESHOLD } from './linux.js';

/**
 * What V8 is told. Bytecode inlined into one function at most: its own limit of 920 is used up half-way along the path of a query, and the other half are
 * calls; twice as much as here gives no more and makes the process larger. The room for short-lived objects stays the megabyte that it begins with,
 * because a query leaves next to none behind. Figures in bench/README.md.
 */
export const V8_FLAGS: readonly string[] = [
  '--max-inlined-bytecode-size-cumulative=2500',
  '--semi-space-growth-factor=1',
];

/** Free memory at the end of a heap of malloc's that stays with the process. glibc begins with as much, but makes it megabytes once a large block was freed. */
const TRIM_BYTES = 128 * 1024;

/** How often what is free in between is given back, see `trimMemory`. */
const TRIM_INTERVAL_MS = 10_000;

/** For the first thread, before there are others: V8's compiler and malloc are those of all. */
export function tuneProcess(): void {
  for (const flag of V8_FLAGS) setFlagsFromString(flag);
  const result = loadLibc();
  if (!('libc' in result)) return;
  result.libc.mallopt?.(M_TRIM_THRESHOLD, TRIM_BYTES);
  if (result.libc.malloc_trim !== undefined) setInterval(trimMemory, TRIM_INTERVAL_MS).unref();
}

/**
 * Gives pages back to the system that malloc holds between memory in use. V8's compiler leaves a megabyte or two of them after each burst of work; looking for them
 * takes half a millisecond of the first thread, which serves nobody.
 */
export function trimMemory(): void {
  const result = loadLibc();
  if ('libc' in result) result.libc.malloc_trim?.(0);
}
