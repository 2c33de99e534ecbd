// The endpoint that says whether every plugin can do its work: 200, or 503 with the names of those that cannot.
import {
  type Control,
  type ControlServices,
  ENDPOINTS,
  type EndpointAnswer,
  type HostPort,
  type Mount,
  PROCESS,
  type ProcessState,
  type Responder,
} from '../../core/plugin.js';

const PATH = '/ready';

export interface ReadyConfig {
  readonly address: HostPort;
  readonly monitor: 'until-ready' | 'continuously';
}

/** What is not ready when a worker does not run or does not answer. */
const WORKER = 'worker';

/** One server block, and what of it is known. */
class Watched {
  readonly #process: ProcessState;
  readonly #plugins: readonly string[];
  readonly #isContinuous: boolean;
  /** Plugins that were ready once. */
  readonly #ready = new Set<string>();

  constructor(process: ProcessState, plugins: readonly string[], isContinuous: boolean) {
    this.#process = process;
    this.#plugins = plugins;
    this.#isContinuous = isContinuous;
  }

  get isStopping(): boolean {
    return this.#process.isStopping;
  }

  /** Names of plugins that are not ready. Without `continuously` one that was ready once is not asked again. */
  async notReady(): Promise<readonly string[]> {
    if (!this.#isContinuous && this.#plugins.every((name) => this.#ready.has(name))) return [];
    const waiting = await this.#process.notReady();
    if (waiting === undefined) return [WORKER];
    if (this.#isContinuous) return waiting;
    for (const name of this.#plugins) if (!waiting.includes(name)) this.#ready.add(name);
    return waiting.filter((name) => !this.#ready.has(name));
  }
}

/** All blocks that name one address. */
class Readiness implements Responder {
  readonly #blocks = new Set<Watched>();

  add(block: Watched): void {
    this.#blocks.add(block);
  }

  remove(block: Watched): void {
    this.#blocks.delete(block);
  }

  async respond(): Promise<EndpointAnswer> {
    const blocks = [...this.#blocks];
    if (blocks.some((block) => block.isStopping)) return { status: 503, body: 'Shutting down' };
    const answers = await Promise.all(blocks.map((block) => block.notReady()));
    const names = [...new Set(answers.flat())].sort();
    return names.length === 0
      ? { status: 200, body: 'OK' }
      : { status: 503, body: names.join(',') };
  }
}

export function createControl(
  { address, monitor }: ReadyConfig,
  services: ControlServices,
): Control {
  const { plugins } = services.block;
  const block = new Watched(services.get(PROCESS), plugins, monitor === 'continuously');
  let mount: Mount<Readiness> | undefined;
  return {
    async onStart() {
      mount = await services
        .get(ENDPOINTS)
        .mount('ready', { ...address, path: PATH }, () => new Readiness());
      mount.responder.add(block);
    },
    async onStop() {
      mount?.responder.remove(block);
      await mount?.close();
    },
  };
}
