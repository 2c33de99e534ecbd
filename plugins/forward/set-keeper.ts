// Keeps the workers asking the upstreams that files and host names lead to at the moment: looks at them once a second, and publishes another set when they lead elsewhere.
// Whatever goes wrong once the server runs, the last set that was good stays.
import {
  type ControlServices,
  type Counter,
  type Gauge,
  UPSTREAM_CHANGES,
} from '../../core/plugin.js';
import { Places } from './places.js';
import { countProblem, type Published, publishFixed } from './publish.js';
import { type Gathered, Sources } from './sources.js';
import type { ForwardConfig } from './syntax.js';
import { type AddressTarget, targetText } from './targets.js';

/** Between two looks at files and at which names are due. */
const LOOK_MS = 1000;

/** How long a start waits for host names to be looked up: those who serve other zones, or have other upstreams, are not kept waiting. */
const START_LIMIT_MS = 5000;

export class SetKeeper {
  readonly #sources: Sources;
  readonly #places: Places;
  readonly #services: ControlServices;
  readonly #zones: string;
  readonly #onNewcomer: (text: string) => void;
  readonly #changes: Counter;
  readonly #size: Gauge;
  #newest: Published;
  #first: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;
  /** What was said last of upstreams that cannot be taken, so that it is said once. */
  #saidProblem = '';
  #saidOwn: readonly string[] = [];

  /** `onNewcomer` hears of upstreams that get a place. Throws an Error for the operator when there is no upstream, and will be none. */
  constructor(
    config: ForwardConfig,
    services: ControlServices,
    onNewcomer: (text: string) => void,
    sources = new Sources(config, services),
  ) {
    this.#sources = sources;
    this.#services = services;
    this.#zones = config.from.map((zone) => `"${zone}"`).join(' ');
    this.#onNewcomer = onNewcomer;
    const fixed = publishFixed(config, services.workers);
    this.#places = new Places(fixed.cells);
    this.#changes = services.metrics.counter(
      'upstream_changes_total',
      'How often files and host names led to other upstreams.',
    );
    this.#size = services.metrics.gauge('upstreams', 'Upstreams that queries are sent to.');
    const gathered = sources.gather();
    this.#check(gathered);
    this.#newest = { set: 1, targets: gathered.targets, ...fixed };
    this.#places.take(textsOf(gathered.targets), 1);
    this.#size.inc(gathered.targets.length);
    this.#sayOwn(gathered.own);
  }

  /** What the workers have, or will have in a moment. */
  get published(): Published {
    return this.#newest;
  }

  /** Whether the upstream called `text` is among them. */
  isAsked(text: string): boolean {
    return this.#places.isAsked(text);
  }

  /** Looks names up for the first time, and publishes what they lead to. Never rejects. */
  load(): Promise<void> {
    this.#first ??= this.#sources.lookUp().then(() => this.#update());
    return this.#first;
  }

  /** Watches from now on. Rejects with an Error for the operator when a name does not exist, or none of the upstreams is of use. */
  async start(): Promise<void> {
    if (!this.#sources.mayChange) return;
    await this.#firstLookUp();
    const { mistake } = this.#sources;
    if (mistake !== undefined) throw new Error(mistake);
    this.#check(this.#sources.gather());
    if (this.#isStopped) return;
    this.#timer = setInterval(() => void this.look(), LOOK_MS).unref();
  }

  stop(): void {
    this.#isStopped = true;
    clearInterval(this.#timer);
  }

  /** Looks at files, and looks up the names whose time has come; resolves when the workers have what came of it. Never rejects. */
  async look(): Promise<void> {
    await this.#sources.poll();
    await this.#update();
  }

  /** Waits for the first look-up, but not longer than an operator would. */
  async #firstLookUp(): Promise<void> {
    let limit: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      limit = setTimeout(resolve, START_LIMIT_MS);
    });
    await Promise.race([this.load(), late]);
    clearTimeout(limit);
  }

  /** Throws what is wrong with these upstreams, unless names that are not looked up yet may make up for it. */
  #check(gathered: Gathered): void {
    const problem = problemOf(gathered);
    const mayComeRight = this.#sources.isIncomplete && gathered.targets.length === 0;
    if (problem !== undefined && !mayComeRight) throw new Error(problem);
  }

  async #update(): Promise<void> {
    const gathered = this.#sources.gather();
    this.#sayOwn(gathered.own);
    const { targets } = gathered;
    const before = this.#newest;
    if (targets.length === 0 && before.targets.length === 0) return;
    const problem = problemOf(gathered);
    this.#sayProblem(problem ?? '');
    const isSame = JSON.stringify(targets) === JSON.stringify(before.targets);
    if (isSame || problem !== undefined) return;
    const set = before.set + 1;
    // Without room it is tried again with the next look.
    const newcomers = this.#places.take(textsOf(targets), set);
    if (newcomers === undefined) return;
    this.#newest = { ...before, set, targets };
    newcomers.forEach(this.#onNewcomer);
    await this.#announce(before.targets, targets);
  }

  async #announce(
    before: readonly AddressTarget[],
    after: readonly AddressTarget[],
  ): Promise<void> {
    const { log, publish, get } = this.#services;
    await publish(this.#newest);
    // Whoever asks from here on is answered by the new ones.
    log.info(`upstreams for ${this.#zones}: ${difference(before, after)}`);
    this.#size.inc(after.length - before.length);
    if (before.length > 0) this.#changes.inc();
    get(UPSTREAM_CHANGES).raise();
  }

  /** '' for none. */
  #sayProblem(problem: string): void {
    if (problem === this.#saidProblem) return;
    this.#saidProblem = problem;
    if (problem === '') return;
    this.#services.log.warning(`upstreams for ${this.#zones}: ${problem}; the last ones stay`);
  }

  #sayOwn(own: readonly string[]): void {
    for (const text of own) {
      if (this.#saidOwn.includes(text)) continue;
      this.#services.log.warning(
        `upstream ${text} is this server itself and left out: name others, or a file that does`,
      );
    }
    this.#saidOwn = own;
  }
}

/** What is wrong with these upstreams, for the operator. */
function problemOf({ targets, own }: Gathered): string | undefined {
  if (targets.length > 0 || own.length === 0) return countProblem(targets.length);
  return (
    `no upstream is left: ${own.join(', ')} is this server itself, want addresses of others; ` +
    'where systemd-resolved runs, /run/systemd/resolve/resolv.conf has them'
  );
}

function textsOf(targets: readonly AddressTarget[]): ReadonlySet<string> {
  return new Set(targets.map(targetText));
}

/** What was added and removed, in words. */
function difference(before: readonly AddressTarget[], after: readonly AddressTarget[]): string {
  const [old, fresh] = [textsOf(before), textsOf(after)];
  const added = [...fresh].filter((text) => !old.has(text));
  const removed = [...old].filter((text) => !fresh.has(text));
  const parts = [
    ...(added.length > 0 ? [`added ${added.join(', ')}`] : []),
    ...(removed.length > 0 ? [`removed ${removed.join(', ')}`] : []),
  ];
  return parts.length > 0 ? parts.join('; ') : 'the same in another order';
}
