// The part of *forward* in the main thread: makes the shared memory, answers `heimdall upstreams`, keeps what was learned.
import {
  COMMANDS,
  type Control,
  type ControlServices,
  type SnapshotKeeper,
} from '../../core/plugin.js';
import { createKeeper, LearnedHealth, loadedText } from './persistence.js';
import { type Published, publish } from './publish.js';
import type { ForwardConfig } from './syntax.js';
import { UPSTREAMS_HELP, UpstreamTable } from './table.js';

export class ForwardControl implements Control {
  readonly published: Published;
  readonly #services: ControlServices;
  readonly #health: LearnedHealth;
  readonly #path: string = '';
  readonly #keeper: SnapshotKeeper | undefined;
  readonly #isInsecure: boolean;

  constructor(config: ForwardConfig, services: ControlServices) {
    this.published = publish(config, services.workers);
    this.#services = services;
    this.#isInsecure = config.tls_insecure;
    const { cells, targets } = this.published;
    this.#health = new LearnedHealth(cells, targets, services);
    if (config.persist !== undefined) {
      const [path, intervalMs] = config.persist;
      this.#path = path;
      this.#keeper = createKeeper({ path, intervalMs }, this.#health, config.from, services);
    }
    const table = new UpstreamTable(cells, config, services);
    services.get(COMMANDS).add('upstreams', UPSTREAMS_HELP, table.run);
  }

  async onLoad(): Promise<void> {
    if (this.#keeper === undefined) return;
    const text = loadedText(await this.#keeper.load(), this.#health, this.#path);
    if (text !== '') this.#services.log.info(text);
  }

  onStart(): void {
    if (this.#isInsecure) {
      this.#services.log.warning(
        'tls_insecure: certificates of upstreams are not verified, anybody on the way can read and change what they say',
      );
    }
    this.#keeper?.start();
  }

  async onStop(): Promise<void> {
    await this.#keeper?.stop();
  }
}
