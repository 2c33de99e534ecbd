// Server blocks that would answer for the same zone on the same address and port. It needs what *bind* and *view* set, so it runs after them.
import type { Problem, ServerBlock, ServerKey } from './model.js';
import { placeOf, problemAt } from './problems.js';

/** A server block with what its plugins set for it. */
export interface ServedBlock {
  readonly block: ServerBlock;
  /** Addresses of its *bind* lines, none for every address. */
  readonly addresses: readonly string[];
  /** Whether a *view* chooses among its queries: then other blocks may serve the same zone. */
  readonly hasView: boolean;
}

/** What one block without a view holds: nobody else may have it. */
interface Claim {
  readonly key: ServerKey;
  readonly address: string;
}

/**
 * One problem per key that cannot be served: the same scheme, zone, port and address again, or a block for every address beside one for
 * a single address. A block with a view must stand before the block without one, which takes all that is left.
 */
export function findOverlaps(served: readonly ServedBlock[]): Problem[] {
  const claims = new Map<string, Claim[]>();
  const problems: Problem[] = [];
  for (const { block, addresses, hasView } of served) {
    const own = addresses.length === 0 ? [''] : [...new Set(addresses)];
    for (const key of block.keys) {
      const clash = firstClash(key, own, claims);
      if (clash !== undefined) {
        problems.push(problemAt(key.token, '', messageFor(key, clash, hasView)));
      } else if (!hasView) claim(key, own, claims);
    }
  }
  return problems;
}

interface Clash {
  readonly zone: string;
  readonly address: string;
  readonly earlier: Claim;
}

function firstClash(
  key: ServerKey,
  addresses: readonly string[],
  claims: ReadonlyMap<string, readonly Claim[]>,
): Clash | undefined {
  for (const zone of key.zones) {
    for (const address of addresses) {
      const earlier = claims
        .get(place(key, zone))
        ?.find((other) => other.address === address || other.address === '' || address === '');
      if (earlier !== undefined) return { zone, address, earlier };
    }
  }
  return undefined;
}

function claim(key: ServerKey, addresses: readonly string[], claims: Map<string, Claim[]>): void {
  for (const zone of key.zones) {
    const list = claims.get(place(key, zone)) ?? [];
    list.push(...addresses.map((address) => ({ key, address })));
    claims.set(place(key, zone), list);
  }
}

function messageFor(key: ServerKey, clash: Clash, hasView: boolean): string {
  const { zone, address, earlier } = clash;
  const what = `cannot serve ${place(key, zone)}`;
  const where = placeOf(earlier.key.token, key.token);
  if (earlier.address !== address) {
    return `${what} ${on(address)}, ${where} serves it ${on(earlier.address)}, want bind in both`;
  }
  const bound = address === '' ? '' : ` ${on(address)}`;
  const want = hasView ? ' without a view, want that block last' : '';
  return `${what}${bound}, already defined on ${where}${want}`;
}

function place(key: ServerKey, zone: string): string {
  return `${key.scheme}://${zone}:${key.port}`;
}

function on(address: string): string {
  return address === '' ? 'on every address' : `on ${address}`;
}
