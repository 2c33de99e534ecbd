// What was learned of upstreams, kept in a file over a restart.
import {
  type ControlServices,
  SnapshotKeeper,
  type SnapshotLoad,
  type SnapshotSection,
} from '../../core/plugin.js';
import { Cause, HealthCells, PLACES } from './health-cells.js';
import { keptLatency, takeLatency } from './latency.js';

/** Raised when what is kept of an upstream, or what its numbers mean, changes. */
const VERSION = 2;

/** One upstream as it is kept. */
interface Kept {
  readonly version: number;
  readonly text: string;
  /** Why it was suspected; errors in its replies are not kept, they may have been about names. */
  readonly cause: Cause;
  /** How much longer it gets queries without EDNS. */
  readonly plainSeconds: number;
  /** How much longer its questions are left in the client's case. */
  readonly foldedSeconds: number;
  readonly datagrams: readonly number[];
  readonly streams: readonly number[];
}

/** What was read, with times on the clock of this process in seconds. */
interface Remembered extends Kept {
  readonly plainUntil: number;
  readonly foldedUntil: number;
}

export interface PersistOptions {
  readonly path: string;
  /** 0 to write at the stop alone. */
  readonly intervalMs: number;
}

/** One piece of JSON per upstream. It is taken back when, and if, the upstream is asked: names may lead to it later. */
export class LearnedHealth implements SnapshotSection {
  readonly name = 'upstreams';
  taken = 0;
  readonly #cells: Int32Array;
  readonly #isAsked: (text: string) => boolean;
  readonly #services: ControlServices;
  /** What is not taken back yet, no more than there are places. */
  readonly #kept = new Map<string, Remembered>();

  constructor(cells: Int32Array, isAsked: (text: string) => boolean, services: ControlServices) {
    this.#cells = cells;
    this.#isAsked = isAsked;
    this.#services = services;
  }

  *write(): Iterable<Uint8Array> {
    const nowSeconds = this.#services.clock.nowMs / 1000;
    for (const place of HealthCells.all(this.#cells)) {
      const kept: Kept = {
        version: VERSION,
        text: place.text,
        cause: place.suspectSince === 0 || place.cause === Cause.ERRORS ? Cause.NONE : place.cause,
        plainSeconds: place.plainUntil === 0 ? 0 : Math.round(place.plainUntil - nowSeconds),
        foldedSeconds: place.foldedUntil === 0 ? 0 : Math.round(place.foldedUntil - nowSeconds),
        datagrams: keptLatency(this.#cells, place.latencyAt(false)),
        streams: keptLatency(this.#cells, place.latencyAt(true)),
      };
      yield Buffer.from(JSON.stringify(kept));
    }
  }

  read(piece: Uint8Array, ageMs: number): void {
    const kept = JSON.parse(Buffer.from(piece).toString()) as Kept;
    if (kept.version !== VERSION || this.#kept.size === PLACES) return;
    const writtenSeconds = (this.#services.clock.nowMs - ageMs) / 1000;
    const plainUntil = writtenSeconds + kept.plainSeconds;
    const foldedUntil = writtenSeconds + kept.foldedSeconds;
    this.#kept.set(kept.text, { ...kept, plainUntil, foldedUntil });
    if (this.#isAsked(kept.text)) this.apply(kept.text);
  }

  /** The upstream called `text` is asked from now on: takes back what was kept of it. */
  apply(text: string): void {
    const kept = this.#kept.get(text);
    if (kept === undefined) return;
    this.#kept.delete(text);
    const { nowMs } = this.#services.clock;
    const place = HealthCells.of(this.#cells, kept.text, -1);
    takeLatency(this.#cells, place.latencyAt(false), kept.datagrams);
    takeLatency(this.#cells, place.latencyAt(true), kept.streams);
    // The first query looks, and a probe tells.
    if (kept.cause !== Cause.NONE) place.suspect(nowMs, kept.cause);
    if (kept.plainUntil > nowMs / 1000) place.usePlainUntil(Math.ceil(kept.plainUntil));
    if (kept.foldedUntil > nowMs / 1000) place.foldUntil(Math.ceil(kept.foldedUntil));
    this.taken++;
  }
}

/** Throws an Error when somebody else keeps something in the same file. */
export function createKeeper(
  { path, intervalMs }: PersistOptions,
  section: LearnedHealth,
  zones: readonly string[],
  services: ControlServices,
): SnapshotKeeper {
  const { block, log, metrics, servers } = services;
  const failures = metrics.counter(
    'snapshot_failures_total',
    'Snapshots that could not be written.',
  );
  const listeners = block.listeners.map((i) => servers[i] ?? '').join(' ');
  return new SnapshotKeeper({
    path,
    owner: `forward of ${zones.join(' ')} on ${listeners}${block.view && ` in ${block.view}`}`,
    intervalMs,
    sections: [section],
    log,
    onFailed: () => failures.inc(),
  });
}

/** What the log says of a file that was read, '' for nothing. */
export function loadedText(load: SnapshotLoad, { taken }: LearnedHealth, path: string): string {
  if (load.outcome !== 'loaded' || taken === 0) return '';
  const seconds = Math.round(load.ageMs / 1000);
  return `${taken} upstreams are known from ${seconds} s ago, from ${path}`;
}
