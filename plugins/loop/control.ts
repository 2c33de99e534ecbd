// Probes at start and after every change of the upstreams; says what is wrong when a probe comes back.
import {
  type Control,
  type ControlServices,
  type Gauge,
  type Logger,
  PROCESS,
  type ProcessState,
  UPSTREAM_CHANGES,
} from '../../core/plugin.js';
import { MOST_SEEN } from './loop.js';
import { type Door, doorOf, probeName, sendProbe } from './probe.js';
import { allocateWatch, State, Watch } from './watch.js';

/** Times in milliseconds. */
export interface LoopTimes {
  /** For the reply to a probe. */
  readonly timeoutMs: number;
  /** Between probes that nobody answers: workers may still be starting. */
  readonly retryMs: number;
  /** For a probe to be answered at all; CoreDNS's. */
  readonly limitMs: number;
  /** Between probes while there is a loop. */
  readonly againMs: number;
}

const TIMES: LoopTimes = { timeoutMs: 2000, retryMs: 500, limitMs: 30_000, againMs: 30_000 };

export class LoopControl implements Control {
  readonly published = allocateWatch();
  readonly #watch = new Watch(this.published);
  readonly #times: LoopTimes;
  readonly #log: Logger;
  readonly #process: ProcessState;
  readonly #isLooping: Gauge;
  readonly #zone: string;
  readonly #door: Door | undefined;
  readonly #listen: (listener: () => void) => () => void;
  readonly #abort = new AbortController();
  #unlisten = (): void => {};
  #isStarting = true;
  /** Of the probe that is under way; a later one takes its place. */
  #turn = 0;

  constructor(services: ControlServices, times = TIMES) {
    const { block, servers, log } = services;
    this.#times = times;
    this.#log = log;
    this.#process = services.get(PROCESS);
    this.#isLooping = services.metrics.gauge('detected', 'Blocks whose upstreams lead back here.');
    this.#zone = block.zones[0] ?? '.';
    this.#door = block.listeners.map((i) => doorOf(servers[i] ?? '')).find(Boolean);
    const changes = services.get(UPSTREAM_CHANGES);
    this.#listen = (listener) => changes.listen(listener);
  }

  /** The workers start meanwhile: nothing is waited for. */
  onStart(): void {
    this.#unlisten = this.#listen(() => void this.#check());
    void this.#check();
  }

  onStop(): void {
    this.#unlisten();
    this.#abort.abort();
  }

  /** Probes until there is an answer, and for as long as there is a loop. */
  async #check(): Promise<void> {
    const turn = ++this.#turn;
    const door = this.#door;
    if (door === undefined) return;
    const { signal } = this.#abort;
    const { timeoutMs, retryMs, limitMs, againMs } = this.#times;
    const endMs = performance.now() + limitMs;
    while (!signal.aborted && turn === this.#turn) {
      const name = probeName(this.#zone);
      this.#watch.begin(name);
      if (this.#watch.state === State.QUIET) this.#watch.state = State.WATCHING;
      const isAnswered = await sendProbe(door, name, timeoutMs, signal);
      if (signal.aborted || turn !== this.#turn) return;
      const isLoop = this.#watch.seen > MOST_SEEN;
      if (isLoop) this.#found(door);
      else if (isAnswered || performance.now() > endMs) return this.#clear();
      await pause(isLoop ? againMs : retryMs, signal);
    }
  }

  #clear(): void {
    const wasLooping = this.#watch.state === State.LOOPING;
    // The workers first: whoever reads the line finds that it is true.
    this.#watch.state = State.QUIET;
    this.#isLooping.set(0);
    this.#isStarting = false;
    if (wasLooping) this.#log.info(`no loop for "${this.#zone}" any more`);
  }

  #found(door: Door): void {
    const text = explain(this.#zone, door);
    if (this.#isStarting) {
      this.#process.fail(`loop: ${text}`);
      return;
    }
    const wasLooping = this.#watch.state === State.LOOPING;
    this.#watch.state = State.LOOPING;
    this.#isLooping.set(1);
    if (!wasLooping) this.#log.error(`${text}; answering SERVFAIL`);
  }
}

function explain(zone: string, { address, port }: Door): string {
  const host = address.includes(':') ? `[${address}]` : address;
  return (
    `queries for "${zone}" that are forwarded come back to this server (${host}:${port}). One of its upstreams sends them here again: ` +
    'give forward the addresses of servers that do not. Where it reads /etc/resolv.conf and that names this machine, as with systemd-resolved, ' +
    'name /run/systemd/resolve/resolv.conf instead'
  );
}

/** Resolves after `ms`, or at once when aborted. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener(
      'abort',
      () => {
        clearTimeout(timer);
        resolve();
      },
      { once: true },
    );
  });
}
