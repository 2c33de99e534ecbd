// Hot path for misses. NXDOMAIN is about a name, whatever the type (RFC 2308 section 5), and about all names below it (RFC 8020): it is kept
// under the name alone, one entry for all types, and looked for where there is none of the type asked for.
import {
  type BlockInfo,
  EcsFamily,
  loadCell,
  type Query,
  type Reply,
  RRType,
  storeCell,
} from '../../core/plugin.js';
import { NamesAbove } from '../negative/names-above.js';
import type { CutOptions } from '../negative/syntax.js';
import { replyBelow } from './answer.js';
import { Meta, Reach, reachOf } from './entry.js';
import type { CacheKey } from './key.js';
import { Freshness, type Region } from './region.js';

/** AD, a bit of the fourth header octet, in the word that the header begins with. */
const AD = new Int32Array(Uint8Array.of(0, 0, 0, 0x20).buffer)[Meta.HEAD] as number;

/** Cells for `allocateCells`. */
export const CUT_CELLS = 1;

/** Whether a name was ever kept that denies those below it: most upstreams validate nothing, and then no name above is worth a look. */
const HAS_CUTS = 0;

/** Tells all workers that such a name is about to be kept. */
export function noteCut(cells: Int32Array): void {
  storeCell(cells, HAS_CUTS, 1);
}

export class WholeNames {
  /** Of the name that was looked up last. */
  readonly key: CacheKey;
  readonly #success: Region;
  readonly #denial: Region;
  readonly #probe: CacheKey;
  readonly #above = new NamesAbove();
  readonly #cut: CutOptions;
  readonly #cells: Int32Array;
  /** Labels of the server block's zones: nothing is concluded from names at or above them. */
  readonly #apexLabels: readonly number[];

  /** `cells` are all workers'. */
  constructor(
    success: Region,
    denial: Region,
    key: CacheKey,
    cut: CutOptions,
    cells: Int32Array,
    block: BlockInfo,
  ) {
    this.#success = success;
    this.#denial = denial;
    this.key = key.another();
    this.#probe = key.another();
    this.#cut = cut;
    this.#cells = cells;
    this.#apexLabels = block.zones.map(
      (zone) => zone.split('.').length - 1 - (zone === '.' ? 1 : 0),
    );
  }

  /** Looks for NXDOMAIN of the name of `of`; in the denial half. */
  look(of: CacheKey, now: number): Freshness {
    this.setKey(of);
    return this.#denial.look(this.key, now);
  }

  /** Makes `key` that of the name of `of`. */
  setKey(of: CacheKey): void {
    this.key.setWhole(of);
  }

  /** An entry of a whole name with the header word `head0` is about to be kept. */
  note(head0: number): void {
    if (this.#mayDeny(head0)) noteCut(this.#cells);
  }

  /** The name of `of` was found to exist. */
  forget(of: CacheKey): void {
    this.setKey(of);
    this.#denial.writer.remove(this.key);
  }

  /** Whether the name of `of` has an address: some servers deny names for the types that they do not know (RFC 4074 section 4.2). */
  hasAddress(of: CacheKey, now: number): boolean {
    return this.#isKnown(of, RRType.A, now) || this.#isKnown(of, RRType.AAAA, now);
  }

  /** The denial of `q` that follows from NXDOMAIN for a name above its own (RFC 8020 section 2), null for none. `of` is its key. */
  deny(q: Query, of: CacheKey, now: number): Reply | null {
    if (loadCell(this.#cells, HAS_CUTS) === 0) return null;
    const above = this.#above;
    const denial = this.#denial;
    above.begin(q, this.#apexLabels[q.zone] ?? 0);
    while (above.next()) {
      this.key.setName(of, above.words, above.bytes);
      if (denial.look(this.key, now) !== Freshness.FRESH) continue;
      if (q.ecsFamily !== EcsFamily.NONE && reachOf(denial.head0) !== Reach.ALL) continue;
      if (!this.#mayDeny(denial.head0)) continue;
      if (this.hasAddress(of, now)) return null;
      const reply = replyBelow(denial, q, above.bytes);
      if (reply !== null) denial.reader.touch();
      return reply;
    }
    return null;
  }

  #mayDeny(head0: number): boolean {
    return this.#cut !== 'validated' || (head0 & AD) !== 0;
  }

  #isKnown(of: CacheKey, type: number, now: number): boolean {
    this.#probe.setType(of, type);
    return this.#success.look(this.#probe, now) === Freshness.FRESH;
  }
}
