// The questions of a load: names drawn with a Zipf law from a fixed set, or names that never repeat.

export interface QuestionOptions {
  /** `zipf` draws from `names` names; `unique` asks each name once. */
  readonly kind: 'zipf' | 'unique';
  readonly names: number;
  /** Exponent of the Zipf law: the share of the n-th name falls with n to this power. */
  readonly exponent: number;
  /** Parent of all names, for instance `example.org`. */
  readonly suffix: string;
  /** Seed of the draw, and part of unique names: another seed, other names. */
  readonly seed: number;
  /** Adds an OPT record; `do` with the DO bit. */
  readonly edns: 'none' | 'opt' | 'do';
}

/** Questions drawn ahead; the sequence repeats after that. A power of two. */
const DRAWN = 1 << 18;
const TYPE_A = 1;
const CLASS_IN = 1;
const HEADER_BYTES = 12;
/** OPT: root, type 41, payload size 1232, extended rcode and version 0, flags, no options. */
const OPT = [0, 0, 41, 1232 >> 8, 1232 & 255, 0, 0, 0, 0, 0, 0];
const DO_BIT = 0x80;
const DO_OFFSET = 7;

/** Writes one query after another. */
export interface Questions {
  /** Writes the next query with `id` to `out` and returns its length. */
  next(out: Uint8Array, id: number): number;
}

/** The name with number `n` of a zipf load: a zone for it lists these. */
export function loadName(n: number, suffix: string): string {
  return `host-${n}.${suffix}`;
}

export function createQuestions(options: QuestionOptions): Questions {
  return options.kind === 'zipf' ? zipfQuestions(options) : uniqueQuestions(options);
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

function zipfQuestions(options: QuestionOptions): Questions {
  const wires = Array.from({ length: options.names }, (_, n) =>
    queryWire(loadName(n, options.suffix), options.edns),
  );
  const order = zipfDraw(options.names, options.exponent, options.seed, DRAWN);
  let at = 0;
  return {
    next(out, id) {
      const wire = wires[order[at++ & (DRAWN - 1)] as number] as Uint8Array;
      out.set(wire);
      out[0] = id >> 8;
      out[1] = id & 255;
      return wire.length;
    },
  };
}

/** `x<counter in letters>-<seed>.SUFFIX`: the counter is changed in place. */
function uniqueQuestions(options: QuestionOptions): Questions {
  const wire = queryWire(`xaaaaaaaa-${options.seed}.${options.suffix}`, options.edns);
  const counterAt = HEADER_BYTES + 2;
  return {
    next(out, id) {
      for (let i = counterAt + 7; ; i--) {
        const letter = (wire[i] as number) + 1;
        wire[i] = letter > 0x7a ? 0x61 : letter;
        if (letter <= 0x7a || i === counterAt) break;
      }
      out.set(wire);
      out[0] = id >> 8;
      out[1] = id & 255;
      return wire.length;
    },
  };
}

function queryWire(name: string, edns: QuestionOptions['edns']): Uint8Array {
  const hasOpt = edns !== 'none';
  const bytes = [0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, hasOpt ? 1 : 0];
  for (const label of name.split('.')) bytes.push(label.length, ...Buffer.from(label));
  bytes.push(0, 0, TYPE_A, 0, CLASS_IN);
  const opt = [...OPT];
  if (edns === 'do') opt[DO_OFFSET] = DO_BIT;
  if (hasOpt) bytes.push(...opt);
  return Uint8Array.from(bytes);
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
