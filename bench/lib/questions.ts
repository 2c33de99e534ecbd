// The questions of a load: names drawn from a fixed set, names that never repeat, or the mixture that many clients send.
import { createRandom, zipfDraw } from './draw.js';
import { countOn, countTo, mixtureOf } from './mixture.js';
import { type Edns, queryWire, setId } from './query-wire.js';

export interface QuestionOptions {
  /**
   * `zipf` draws from `names` names; `unique` asks each name once; `known` draws evenly from the first `names` of the unique ones of this seed;
   * `mixture` is described in mixture.ts.
   */
  readonly kind: 'zipf' | 'unique' | 'known' | 'mixture';
  readonly names: number;
  /** Exponent of the Zipf law: the share of the n-th name falls with n to this power. */
  readonly exponent: number;
  /** Parent of all names, for instance `example.org`. */
  readonly suffix: string;
  /** Seed of the draw, and part of unique names: another seed, other names. */
  readonly seed: number;
  /** Adds an OPT record; `do` with the DO bit. A mixture decides for itself. */
  readonly edns: Edns;
}

/** Questions drawn ahead; the sequence repeats after that. A power of two. */
const DRAWN = 1 << 18;

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
  switch (options.kind) {
    case 'zipf':
      return zipfQuestions(options);
    case 'mixture':
      return { next: mixtureOf(options) };
    default:
      return countedQuestions(options);
  }
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
      setId(out, id);
      return wire.length;
    },
  };
}

/** `x<counter in letters>-<seed>.SUFFIX`: the counter is changed in place, by one or to any that was asked before. */
function countedQuestions(options: QuestionOptions): Questions {
  const wire = queryWire(`xaaaaaaaa-${options.seed}.${options.suffix}`, options.edns);
  const random = createRandom(options.seed);
  return {
    next(out, id) {
      if (options.kind === 'unique') countOn(wire);
      else countTo(wire, 1 + Math.floor(random() * options.names));
      out.set(wire);
      setId(out, id);
      return wire.length;
    },
  };
}
