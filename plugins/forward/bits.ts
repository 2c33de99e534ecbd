// Sets of upstreams as bit masks.

/** Index of the lowest bit set; the mask is not empty. */
export function lowest(mask: number): number {
  return 31 - Math.clz32(mask & -mask);
}

export function bitCount(mask: number): number {
  let count = 0;
  for (let rest = mask; rest !== 0; rest &= rest - 1) count++;
  return count;
}

/** Index of the bit set that has `n` others below it; the mask has more than `n`. */
export function nth(mask: number, n: number): number {
  let rest = mask;
  for (let i = 0; i < n; i++) rest &= rest - 1;
  return lowest(rest);
}
