// Ends the process on the spot.
import { loadLibc } from './libc.js';

/**
 * Ends the process without taking it down: no handler runs, no thread is waited for. `process.exit` stops worker threads wherever they are, and
 * koffi aborts the process when that is within one of its calls.
 */
export function exitNow(code: number): never {
  const result = loadLibc();
  if ('libc' in result) result.libc._exit(code);
  process.exit(code);
}
