// Hot path. What makes queries identical, and its hash.
import { EcsFamily, Hasher, type Query, Transport } from '../../core/plugin.js';

/** A name in whole words: 255 bytes (RFC 1035 2.3.4). */
const NAME_WORDS = 64;

/** A network: family and prefix length, then 64 bits of address. */
const NETWORK_WORDS = 3;

export const MAX_WORDS = NAME_WORDS + NETWORK_WORDS;

/** The question of one query after another, with everything else that its answer depends on. */
export class Question {
  /** Class and type. */
  kind = 0;
  flags = 0;
  /** The name in lower case; behind it, in words of its own, the network it is asked for. Borrowed from the query until the next `set`. */
  words: Uint32Array;
  count = 0;
  /** Two halves of a hash, the same in all workers. */
  low = 0;
  high = 0;
  readonly #own = new Uint32Array(MAX_WORDS);
  readonly #hasher: Hasher;

  constructor(seed: readonly [number, number]) {
    this.#hasher = new Hasher(seed[0], seed[1]);
    this.words = this.#own;
  }

  /** Makes this the question of `q`. */
  set(q: Query): void {
    this.kind = ((q.qclass << 16) | q.qtype) >>> 0;
    this.flags = flagsOf(q);
    this.words = q.folded32;
    this.count = (q.qnameEnd - q.qnameOffset + 3) >> 2;
    if (q.ecsFamily !== EcsFamily.NONE) this.#addNetwork(q);
    const hasher = this.#hasher;
    hasher.hash(this.kind, this.flags, this.words, this.count);
    this.low = hasher.low;
    this.high = hasher.high;
  }

  /** Only for the very same network is the answer sure to be the same (RFC 7871): its scope is not known before. */
  #addNetwork(q: Query): void {
    const own = this.#own;
    const { count } = this;
    for (let i = 0; i < count; i++) own[i] = q.folded32[i] as number;
    own[count] = (q.ecsFamily << 8) | q.ecsSource;
    own[count + 1] = q.ecsAddress32[0] as number;
    own[count + 2] = q.ecsAddress32[1] as number;
    this.words = own;
    this.count = count + NETWORK_WORDS;
  }
}

/**
 * A stream has no size limit, so its answer may be one that would be truncated for UDP, and the other way round. Who refuses client subnets has
 * the upstream told so.
 */
function flagsOf(q: Query): number {
  return (
    (q.zone << 5) |
    (q.refusesEcs ? 16 : 0) |
    (q.dnssecOk ? 8 : 0) |
    (q.checkingDisabled ? 4 : 0) |
    (q.recursionDesired ? 2 : 0) |
    (q.transport === Transport.UDP ? 0 : 1)
  );
}
