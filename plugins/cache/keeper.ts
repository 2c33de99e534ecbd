// Hot path for misses. Keeps replies: which half they belong to, for how long, and what they displace.
import {
  BUSY,
  EcsFamily,
  ecsScopeOf,
  type Query,
  Rcode,
  type Reply,
  ZoneSet,
} from '../../core/plugin.js';
import { isKeptFailure } from '../negative/failures.js';
import { EntryBuilder } from './builder.js';
import { Kind } from './classify.js';
import type { CacheCounts, ServerCounts } from './counts.js';
import { Meta } from './entry.js';
import { type CacheKey, EXACT } from './key.js';
import { FULL, type Networks } from './networks.js';
import type { CacheOptions } from './options.js';
import { Freshness, type Region, remainTicks } from './region.js';
import { ticksOfMs, ticksOfSeconds } from './ticks.js';
import { keptTtl, type TtlLimits, writeTtl } from './ttl.js';
import type { WholeNames } from './whole-names.js';

/** The largest message (RFC 1035 4.2.2). */
const MESSAGE_BYTES = 65_535;

/** What stands for no network in particular. */
const FOR_ALL = 0;

/** Where replies go whose TTLs must be changed and that have no room in the query's own buffer, until they are delivered. */
const scratch = new Uint8Array(MESSAGE_BYTES);

export class Keeper {
  /** Ticks for which the last reply is kept, 0 when it was not stored. */
  lifetime = 0;
  readonly #success: Region;
  readonly #denial: Region;
  readonly #options: CacheOptions;
  readonly #key: CacheKey;
  readonly #names: WholeNames;
  readonly #networks: Networks;
  readonly #counts: CacheCounts;
  readonly #noSuccess: ZoneSet;
  readonly #noDenial: ZoneSet;
  readonly #failureTtl: TtlLimits;
  readonly #minFailureTicks: number;
  readonly #maxFailureTicks: number;
  readonly #builder = new EntryBuilder();

  /** `key` is set to the query's before each call, and afterwards to the one that the reply was kept under. */
  constructor(
    success: Region,
    denial: Region,
    options: CacheOptions,
    key: CacheKey,
    names: WholeNames,
    networks: Networks,
    counts: CacheCounts,
  ) {
    this.#success = success;
    this.#denial = denial;
    this.#options = options;
    this.#key = key;
    this.#names = names;
    this.#networks = networks;
    this.#counts = counts;
    this.#noSuccess = new ZoneSet(options.success.disabled);
    this.#noDenial = new ZoneSet(options.denial.disabled);
    const { minMs, maxMs } = options.failures ?? { minMs: 0, maxMs: 0 };
    const seconds = Math.floor(minMs / 1000);
    this.#failureTtl = { min: seconds, max: seconds };
    this.#minFailureTicks = ticksOfMs(minMs);
    this.#maxFailureTicks = ticksOfMs(maxMs);
  }

  /** Keeps a reply to `q` of this kind, at tick `now`, if it is one to be kept. `origin` is the number of the upstreams that it came from. Returns it with its TTLs as they were kept. */
  keep(reply: Reply, q: Query, kind: Kind, now: number, origin = 0): Reply {
    this.lifetime = 0;
    // Not that of an entry found before.
    if (q.ecsFamily !== EcsFamily.NONE) q.setEcsScope(0);
    if (!this.#isKept(reply, q, kind)) return reply;
    const limits = this.#limitsOf(kind);
    const builder = this.#builder;
    builder.origin = origin;
    if (!builder.build(reply, q, kind, limits)) return reply;
    const network = q.ecsFamily === EcsFamily.NONE ? FOR_ALL : this.#tie(reply, q, kind);
    const lifetime = kind === Kind.FAILURE ? this.#failureTicks(now) : ticksOfSeconds(builder.ttl);
    if (lifetime > 0 && !reply.isShared) {
      // Behind an alias it is another name that does not exist.
      const isName =
        kind === Kind.DENIAL && reply.rcode === Rcode.NXDOMAIN && reply.layout.answers === 0;
      if (isName && network === FOR_ALL) this.#storeName(q, lifetime, now);
      else this.#store(this.#key, q, kind, network, lifetime, now);
    }
    return builder.hasChanged ? withKeptTtls(reply, q, kind, limits) : reply;
  }

  #isKept(reply: Reply, q: Query, kind: Kind): boolean {
    const { failures } = this.#options;
    switch (kind) {
      case Kind.ANSWER:
      case Kind.REFERRAL:
        return !this.#noSuccess.covers(q);
      case Kind.FAILURE:
        return (
          failures !== undefined && isKeptFailure(reply, failures) && !this.#noDenial.covers(q)
        );
      case Kind.DENIAL:
        return !this.#noDenial.covers(q);
      default:
        return false;
    }
  }

  /**
   * How long a failure is kept: twice as long as the one before, if that is remembered. It is for as long again as it was kept, so that a question
   * that nobody asked meanwhile begins anew.
   */
  #failureTicks(now: number): number {
    const denial = this.#denial;
    const isRepeated =
      denial.recall(this.#key, now) &&
      denial.kind === Kind.FAILURE &&
      denial.age < 2 * denial.lifetime;
    if (!isRepeated) return this.#minFailureTicks;
    return Math.min(2 * denial.lifetime, this.#maxFailureTicks);
  }

  #limitsOf(kind: Kind): TtlLimits {
    if (kind === Kind.FAILURE) return this.#failureTtl;
    return kind === Kind.DENIAL ? this.#options.denial.ttl : this.#options.success.ttl;
  }

  /** NXDOMAIN: of the whole name, unless that is known to exist. */
  #storeName(q: Query, lifetime: number, now: number): void {
    const names = this.#names;
    if (names.hasAddress(this.#key, now)) {
      this.#store(this.#key, q, Kind.DENIAL, FOR_ALL, lifetime, now);
      return;
    }
    names.setKey(this.#key);
    this.#store(names.key, q, Kind.DENIAL, FOR_ALL, lifetime, now);
    this.#denial.writer.remove(this.#key);
  }

  #store(
    key: CacheKey,
    q: Query,
    kind: Kind,
    network: number,
    lifetime: number,
    now: number,
  ): void {
    const isDenial = kind === Kind.DENIAL || kind === Kind.FAILURE;
    const region = isDenial ? this.#denial : this.#success;
    const found = region.look(key, now);
    if (found !== Freshness.ABSENT && this.#isToStay(region, kind, found)) return;
    if (network !== FOR_ALL && !this.#note(q, isDenial, lifetime, now)) return;
    const { meta, body, bodyWords } = this.#builder;
    meta[Meta.STORED] = now;
    meta[Meta.LIFETIME] = lifetime;
    const remain = remainTicks(kind, lifetime, region.staleTicksFor(kind));
    const deadline = (now + lifetime + remain) | 0;
    const evicted = region.writer.insert(key, meta, body, bodyWords, deadline, now);
    this.#count(evicted, q, isDenial);
    if (evicted >= 0) this.lifetime = lifetime;
    if (!isDenial) this.#denial.writer.remove(this.#key);
    else if (kind === Kind.DENIAL && !this.#prefersPositive) this.#success.writer.remove(this.#key);
    // A name that is there for one network need not be for others.
    const isForAll = key === this.#key && network === FOR_ALL;
    if (kind !== Kind.FAILURE && isForAll) this.#names.forget(key);
  }

  /**
   * Ties the entry built to the network that the reply is for, which is returned, and sets the key to match. RFC 7871 7.3.1: with a scope of 0 a reply is for
   * everybody; one whose scope is longer than what was asked for is for those who ask for just that.
   */
  #tie(reply: Reply, q: Query, kind: Kind): number {
    const scope = scopeFor(reply, q, kind);
    if (scope === 0) {
      this.#key.set(q);
      this.#builder.tieToAll();
      return FOR_ALL;
    }
    const network = scope > q.ecsSource ? q.ecsSource | EXACT : scope;
    this.#key.setNetwork(q, network);
    // A failure is told with the scope it came with: none when the upstream was asked again without a network.
    const told = kind === Kind.FAILURE ? ecsScopeOf(reply.wire, reply.layout.optOffset) : scope;
    this.#builder.tieToNetwork(this.#key, told);
    return network;
  }

  /** Puts the network of the key on the list of those there are answers for; false when it cannot be. */
  #note(q: Query, isDenial: boolean, lifetime: number, now: number): boolean {
    const staleTicks = this.#success.staleTicksFor(Kind.ANSWER);
    const evicted = this.#networks.add(q, isDenial, this.#key, lifetime, staleTicks, now);
    this.#count(evicted, q, isDenial);
    return evicted >= 0;
  }

  /** Counts what an insert came to. */
  #count(evicted: number, q: Query, isDenial: boolean): void {
    const counts = this.#counts.servers[q.server] as ServerCounts;
    if (evicted > 0) (isDenial ? counts.denial : counts.success).evictions.inc(evicted);
    else if (evicted === BUSY) this.#counts.busy.inc();
    else if (evicted === FULL) this.#counts.overNetworks.inc();
    else if (evicted < 0) this.#counts.tooLarge.inc();
  }

  /** Whether the entry that `region` found stays in place of the one built. */
  #isToStay(region: Region, kind: Kind, found: Freshness): boolean {
    // What is known of a name is better than that it could not be asked for, and clients that failed together count as one.
    if (kind === Kind.FAILURE) return true;
    if (this.#prefersPositive && kind === Kind.REFERRAL && region.kind === Kind.ANSWER) return true;
    // Every client that waited for one reply comes here with it.
    return found === Freshness.FRESH && region.age === 0 && isSame(region, this.#builder.meta);
  }

  get #prefersPositive(): boolean {
    return this.#options.stale?.prefersPositive === true;
  }
}

/**
 * The scope prefix length a reply is kept with. What the network of one client makes an upstream fail with is nobody else's concern, whatever scope comes along; and a
 * referral is the same for all (RFC 7871 7.4).
 */
function scopeFor(reply: Reply, q: Query, kind: Kind): number {
  if (kind === Kind.FAILURE) return q.ecsSource;
  return kind === Kind.REFERRAL ? 0 : ecsScopeOf(reply.wire, reply.layout.optOffset);
}

function isSame(region: Region, meta: Int32Array): boolean {
  return (
    region.head0 === meta[Meta.HEAD] &&
    region.head1 === meta[Meta.HEAD + 1] &&
    region.head2 === meta[Meta.HEAD + 2] &&
    region.shape === meta[Meta.SHAPE]
  );
}

/**
 * The reply with the TTLs that its records are kept for, so that a client does not see them jump from one answer to the next. A reply that lies in
 * the query's own buffer is the query's own; any other is copied first.
 */
function withKeptTtls(reply: Reply, q: Query, kind: Kind, limits: TtlLimits): Reply {
  const { layout, wire, length } = reply;
  const to = wire === q.out || length <= q.out.length ? q.out : scratch;
  if (wire !== to) for (let i = 0; i < length; i++) to[i] = wire[i] as number;
  for (let i = 0; i < layout.count; i++) {
    const at = layout.types[i] as number;
    if ((layout.owners[i] as number) === layout.optOffset) continue;
    writeTtl(to, at + 4, keptTtl(wire, layout, i, kind, limits));
  }
  if (wire === to) return reply;
  const { rcode, ede, edeText } = reply;
  const limited = q.replyWire(to, length, reply.optOffset);
  limited.rcode = rcode;
  limited.ede = ede;
  limited.edeText = edeText;
  return limited;
}
