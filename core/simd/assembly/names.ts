// The name kernels in AssemblyScript: domain names in wire form (RFC 1035 3.1), sixteen bytes at a time. Their twins in TypeScript are in ../names.ts.
//
// One memory may be shared by threads, so there is no `new`, no string, no array and no static data here: every argument is an offset into the memory
// or a number. No wait instruction either, which the baseline compiler of Node 20 gets wrong. Up to fifteen bytes behind what is named may be read,
// and with `foldName` written as zeros, so nothing may end closer than that to the end of the memory.

const MAX_LABEL_BYTES: u32 = 63;
const MAX_NAME_BYTES: usize = 255;

/** Bytes of a vector. */
const STEP: usize = 16;

export function foldName(name: usize, lastRoot: usize, into: usize): i32 {
  const last = min(lastRoot, name + MAX_NAME_BYTES - 1);
  let at = name;
  let labels: i32 = 0;
  while (at <= last) {
    const octet = <u32>load<u8>(at);
    if (octet == 0) {
      const length = at + 1 - name;
      fold(name, into, length);
      return (<i32>length << 8) | labels;
    }
    if (octet > MAX_LABEL_BYTES) return -1;
    at += octet + 1;
    labels++;
  }
  return -1;
}

export function hash(hasher: usize, a: u32, b: u32, words: usize, count: u32): void {
  let v0 = load<u32>(hasher);
  let v1 = load<u32>(hasher, 4);
  let v2 = v0 ^ 0x6c796765 ^ a;
  let v3 = v1 ^ 0x74656462 ^ b;
  const end = words + (<usize>count << 2);
  for (let at = words; at < end; at += 4) {
    const word = load<u32>(at);
    v3 ^= word;
    v0 += v1;
    v1 = rotl<u32>(v1, 5) ^ v0;
    v0 = rotl<u32>(v0, 16);
    v2 += v3;
    v3 = rotl<u32>(v3, 8) ^ v2;
    v0 += v3;
    v3 = rotl<u32>(v3, 7) ^ v0;
    v2 += v1;
    v1 = rotl<u32>(v1, 13) ^ v2;
    v2 = rotl<u32>(v2, 16);
    v0 ^= word;
  }
  v2 ^= 0xff;
  for (let i = 0; i < 3; i++) {
    v0 += v1;
    v1 = rotl<u32>(v1, 5) ^ v0;
    v0 = rotl<u32>(v0, 16);
    v2 += v3;
    v3 = rotl<u32>(v3, 8) ^ v2;
    v0 += v3;
    v3 = rotl<u32>(v3, 7) ^ v0;
    v2 += v1;
    v1 = rotl<u32>(v1, 13) ^ v2;
    v2 = rotl<u32>(v2, 16);
  }
  store<u32>(hasher, v1 ^ v3, 8);
  store<u32>(hasher, v0 ^ v2, 12);
}

export function equal(a: usize, b: usize, length: usize): bool {
  let left = length;
  for (; left >= STEP; left -= STEP) {
    if (v128.any_true(v128.xor(v128.load(a), v128.load(b)))) return false;
    a += STEP;
    b += STEP;
  }
  if (left == 0) return true;
  return !v128.any_true(v128.and(v128.xor(v128.load(a), v128.load(b)), firstBytes(left)));
}

export function equalFolded(a: usize, b: usize, length: usize): bool {
  let left = length;
  for (; left >= STEP; left -= STEP) {
    const difference = v128.xor(lowerCase(v128.load(a)), lowerCase(v128.load(b)));
    if (v128.any_true(difference)) return false;
    a += STEP;
    b += STEP;
  }
  if (left == 0) return true;
  const difference = v128.xor(lowerCase(v128.load(a)), lowerCase(v128.load(b)));
  return !v128.any_true(v128.and(difference, firstBytes(left)));
}

/** Length octets are below A, so that they need not be told from letters. What is left of the last vector becomes zero. */
function fold(from: usize, into: usize, length: usize): void {
  let left = length;
  for (; left > STEP; left -= STEP) {
    v128.store(into, lowerCase(v128.load(from)));
    from += STEP;
    into += STEP;
  }
  v128.store(into, v128.and(lowerCase(v128.load(from)), firstBytes(left)));
}

function lowerCase(bytes: v128): v128 {
  const isUpper = i8x16.lt_u(i8x16.sub(bytes, i8x16.splat(0x41)), i8x16.splat(26));
  return v128.or(bytes, v128.and(isUpper, i8x16.splat(0x20)));
}

/** A mask of the first `count` bytes of a vector. */
function firstBytes(count: usize): v128 {
  const places = i8x16(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  return i8x16.lt_u(places, i8x16.splat(<i8>count));
}
