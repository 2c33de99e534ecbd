// The part of *forward* in the main thread: watches where upstreams come from, answers `heimdall upstreams`, keeps what was learned.
import {
  COMMANDS,
  type Control,
  type ControlServices,
  type SnapshotKeeper,
} from '../../core/plugin.js';
import { createKeeper, LearnedHealth, loadedText } from './persistence.js';
import type { Published } from './publish.js';
import { SetKeeper } from './set-keeper.js';
import type { Sources } from './sources.js';
import type { ForwardConfig } from './syntax.js';
import { UPSTREAMS_HELP, UpstreamTable } from './table.js';

export class ForwardControl implements Control {
  readonly #sets: SetKeeper;
  readonly #services: ControlServices;
  readonly #health: LearnedHealth;
  readonly #path: string = '';
  readonly #keeper: SnapshotKeeper | undefined;
  readonly #isInsecure: boolean;

  constructor(config: ForwardConfig, services: ControlServices, sources?: Sources) {
    const onNewcomer = (text: string): void => this.#health.apply(text);
    this.#sets = new SetKeeper(config, services, onNewcomer, sources);
    this.#services = services;
    this.#isInsecure = config.tls_insecure;
    const { cells } = this.published;
    const isAsked = (text: string): boolean => this.#sets.isAsked(text);
    this.#health = new LearnedHealth(cells, isAsked, services);
    if (config.persist !== undefined) {
      const [path, intervalMs] = config.persist;
      this.#path = path;
      this.#keeper = createKeeper({ path, intervalMs }, this.#health, config.from, services);
    }
    const table = new UpstreamTable(cells, isAsked, config, services);
    services.get(COMMANDS).add('upstreams', UPSTREAMS_HELP, table.run);
  }

  get published(): Published {
    return this.#sets.published;
  }

  async onLoad(): Promise<void> {
    await Promise.all([this.#load(), this.#sets.load()]);
  }

  async onStart(): Promise<void> {
    await this.#sets.start();
    if (this.#isInsecure) {
      this.#services.log.warning(
        'tls_insecure: certificates of upstreams are not verified, anybody on the way can read and change what they say',
      );
    }
    this.#keeper?.start();
  }

  /** Looks whether the upstreams are others by now, as it does once a second. */
  look(): Promise<void> {
    return this.#sets.look();
  }

  async onStop(): Promise<void> {
    this.#sets.stop();
    await this.#keeper?.stop();
  }

  async #load(): Promise<void> {
    if (this.#keeper === undefined) return;
    const text = loadedText(await this.#keeper.load(), this.#health, this.#path);
    if (text !== '') this.#services.log.info(text);
  }
}
