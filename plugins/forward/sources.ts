// Where the upstreams of one *forward* come from: addresses as written, files and host names that are watched, all in written order. Addresses that files and names lead to
// and that are this server itself are left out.
import type { ControlServices } from '../../core/plugin.js';
import { type Lookup, LookupError, lookupAt, lookupBySystem, systemServers } from './lookup.js';
import { OwnAddresses } from './own-addresses.js';
import type { ForwardConfig } from './syntax.js';
import { type AddressTarget, addressWithPort, type Target, targetText } from './targets.js';
import { WatchedFile } from './watched-file.js';
import { WatchedName } from './watched-name.js';

/** What upstreams are given by, and what that leads to. */
type Source = { readonly targets: readonly AddressTarget[] | undefined; readonly text: string };

/** What the sources lead to now. */
export interface Gathered {
  readonly targets: readonly AddressTarget[];
  /** Those left out because they are this server, as `address of source`. */
  readonly own: readonly string[];
}

export class Sources {
  readonly #sources: readonly Source[];
  readonly #files: readonly WatchedFile[];
  readonly #names: readonly WatchedName[];
  readonly #own: OwnAddresses;

  /** Reads the files. Throws an Error for the operator when one cannot be read. */
  constructor({ to, resolver }: ForwardConfig, { clock, log, metrics, servers }: ControlServices) {
    const own = new OwnAddresses(servers);
    const lookup = resolver.length > 0 ? lookupAt(resolver) : lookupByOthers(own);
    const failures = metrics.counter(
      'lookup_failures_total',
      'Look-ups of host names of upstreams that failed.',
    );
    const services = { lookup, clock, log, onFailed: () => failures.inc() };
    const sourceOf = (target: Target): Source => {
      if (target.kind === 'file') return new WatchedFile(target, log);
      if (target.kind === 'name') return new WatchedName(target, services);
      return { targets: [target], text: '' };
    };
    this.#sources = to.map(sourceOf);
    this.#files = this.#sources.filter((source) => source instanceof WatchedFile);
    this.#names = this.#sources.filter((source) => source instanceof WatchedName);
    this.#own = own;
  }

  /** Whether there is anything to watch. */
  get mayChange(): boolean {
    return this.#files.length > 0 || this.#names.length > 0;
  }

  /** Whether names are not looked up yet. */
  get isIncomplete(): boolean {
    return this.#names.some(({ targets }) => targets === undefined);
  }

  /** What is wrong with a name that certainly has no address, and never had one; undefined when there is none. */
  get mistake(): string | undefined {
    const mistaken = this.#names.find(
      (name) => name.targets === undefined && name.failure?.isFinal,
    );
    return mistaken && `cannot look up upstream ${mistaken.text}: ${mistaken.failure?.message}`;
  }

  /** Looks up all names. Never rejects. */
  async lookUp(): Promise<void> {
    await Promise.all(this.#names.map((name) => name.lookUp()));
  }

  /** Looks at the files, and at the names whose time has come; resolves when these are looked up. Never rejects. */
  async poll(): Promise<void> {
    for (const file of this.#files) file.poll();
    const due = this.#names.filter(({ isDue }) => isDue);
    await Promise.all(due.map((name) => name.lookUp()));
  }

  gather(): Gathered {
    const own = new Set<string>();
    // What names lead to counts once, wherever else it is named.
    const unnamed = this.#sources.filter((source) => !(source instanceof WatchedName));
    const seen = new Set(unnamed.flatMap(({ targets = [] }) => targets.map(keyOf)));
    const isNew = (target: AddressTarget): boolean => !seen.has(keyOf(target));
    const targets = this.#sources.flatMap((source) => {
      const { targets: all = [], text } = source;
      if (!(source instanceof WatchedName || source instanceof WatchedFile)) return all;
      const others = all.filter((target) => {
        const isOwn = this.#own.has(target);
        if (isOwn) own.add(`${addressWithPort(target)} of ${text}`);
        return !isOwn;
      });
      if (source instanceof WatchedFile) return others;
      const fresh = others.filter(isNew);
      for (const target of fresh) seen.add(keyOf(target));
      return fresh;
    });
    return { targets, own: [...own] };
  }
}

/** Asks the system. Where that asks this very server, nobody can answer before there are upstreams: that is said. */
function lookupByOthers(own: OwnAddresses): Lookup {
  const lookup = lookupBySystem();
  return async (name) => {
    try {
      return await lookup(name);
    } catch (error) {
      const isMistake = error instanceof LookupError && error.isFinal;
      if (isMistake || !systemServers().some((server) => own.has(server))) throw error;
      const reason = (error as Error).message;
      throw new LookupError(
        `${reason}, the system asks this server itself: name others with resolver`,
        false,
      );
    }
  };
}

function keyOf(target: AddressTarget): string {
  return `${targetText(target)}%${target.servername}`;
}
