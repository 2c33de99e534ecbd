// Upstreams given by host name: their addresses, looked up once before the first query.
import { lookup, Resolver } from 'node:dns/promises';
import { type AddressTarget, type NameTarget, targetText, withPath } from './targets.js';
import { weighted } from './weights.js';

/** How long a name server gets, and how often it is asked again, before the start fails. */
const LOOKUP_TIMEOUT_MS = 2000;
const LOOKUP_TRIES = 2;

/**
 * Every host name replaced by all its addresses, each upstream once, in written order. `servers` are asked (`IP[:PORT]`), the system when
 * there are none. The name is what a certificate has to be for. Rejects when a name has no address.
 */
export async function resolveTargets(
  targets: readonly (AddressTarget | NameTarget)[],
  servers: readonly string[],
): Promise<AddressTarget[]> {
  const found = await Promise.all(
    targets.map((target) => (target.kind === 'name' ? resolveName(target, servers) : [target])),
  );
  const unique = new Map<string, AddressTarget>();
  for (const target of found.flat()) {
    const key = `${targetText(target)}%${target.servername}`;
    if (!unique.has(key)) unique.set(key, target);
  }
  return [...unique.values()];
}

async function resolveName(host: NameTarget, servers: readonly string[]): Promise<AddressTarget[]> {
  const { name, scheme, port } = host;
  const addresses =
    servers.length === 0 ? await fromSystem(name) : await fromServers(name, servers);
  if (addresses.length === 0) throw new Error(`upstream ${name} has no address`);
  const servername = scheme === 'dns' ? '' : name.replace(/\.$/, '');
  // Sorted, so that every worker has the same order.
  return addresses
    .toSorted()
    .map((address): AddressTarget => ({ kind: 'address', scheme, address, port, servername }))
    .map((target) => withPath(weighted(target, host), host));
}

async function fromSystem(name: string): Promise<string[]> {
  try {
    return (await lookup(name, { all: true })).map(({ address }) => address);
  } catch (error) {
    throw new Error(`cannot look up upstream ${name}: ${(error as Error).message}`);
  }
}

async function fromServers(name: string, servers: readonly string[]): Promise<string[]> {
  const resolver = new Resolver({ timeout: LOOKUP_TIMEOUT_MS, tries: LOOKUP_TRIES });
  resolver.setServers([...servers]);
  const results = await Promise.allSettled([resolver.resolve4(name), resolver.resolve6(name)]);
  const addresses = results.flatMap((r) => (r.status === 'fulfilled' ? r.value : []));
  const failed = results.find((r) => r.status === 'rejected');
  if (addresses.length === 0 && failed !== undefined) {
    throw new Error(`cannot look up upstream ${name}: ${(failed.reason as Error).message}`);
  }
  return addresses;
}
