// Hot path for misses. NXDOMAIN is about a name, whatever the type (RFC 2308 section 5), and about all names below it (RFC 8020): it is kept
// under the name alone, one entry for all types, and looked for where there is none of the type asked for.
import { type BlockInfo, EcsFamily, type Query, type Reply, RRType } from '../../core/plugin.js';
import { NamesAbove } from '../negative/names-above.js';
import type { CutOptions } from '../negative/syntax.js';
import { replyBelow } from './answer.js';
import { Meta, Reach, reachOf } from './entry.js';
import type { CacheKey } from './key.js';
import { Freshness, type Region } from './region.js';

/** AD, a bit of the fourth header octet, in the word that the header begins with. */
const AD = new Int32Array(Uint8Array.of(0, 0, 0, 0x20).buffer)[Meta.HEAD] as number;

export class WholeNames {
  /** Of the name that was looked up last. */
  readonly key: CacheKey;
  readonly #success: Region;
  readonly #denial: Region;
  readonly #probe: CacheKey;
  readonly #above = new NamesAbove();
  readonly #cut: CutOptions;
  /** Labels of the server block's zones: nothing is concluded from names at or above them. */
  readonly #apexLabels: readonly number[];

  constructor(success: Region, denial: Region, key: CacheKey, cut: CutOptions, block: BlockInfo) {
    this.#success = success;
    this.#denial = denial;
    this.key = key.another();
    this.#probe = key.another();
    this.#cut = cut;
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
    const above = this.#above;
    const denial = this.#denial;
    above.begin(q, this.#apexLabels[q.zone] ?? 0);
    while (above.next()) {
      this.key.setName(of, above.words, above.bytes);
      if (denial.look(this.key, now) !== Freshness.FRESH) continue;
      if (q.ecsFamily !== EcsFamily.NONE && reachOf(denial.head0) !== Reach.ALL) continue;
      if (this.#cut === 'validated' && (denial.head0 & AD) === 0) continue;
      if (this.hasAddress(of, now)) return null;
      const reply = replyBelow(denial, q, above.bytes);
      if (reply !== null) denial.reader.touch();
      return reply;
    }
    return null;
  }

  #isKnown(of: CacheKey, type: number, now: number): boolean {
    this.#probe.setType(of, type);
    return this.#success.look(this.#probe, now) === Freshness.FRESH;
  }
}
