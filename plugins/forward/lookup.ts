// The addresses of a host name, and how long they hold: from given servers, or as the system finds them.
import { lookup, Resolver } from 'node:dns/promises';
import { type AddressTarget, parseTarget } from './targets.js';

/** How long a name server gets, and how often it is asked again. */
const TIMEOUT_MS = 2000;
const TRIES = 2;

/** How long the system gets: it may wait for several servers, one after the other. Its servers get as much more as this to tell the TTL. */
const SYSTEM_LIMIT_MS = 5000;
const TTL_LIMIT_MS = 1000;

/** What is known of a name. */
export interface Found {
  readonly addresses: readonly string[];
  /** The lowest of the records; undefined when it was found where there is none, as in /etc/hosts. */
  readonly ttl: number | undefined;
  /** The family that nobody could tell the addresses of, if there is one. */
  readonly unsure?: 4 | 6;
}

/** Gives at least one address; rejects with a LookupError. */
export type Lookup = (name: string) => Promise<Found>;

/** There is no such name or it has no address (`isFinal`), or nobody could say. */
export class LookupError extends Error {
  readonly isFinal: boolean;

  constructor(message: string, isFinal: boolean) {
    super(message);
    this.isFinal = isFinal;
  }
}

/** What is there to know when nothing answers is in these codes; all others say that nobody could tell. */
const FINAL: ReadonlySet<string> = new Set(['ENOTFOUND', 'ENODATA']);

interface Address {
  readonly address: string;
  readonly ttl: number;
}

/** Asks `servers` (`IP[:PORT]`), or those of the system when there are none, for A and AAAA. Where one of the two cannot be had the other one does. */
export function lookupAt(servers: readonly string[]): Lookup {
  return async (name) => {
    const resolver = new Resolver({ timeout: TIMEOUT_MS, tries: TRIES });
    if (servers.length > 0) resolver.setServers([...servers]);
    const results = await Promise.allSettled<readonly Address[]>([
      resolver.resolve4(name, { ttl: true }),
      resolver.resolve6(name, { ttl: true }),
    ]);
    const found = results.flatMap((r) => (r.status === 'fulfilled' ? r.value : []));
    const failed = results.map((r) => (r.status === 'rejected' ? (r.reason as Error) : undefined));
    const unsure = failed.findIndex((error) => error !== undefined && !FINAL.has(codeOf(error)));
    if (found.length === 0) {
      const reason = failed[unsure] ?? failed[0];
      throw new LookupError(reason?.message ?? 'it has no address', unsure < 0);
    }
    const ttl = Math.min(...found.map((record) => record.ttl));
    const addresses = found.map(({ address }) => address);
    return unsure < 0 ? { addresses, ttl } : { addresses, ttl, unsure: unsure === 0 ? 4 : 6 };
  };
}

/**
 * Asks the system (getaddrinfo): what it says counts, /etc/hosts and all. It has no TTL; that is taken from the system's name servers if these give the
 * same addresses.
 */
export function lookupBySystem(): Lookup {
  const underWay = new Map<string, Promise<readonly string[]>>();
  return async (name) => {
    // One that takes longer than anybody waits for it still holds a thread: nothing is gained by a second one.
    const addresses = underWay.get(name) ?? fromSystem(name);
    underWay.set(name, addresses);
    const forget = (): void => void underWay.delete(name);
    addresses.then(forget, forget);
    const answering = lookupAt([])(name).catch(() => undefined);
    const found = await within(SYSTEM_LIMIT_MS, addresses);
    const answer = await within(TTL_LIMIT_MS, answering).catch(() => undefined);
    const isSame = found.every((address) => answer?.addresses.includes(address));
    return { addresses: found, ttl: isSame ? answer?.ttl : undefined };
  };
}

/** The name servers that the system asks at the moment. */
export function systemServers(): readonly AddressTarget[] {
  const context = { zones: [], root: '/' };
  return new Resolver()
    .getServers()
    .map((server) => parseTarget(server, context))
    .filter((target) => target.kind === 'address');
}

async function fromSystem(name: string): Promise<readonly string[]> {
  try {
    return (await lookup(name, { all: true })).map(({ address }) => address);
  } catch (error) {
    throw new LookupError((error as Error).message, FINAL.has(codeOf(error)));
  }
}

async function within<T>(limitMs: number, work: Promise<T>): Promise<T> {
  let limit: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    limit = setTimeout(() => {
      reject(new LookupError(`the system did not answer for ${limitMs / 1000} s`, false));
    }, limitMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(limit);
  }
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? '';
}
