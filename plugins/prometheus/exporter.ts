// The control part: the endpoint that Prometheus scrapes, shared by all server blocks that name its address.
import {
  type Control,
  type ControlServices,
  ENDPOINTS,
  type EndpointAnswer,
  type HostPort,
  METRIC_SOURCE,
  type MetricSource,
  type Mount,
  PROCESS,
  type Responder,
} from '../../core/plugin.js';
import type { Exposition } from './exposition.js';
import { readWebConfig, type WebConfig } from './web-config.js';

/** How often certificates are looked at: they are replaced weeks before they expire. */
const RENEW_MS = 60_000;

export interface PrometheusConfig {
  readonly address: HostPort;
  readonly namespace: string | undefined;
  readonly runtime_metrics: boolean;
  readonly tls: string | undefined;
}

/** Everything an address says, put together from the blocks that name it. */
class Exporter implements Responder {
  readonly #source: MetricSource;
  #namespace: string | undefined;
  #hasRuntime = false;
  #exposition: Exposition | undefined;

  constructor(source: MetricSource) {
    this.#source = source;
  }

  /** Takes a block's wishes in; throws when they contradict another block's. */
  add({ namespace, runtime_metrics: hasRuntime }: PrometheusConfig): void {
    if (namespace !== undefined && namespace !== (this.#namespace ?? namespace)) {
      throw new Error(
        `namespace "${namespace}" and "${this.#namespace}" are wanted at one address, want one`,
      );
    }
    this.#namespace ??= namespace;
    this.#hasRuntime ||= hasRuntime;
  }

  async respond(): Promise<EndpointAnswer> {
    // prom-client is loaded by the first scrape: it takes as long as a tenth of the start.
    this.#exposition ??= (await import('./exposition.js')).createExposition(this.#hasRuntime);
    const families = this.#source.families();
    const body = await this.#exposition.text(families, this.#namespace ?? 'coredns');
    return { status: 200, type: this.#exposition.contentType, body };
  }
}

/** `renewMs` is for tests. */
export function createControl(
  config: PrometheusConfig,
  services: ControlServices,
  renewMs = RENEW_MS,
): Control {
  const { metrics, block, servers, log } = services;
  announce(services);
  for (const name of new Set(block.plugins)) {
    for (const listener of block.listeners) {
      for (const zone of block.zones) {
        const labels = { server: servers[listener] ?? '', zone, view: block.view, name };
        metrics.gauge('/plugin_enabled', 'Plugins of each server block.', labels).set(1);
      }
    }
  }
  let mount: Mount<Exporter> | undefined;
  let renewal: NodeJS.Timeout | undefined;
  return {
    async onStart() {
      const web = config.tls === undefined ? undefined : readWebConfig(config.tls);
      mount = await services
        .get(ENDPOINTS)
        .mount(
          'prometheus',
          { ...config.address, path: '/metrics' },
          () => new Exporter(services.get(METRIC_SOURCE)),
          web && { options: web.options, key: config.tls ?? '' },
        );
      mount.responder.add(config);
      if (web !== undefined)
        renewal = setInterval(renewer(config, mount, web, log), renewMs).unref();
    },
    async onStop() {
      clearInterval(renewal);
      await mount?.close();
    },
  };
}

/** Puts new certificates in when the files changed. */
function renewer(
  { tls }: PrometheusConfig,
  mount: Mount<Exporter>,
  first: WebConfig,
  log: ControlServices['log'],
): () => void {
  let { stamp } = first;
  let failure = '';
  return () => {
    try {
      const web = readWebConfig(tls ?? '');
      failure = '';
      if (web.stamp === stamp) return;
      stamp = web.stamp;
      mount.renew(web.options);
      log.info(`certificates of ${mount.origin} read anew`);
    } catch (error) {
      const { message } = error as Error;
      if (message !== failure) log.warning(`certificates of ${mount.origin} kept: ${message}`);
      failure = message;
    }
  };
}

/** Label names are CoreDNS's, so that its dashboards find them. */
function announce({ metrics, get }: ControlServices): void {
  const goversion = `node ${process.versions.node}`;
  const labels = { version: get(PROCESS).version, revision: '', goversion };
  metrics.gauge('/build_info', 'Always 1; the labels say what runs.', labels).set(1);
}
