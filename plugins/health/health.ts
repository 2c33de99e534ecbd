// The endpoint that says the process is alive, and the poll that measures how long it takes to say so.
import { type ClientRequest, get } from 'node:http';
import {
  type Control,
  type ControlServices,
  type Counter,
  ENDPOINTS,
  type EndpointAnswer,
  type Histogram,
  type HostPort,
  type Logger,
  type Mount,
  type Responder,
} from '../../core/plugin.js';

const PATH = '/health';

/** How often the endpoint asks itself. */
const POLL_MS = 1_000;

/** A poll without an answer by then has failed. */
const POLL_LIMIT_MS = 3_000;

/** Answers in a second mean that the main thread, or the machine, has too much to do. */
const SLOW_MS = 1_000;

/** 0.25 ms, times ten. */
export const DURATION_BUCKETS = [0.00025, 0.0025, 0.025, 0.25, 2.5];

export interface HealthConfig {
  readonly address: HostPort;
  readonly lameduck: number;
}

/** The answer never changes: whoever can give it lives. One per address, with the poll of that address. */
class Health implements Responder {
  #poll: NodeJS.Timeout | undefined;
  #request: ClientRequest | undefined;

  respond(): EndpointAnswer {
    return { status: 200, body: 'OK' };
  }

  /** Starts to ask `url`, one request at a time, unless that is done already. */
  watch(url: string, probe: (url: string) => ClientRequest, everyMs: number): void {
    this.#poll ??= setInterval(() => {
      this.#request ??= probe(url).once('close', () => {
        this.#request = undefined;
      });
    }, everyMs).unref();
  }

  /** Ends the poll; nothing is reported after this. */
  end(): void {
    clearInterval(this.#poll);
    this.#poll = undefined;
    this.#request
      ?.removeAllListeners('error')
      .on('error', () => {})
      .destroy();
  }
}

/** `pollMs` is for tests. */
export function createControl(
  { address, lameduck }: HealthConfig,
  services: ControlServices,
  pollMs = POLL_MS,
): Control {
  const { log, metrics } = services;
  const duration = metrics.histogram(
    'request_duration_seconds',
    "Time the process's own requests to the endpoint took.",
    DURATION_BUCKETS,
  );
  const failures = metrics.counter(
    'request_failures_total',
    "The process's own requests to the endpoint that failed.",
  );
  const probe = prober(duration, failures, log);
  let mount: Mount<Health> | undefined;
  return {
    async onStart() {
      mount = await services
        .get(ENDPOINTS)
        .mount('health', { ...address, path: PATH }, () => new Health());
      mount.responder.watch(`${mount.origin}${PATH}`, probe, pollMs);
    },
    onDrain() {
      if (lameduck === 0) return undefined;
      log.info(`going into lameduck mode for ${lameduck / 1000} s`);
      return new Promise((resolve) => setTimeout(resolve, lameduck));
    },
    async onStop() {
      mount?.responder.end();
      await mount?.close();
    },
  };
}

function prober(
  duration: Histogram,
  failures: Counter,
  log: Logger,
): (url: string) => ClientRequest {
  return (url) => {
    const startMs = performance.now();
    const request = get(url, { agent: false, timeout: POLL_LIMIT_MS }, (response) => {
      response.resume();
      const tookMs = performance.now() - startMs;
      duration.observe(tookMs / 1000);
      if (tookMs > SLOW_MS) {
        log.warning(`local health request to ${url} took ${(tookMs / 1000).toFixed(3)} s`);
      }
    });
    request.on('timeout', () => request.destroy(new Error('no answer in time')));
    request.on('error', (error) => {
      failures.inc();
      log.warning(`local health request to ${url} failed: ${error.message}`);
    });
    return request;
  };
}
