// Hot path. Which server block answers a query on one listener: the longest matching zone, then the first block whose filters agree.
import type { Chain } from '../chain/chain.js';
import type { Query } from '../chain/query.js';
import { RRClass, RRType } from '../wire/constants.js';
import { parseName } from '../wire/name.js';

/** A block as a listener sees it. */
export interface Route {
  readonly chain: Chain;
  /** Index of the block in the plan. */
  readonly block: number;
  /** Index of the zone in the block. */
  readonly zone: number;
}

/** All blocks of a listener that serve one zone, in file order. */
interface Zone {
  /** Lower-case wire form. */
  readonly wire: Uint8Array;
  readonly routes: Route[];
}

/**
 * Zones are grouped by the length of their wire form, then by a hash of it. A query's name is walked label by label from the left, so that
 * the first hit is the longest match; suffix lengths that no zone has cost one array read each.
 */
export class Router {
  readonly #byLength: (Map<number, Zone[]> | undefined)[] = new Array(256).fill(undefined);
  /** Set when the only zone is the root: then there is nothing to walk. */
  #only: Zone | undefined;
  #size = 0;

  /** `zone` is lower case with final dot; blocks of the same zone are tried in the order they were added. */
  add(zone: string, route: Route): void {
    const wire = parseName(zone);
    let byHash = this.#byLength[wire.length];
    if (byHash === undefined) {
      byHash = new Map();
      this.#byLength[wire.length] = byHash;
    }
    const hash = hashOf(wire, 0, wire.length);
    const sameHash = byHash.get(hash) ?? [];
    byHash.set(hash, sameHash);
    let found = sameHash.find((z) => equalAt(z.wire, wire, 0));
    if (found === undefined) {
      found = { wire, routes: [] };
      sameHash.push(found);
      this.#size++;
    }
    found.routes.push(route);
    this.#only = this.#size === 1 && wire.length === 1 ? found : undefined;
  }

  /** The route for a query, undefined when no block wants it. Reads `folded`, `labels`, `qtype` and `qclass`. */
  find(q: Query): Route | undefined {
    const route = this.#findZone(q);
    if (route === undefined || q.qclass === RRClass.IN) return route;
    return route.chain.servesAllClasses ? route : undefined;
  }

  #findZone(q: Query): Route | undefined {
    if (this.#only !== undefined) return pick(this.#only, q);
    const name = q.folded;
    const end = q.qnameEnd - q.qnameOffset;
    let atApex: Route | undefined;
    let o = 0;
    for (let label = 0; label <= q.labels; label++) {
      const byHash = this.#byLength[end - o];
      if (byHash !== undefined) {
        const route = this.#match(byHash, name, o, end, q);
        if (route !== undefined) {
          // RFC 4035 3.1.4.1: DS at a zone's apex belongs to the parent, which may be served here as well.
          if (q.qtype !== RRType.DS || o !== 0) return route;
          atApex = route;
        }
      }
      o += (name[o] as number) + 1;
    }
    return atApex;
  }

  #match(
    byHash: Map<number, Zone[]>,
    name: Uint8Array,
    o: number,
    end: number,
    q: Query,
  ): Route | undefined {
    const zones = byHash.get(hashOf(name, o, end));
    if (zones === undefined) return undefined;
    for (let i = 0; i < zones.length; i++) {
      const zone = zones[i] as Zone;
      if (equalAt(zone.wire, name, o)) return pick(zone, q);
    }
    return undefined;
  }
}

function pick(zone: Zone, q: Query): Route | undefined {
  const routes = zone.routes;
  for (let i = 0; i < routes.length; i++) {
    const route = routes[i] as Route;
    if (!route.chain.hasFilters || route.chain.takes(q)) return route;
  }
  return undefined;
}

function equalAt(zone: Uint8Array, name: Uint8Array, o: number): boolean {
  for (let i = 0; i < zone.length; i++) if (zone[i] !== name[o + i]) return false;
  return true;
}

/** FNV-1a. Zones come from the operator, so strangers cannot choose what collides; equal bytes decide anyway. */
function hashOf(bytes: Uint8Array, from: number, to: number): number {
  let h = 0x811c9dc5;
  for (let i = from; i < to; i++) h = Math.imul(h ^ (bytes[i] as number), 0x01000193);
  return h;
}
