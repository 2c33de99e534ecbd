// What the slab of one half counts in shared memory, made metrics by the main thread.
import {
  type ControlServices,
  type Counter,
  type Gauge,
  type Labels,
  SlabCause,
  SlabList,
  type SlabWriter,
} from '../../core/plugin.js';
import { typeLabels } from './counts.js';

/** Labels of causes and lists. */
const CAUSES: readonly (readonly [string, SlabCause])[] = [
  ['entries', SlabCause.ENTRIES],
  ['bytes', SlabCause.BYTES],
  ['index', SlabCause.INDEX],
  ['expired', SlabCause.EXPIRED],
  ['superseded', SlabCause.SUPERSEDED],
  ['flushed', SlabCause.FLUSHED],
];
const LISTS: readonly (readonly [string, SlabList])[] = [
  ['recency', SlabList.RECENCY],
  ['frequency', SlabList.FREQUENCY],
];

/** A counter, and how far the slab's own had come when it was last looked at. */
interface Follower {
  readonly counter: Counter;
  readonly read: () => number;
  last: number;
}

export class HalfMetrics {
  readonly #writer: SlabWriter;
  /** By server, as CoreDNS has them; all show the same. */
  readonly #entries: readonly Gauge[];
  readonly #bytes: readonly Gauge[];
  readonly #recent: readonly Gauge[];
  readonly #targets: readonly Gauge[];
  readonly #followers: readonly Follower[];

  constructor(
    writer: SlabWriter,
    type: string,
    zones: readonly string[],
    { metrics, servers, block }: ControlServices,
  ) {
    this.#writer = writer;
    const cache = { zones: zones.join(','), view: block.view };
    const labels = block.listeners.map((i) => typeLabels(servers[i] ?? '', type, cache));
    this.#entries = labels.map((of) => metrics.gauge('entries', 'Entries in the cache.', of));
    this.#bytes = labels.map((of) => metrics.gauge('bytes', 'Memory that entries take.', of));
    this.#recent = labels.map((of) =>
      metrics.gauge('recency_entries', 'Entries in the clock of recency.', of),
    );
    this.#targets = labels.map((of) =>
      metrics.gauge('recency_target', 'Entries that the clock of recency is to hold.', of),
    );
    const of: Labels = { type, ...cache };
    this.#followers = [
      ...CAUSES.map(([cause, number]) => {
        const counter = metrics.counter('removed_total', 'Entries removed.', { ...of, cause });
        return follow(counter, () => writer.removed(number));
      }),
      ...LISTS.map(([list, number]) => {
        const help = 'Names stored that had to make room not long before.';
        const counter = metrics.counter('ghost_hits_total', help, { ...of, list });
        return follow(counter, () => writer.ghostHits(number));
      }),
      follow(
        metrics.counter('double_size_hits_total', 'Hits that twice the entries would add.', of),
        () => writer.nearGhostHits,
      ),
    ];
  }

  publish(): void {
    const writer = this.#writer;
    for (const gauge of this.#entries) gauge.set(writer.count);
    for (const gauge of this.#bytes) gauge.set(writer.usedBytes);
    for (const gauge of this.#recent) gauge.set(writer.recent);
    for (const gauge of this.#targets) gauge.set(writer.target);
    for (const follower of this.#followers) {
      const now = follower.read();
      // The slab's counters are words that wrap.
      follower.counter.inc((now - follower.last) >>> 0);
      follower.last = now;
    }
  }
}

function follow(counter: Counter, read: () => number): Follower {
  return { counter, read, last: read() };
}
