// Hot path. Unpredictable numbers for message ids, sockets and choices, drawn from a pool that the system's generator refills.
import { randomFillSync } from 'node:crypto';

/** 16-bit numbers per refill: a system call for every 4096 queries. */
const POOL_SIZE = 4096;

const pool = new Uint16Array(POOL_SIZE);
let used = POOL_SIZE;

/** A cryptographically random number in 0..65535: a message id (RFC 5452 section 9.2). */
export function random16(): number {
  if (used === POOL_SIZE) {
    randomFillSync(pool);
    used = 0;
  }
  return pool[used++] as number;
}

/** 32 cryptographically random bits, as a signed number. */
export function random32(): number {
  return (random16() << 16) | random16();
}

/** A cryptographically random number in 0..limit - 1, each equally likely; `limit` is 1..65536. */
export function randomBelow(limit: number): number {
  // Numbers past the last whole multiple of `limit` would favour the low ones: drawn again.
  const top = 65536 - (65536 % limit);
  for (;;) {
    const n = random16();
    if (n < top) return n % limit;
  }
}
