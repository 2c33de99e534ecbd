// One upstream given by host name: its addresses, looked up before the first query and again when their TTL is over. What was found stays until
// something else is.
import { isIP } from 'node:net';
import type { Clock, Logger } from '../../core/plugin.js';
import { type Lookup, LookupError } from './lookup.js';
import { type AddressTarget, type NameTarget, withPath } from './targets.js';
import { weighted } from './weights.js';

/** Limits of the time until a name is looked up again: a TTL of 0 is no reason to ask all the time, and a long one none to miss a move of the server. */
const MIN_MS = 5_000;
const MAX_MS = 3_600_000;

/** The same for addresses without a TTL, as those in /etc/hosts. */
const FIXED_MS = 60_000;

/** After a look-up that failed the next one follows so much later, then twice as long each time up to the limit. */
const FIRST_RETRY_MS = 1_000;
const MAX_RETRY_MS = 60_000;

export interface NameServices {
  readonly lookup: Lookup;
  readonly clock: Clock;
  readonly log: Logger;
  /** Counts look-ups that failed. */
  onFailed(): void;
}

export class WatchedName {
  readonly #host: NameTarget;
  readonly #services: NameServices;
  #targets: readonly AddressTarget[] | undefined;
  #failure: LookupError | undefined;
  #dueMs = 0;
  #retryMs = FIRST_RETRY_MS;
  #isUnderWay = false;

  constructor(host: NameTarget, services: NameServices) {
    this.#host = host;
    this.#services = services;
  }

  /** How the operator calls it. */
  get text(): string {
    return this.#host.name;
  }

  /** Undefined as long as it could not be looked up. */
  get targets(): readonly AddressTarget[] | undefined {
    return this.#targets;
  }

  /** Why the last look-up failed; undefined when it did not. */
  get failure(): LookupError | undefined {
    return this.#failure;
  }

  get isDue(): boolean {
    return !this.#isUnderWay && this.#services.clock.nowMs >= this.#dueMs;
  }

  /** Looks it up; never rejects. */
  async lookUp(): Promise<void> {
    const { lookup, clock } = this.#services;
    this.#isUnderWay = true;
    try {
      const { addresses, ttl, unsure } = await lookup(this.#host.name);
      this.#found(unsure === undefined ? addresses : [...addresses, ...this.#known(unsure)]);
      const ms = ttl === undefined ? FIXED_MS : ttl * 1000;
      this.#dueMs = clock.nowMs + Math.min(MAX_MS, Math.max(MIN_MS, ms));
    } catch (error) {
      this.#failed(error);
      this.#dueMs = clock.nowMs + this.#retryMs;
      this.#retryMs = Math.min(2 * this.#retryMs, MAX_RETRY_MS);
    }
    this.#isUnderWay = false;
  }

  /** What is known of a family that nobody could tell of now. */
  #known(family: 4 | 6): readonly string[] {
    const targets = this.#targets ?? [];
    return targets.map(({ address }) => address).filter((address) => isIP(address) === family);
  }

  #found(addresses: readonly string[]): void {
    const { name, scheme, port } = this.#host;
    if (this.#failure !== undefined) this.#services.log.info(`upstream ${name} is found again`);
    this.#failure = undefined;
    this.#retryMs = FIRST_RETRY_MS;
    const servername = scheme === 'dns' ? '' : name.replace(/\.$/, '');
    // Sorted: servers like to give the same addresses in another order each time.
    this.#targets = [...new Set(addresses)]
      .sort()
      .map((address): AddressTarget => ({ kind: 'address', scheme, address, port, servername }))
      .map((target) => withPath(weighted(target, this.#host), this.#host));
  }

  /** Said once, until it is found again. */
  #failed(error: unknown): void {
    const { log, onFailed } = this.#services;
    const wasSaid = this.#failure !== undefined;
    this.#failure =
      error instanceof LookupError ? error : new LookupError((error as Error).message, false);
    onFailed();
    if (wasSaid) return;
    const then = this.#targets === undefined ? 'it is tried again' : 'its last addresses stay';
    log.warning(`cannot look up upstream ${this.text}: ${this.#failure.message}; ${then}`);
  }
}
