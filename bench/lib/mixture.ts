// The questions of many clients at once: popular names and rare ones, three types, names that do not exist, clients with and without EDNS.
import { createRandom, zipfDraw } from './draw.js';
import {
  addEdns,
  type Edns,
  HEADER_BYTES,
  queryWire,
  setId,
  TYPE_A,
  TYPE_AAAA,
  TYPE_HTTPS,
} from './query-wire.js';

/** Shares of all questions: chosen for these tests to be of the size an access network sees. The rest of the types is A, the rest of the clients has no EDNS. */
export const MIXTURE = {
  aaaa: 0.25,
  https: 0.15,
  /** Names that do not exist: half of them mistakes that many make, half never asked before. */
  nxdomain: 0.1,
  /** Names that exist and were never asked before. */
  rare: 0.02,
  edns: 0.7,
  /** Of those with EDNS. */
  do: 0.3,
} as const;

export interface MixtureOptions {
  readonly names: number;
  readonly exponent: number;
  readonly suffix: string;
  readonly seed: number;
}

/** The label under which the upstream knows no name. */
export const MISSING_LABEL = 'missing';

/** Questions drawn ahead; only names never asked before differ after that. A power of two. */
const DRAWN = 1 << 20;
const TYPES = [TYPE_A, TYPE_AAAA, TYPE_HTTPS] as const;
const EDNS: readonly Edns[] = ['none', 'opt', 'do'];
/** Letters of a name never asked before, at the start of its first label. */
const COUNTER_AT = HEADER_BYTES + 2;
const COUNTER_LETTERS = 8;

/** What a drawn question is: index of its name in `wires`, type and EDNS. */
interface Drawn {
  readonly name: Uint32Array;
  readonly type: Uint8Array;
  readonly edns: Uint8Array;
}

/** Writes the next query with an id to a buffer; its length. */
export function mixtureOf(options: MixtureOptions): (out: Uint8Array, id: number) => number {
  const { names, suffix, seed } = options;
  const missing = `${MISSING_LABEL}.${suffix}`;
  // Existing names, then as many that do not exist, then one of either sort whose letters are counted on.
  const wires = [
    ...Array.from({ length: names }, (_, n) => queryWire(`host-${n}.${suffix}`, 'none')),
    ...Array.from({ length: names }, (_, n) => queryWire(`typo-${n}.${missing}`, 'none')),
    queryWire(`raaaaaaaa-${seed}.${suffix}`, 'none'),
    queryWire(`raaaaaaaa-${seed}.${missing}`, 'none'),
  ];
  const drawn = draw(options);
  let at = 0;
  return (out, id) => {
    const i = at++ & (DRAWN - 1);
    const n = drawn.name[i] as number;
    const wire = wires[n] as Uint8Array;
    if (n >= 2 * names) countOn(wire);
    out.set(wire);
    setId(out, id);
    out[wire.length - 3] = TYPES[drawn.type[i] as number] as number;
    return addEdns(out, wire.length, EDNS[drawn.edns[i] as number] as Edns);
  };
}

function draw({ names, exponent, seed }: MixtureOptions): Drawn {
  const random = createRandom(seed ^ 0x5bd1e995);
  const name = zipfDraw(names, exponent, seed, DRAWN);
  const type = new Uint8Array(DRAWN);
  const edns = new Uint8Array(DRAWN);
  for (let i = 0; i < DRAWN; i++) {
    const kind = random();
    if (kind < MIXTURE.nxdomain / 2) name[i] = names * 2 + 1;
    else if (kind < MIXTURE.nxdomain) name[i] = (name[i] as number) + names;
    else if (kind < MIXTURE.nxdomain + MIXTURE.rare) name[i] = names * 2;
    const t = random();
    type[i] = t < MIXTURE.aaaa ? 1 : t < MIXTURE.aaaa + MIXTURE.https ? 2 : 0;
    const e = random();
    edns[i] = e < MIXTURE.edns * MIXTURE.do ? 2 : e < MIXTURE.edns ? 1 : 0;
  }
  return { name, type, edns };
}

/** The next of the names that start with a counter in letters, in place. */
export function countOn(wire: Uint8Array): void {
  for (let i = COUNTER_AT + COUNTER_LETTERS - 1; i >= COUNTER_AT; i--) {
    const letter = (wire[i] as number) + 1;
    wire[i] = letter > 0x7a ? 0x61 : letter;
    if (letter <= 0x7a) return;
  }
}

/** The `n`-th of those names, in place. */
export function countTo(wire: Uint8Array, n: number): void {
  for (let i = COUNTER_AT + COUNTER_LETTERS - 1; i >= COUNTER_AT; i--) {
    wire[i] = 0x61 + (n % 26);
    n = Math.floor(n / 26);
  }
}
