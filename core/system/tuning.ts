// What the whole process is set to before it does much.
import { setFlagsFromString } from 'node:v8';
import { loadLibc } from './libc.js';
import { M_TRIM_THRESHOLD } from './linux.js';

/**
 * Bytecode that V8 inlines into one function at most; its own limit of 920 is used up half-way along the path of a query, and the other half are calls. A miss
 * takes 0.94 of the time, a hit 0.97; twice as much gives no more and makes the process larger (bench/README.md).
 */
const INLINED_BYTES = 2500;

/** Free memory at the end of one of malloc's heaps that stays with the process: what glibc says it is, unless a large block is freed, after which it is megabytes. */
const TRIM_BYTES = 128 * 1024;

/** For the first thread, before there are others: V8's compiler and malloc are those of all. */
export function tuneProcess(): void {
  setFlagsFromString(`--max-inlined-bytecode-size-cumulative=${INLINED_BYTES}`);
  const result = loadLibc();
  if ('libc' in result) result.libc.mallopt?.(M_TRIM_THRESHOLD, TRIM_BYTES);
}
