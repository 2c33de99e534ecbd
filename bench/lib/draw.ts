// Random numbers that are the same for the same seed, and draws with a Zipf law.

/** Uniform numbers in [0, 1) from a seed (mulberry32). */
export function createRandom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** Indices 0 to `names` - 1 with Zipf frequencies, the same for the same seed. */
export function zipfDraw(
  names: number,
  exponent: number,
  seed: number,
  count: number,
): Uint32Array {
  const cumulated = new Float64Array(names);
  let sum = 0;
  for (let n = 0; n < names; n++) {
    sum += (n + 1) ** -exponent;
    cumulated[n] = sum;
  }
  const random = createRandom(seed);
  return Uint32Array.from({ length: count }, () => firstAbove(cumulated, random() * sum));
}

function firstAbove(cumulated: Float64Array, value: number): number {
  let low = 0;
  let high = cumulated.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((cumulated[middle] as number) > value) high = middle;
    else low = middle + 1;
  }
  return low;
}
