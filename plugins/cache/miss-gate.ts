// Hot path for misses. What *negative* has answered without asking upstream although nothing is known of the question itself: a name below one that
// does not exist, and one of too many unknown names in a zone.
import {
  type Clock,
  EcsFamily,
  Ede,
  type Query,
  Rcode,
  type Reply,
  RRType,
  type Services,
} from '../../core/plugin.js';
import { ZoneLimit } from '../negative/zone-limit.js';
import { findAuthority, Kind } from './classify.js';
import type { CacheCounts, ServerCounts } from './counts.js';
import type { CacheKey } from './key.js';
import type { CacheMemory, CacheOptions } from './options.js';
import type { Region } from './region.js';
import type { WholeNames } from './whole-names.js';

export class MissGate {
  readonly #names: WholeNames;
  readonly #success: Region;
  readonly #clock: Clock;
  readonly #counts: CacheCounts;
  readonly #isCut: boolean;
  readonly #limit: ZoneLimit | undefined;

  constructor(
    { cut, zoneLimit }: CacheOptions,
    memory: CacheMemory,
    names: WholeNames,
    success: Region,
    counts: CacheCounts,
    { clock, log }: Services,
  ) {
    this.#names = names;
    this.#success = success;
    this.#clock = clock;
    this.#counts = counts;
    this.#isCut = cut !== 'off';
    this.#limit =
      zoneLimit === undefined
        ? undefined
        : new ZoneLimit(memory.zoneCells, zoneLimit, memory.seed, log);
  }

  /** The answer to a miss that is not to be asked upstream, null for one that is. `key` is that of `q`. */
  answer(q: Query, key: CacheKey, now: number): Reply | null {
    const counts = this.#counts.servers[q.server] as ServerCounts;
    if (this.#isCut) {
      const reply = this.#names.deny(q, key, now);
      if (reply !== null) {
        counts.denial.hits.inc();
        this.#counts.cuts.inc();
        return reply;
      }
    }
    counts.misses.inc();
    if (this.#limit === undefined || this.#limit.admit(q, this.#clock.nowMs)) return null;
    // A name that had an answer not long ago is none of the random ones.
    if (this.#success.reader.find(key)) return null;
    if (q.ecsFamily !== EcsFamily.NONE) {
      key.setList(q);
      if (this.#success.reader.find(key)) return null;
    }
    this.#counts.overZoneLimits.inc();
    // Not REFUSED, after which some clients give a server up; not to be kept for long (RFC 9520 section 3.2).
    return q.replyRcode(Rcode.SERVFAIL, Ede.OTHER, 'too many unknown names in this zone');
  }

  /** The reply to a miss that was asked upstream is of this kind. */
  settled(reply: Reply, q: Query, kind: Kind): void {
    const limit = this.#limit;
    if (limit === undefined || kind === Kind.UNUSABLE || kind === Kind.FAILURE) return;
    const nowMs = this.#clock.nowMs;
    if (reply.rcode !== Rcode.NXDOMAIN) {
      limit.takeBack(q, nowMs);
      return;
    }
    const { layout, wire } = reply;
    const soa = findAuthority(wire, layout, RRType.SOA);
    if (soa >= 0) limit.denied(q, wire, layout.owners[soa] as number, nowMs);
  }
}
