// Hot path. Changes the network that a query is asked for: what upstreams are told, and which answers from the cache are its own.
import {
  type Answer,
  addressOffset,
  type Counter,
  EcsFamily,
  familyOf,
  type Handler,
  type Next,
  type Query,
  type Services,
  ZoneSet,
} from '../../core/plugin.js';

export type EcsMode = 'off' | 'forward' | 'add' | 'coarse';

export interface EcsOptions {
  readonly mode: EcsMode;
  /** Bits of an address that are told at most. */
  readonly ipv4: number;
  readonly ipv6: number;
  /** Zones for which a network is told; undefined for all names. */
  readonly domains: readonly string[] | undefined;
}

export class EcsHandler implements Handler {
  readonly #isOff: boolean;
  readonly #adds: boolean;
  readonly #ipv4: number;
  readonly #ipv6: number;
  readonly #domains: ZoneSet;
  readonly #counts: ReturnType<typeof countsOf>;

  constructor({ mode, ipv4, ipv6, domains }: EcsOptions, services: Services) {
    this.#isOff = mode === 'off';
    this.#adds = mode === 'add' || mode === 'coarse';
    this.#ipv4 = ipv4;
    this.#ipv6 = ipv6;
    this.#domains = new ZoneSet(domains ?? ['.'], services.block.zones);
    this.#counts = countsOf(services);
  }

  serve(q: Query, next: Next): Answer {
    if (q.ecsOffset !== 0) this.#take(q);
    else if (this.#adds && this.#domains.covers(q)) this.#add(q);
    return next(q);
  }

  /** What the client sent. */
  #take(q: Query): void {
    const counts = this.#counts;
    if (this.#isOff) {
      counts.removed.inc();
      q.ignoreEcs();
    } else if (q.ecsFamily === EcsFamily.NONE) {
      (q.refusesEcs ? counts.declined : counts.private).inc();
    } else if (!this.#domains.covers(q)) {
      counts.removed.inc();
      q.dropEcs();
    } else {
      const bits = q.ecsFamily === EcsFamily.IPV4 ? this.#ipv4 : this.#ipv6;
      if (q.ecsSource <= bits) {
        counts.told.inc();
        return;
      }
      counts.shortened.inc();
      q.setEcs(q.ecsFamily, bits, q.ecsAddress, 0);
    }
  }

  /** The address that the query came from. */
  #add(q: Query): void {
    const { peer } = q;
    const isIpv4 = familyOf(peer) === 4;
    const bits = isIpv4 ? this.#ipv4 : this.#ipv6;
    if (bits === 0) return;
    const family = isIpv4 ? EcsFamily.IPV4 : EcsFamily.IPV6;
    const isAdded = q.setEcs(family, bits, peer, addressOffset(peer));
    (isAdded ? this.#counts.added : this.#counts.private).inc();
  }
}

function countsOf({
  metrics,
}: Services): Record<'told' | 'shortened' | 'added' | 'removed' | 'private' | 'declined', Counter> {
  const count = (action: string): Counter =>
    metrics.counter('queries_total', 'Queries with a client subnet, by what became of it.', {
      action,
    });
  return {
    told: count('told'),
    shortened: count('shortened'),
    added: count('added'),
    removed: count('removed'),
    private: count('private'),
    declined: count('declined'),
  };
}
