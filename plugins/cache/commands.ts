// `heimdall cache ...`: what an operator asks of the cache of a running server, and its answers.
import {
  CommandError,
  type Labels,
  type MetricSource,
  NameError,
  parseName,
  type Row,
  typeFromName,
} from '../../core/plugin.js';
import type { CacheInspector, EntryView, Selection } from './inspect.js';

export const CACHE_HELP =
  'list [--subtree] [NAME [TYPE]] | get NAME [TYPE] | flush [--subtree] NAME [TYPE] | stats';

const ALL: Selection = { name: undefined, isSubtree: false, type: undefined };

export class CacheCommands {
  readonly #inspector: CacheInspector;
  readonly #labels: Labels;
  readonly #servers: ReadonlySet<string>;
  readonly #metrics: () => MetricSource;

  /** `labels` and `servers` are those of this cache's metrics. */
  constructor(
    inspector: CacheInspector,
    labels: Labels,
    servers: readonly string[],
    metrics: () => MetricSource,
  ) {
    this.#inspector = inspector;
    this.#labels = labels;
    this.#servers = new Set(servers);
    this.#metrics = metrics;
  }

  /** Carries out `heimdall cache ARGS...`. */
  readonly run = (args: readonly string[]): AsyncIterable<Row> | Iterable<Row> => {
    const [verb, ...rest] = args;
    switch (verb) {
      case 'list':
        return this.#list(rest.length === 0 ? ALL : selectionOf(verb, rest));
      case 'get':
        return this.#get(selectionOf(verb, rest));
      case 'flush':
        return this.#flush(selectionOf(verb, rest));
      case 'stats':
        if (rest[0] !== undefined) throw surplus(rest[0]);
        return this.#stats();
      default:
        throw new CommandError(`cache: want ${CACHE_HELP}`);
    }
  };

  async *#list(selection: Selection): AsyncGenerator<Row, void> {
    for await (const entry of this.#inspector.entries(selection)) {
      const { name, rrclass, type, kind, ttl, isStale, flags, half, walker } = entry;
      const { uses, usedBytes: bytes, isFrequent } = walker;
      const network = entry.network ?? null;
      const what = { name, class: rrclass, type, kind, ttl, stale: isStale, flags, network };
      yield { ...what, uses, bytes, half, clock: isFrequent ? 'frequency' : 'recency' };
    }
  }

  async *#get(selection: Selection): AsyncGenerator<Row, void> {
    for await (const entry of this.#inspector.entries(selection)) yield* rowsOf(entry);
  }

  async *#flush(selection: Selection): AsyncGenerator<Row, void> {
    yield { flushed: await this.#inspector.flush(selection) };
  }

  *#stats(): Generator<Row, void> {
    const counted = new Map(
      this.#metrics()
        .families()
        .map((family) => [family.name, family]),
    );
    const sum = (name: string, type?: string): number | null => {
      const family = counted.get(`cache_${name}_total`);
      if (family === undefined) return null;
      let total = 0;
      for (const { labels, values } of family.samples) {
        if (this.#isOwn(labels) && (type === undefined || labels.type === type)) {
          total += values[0] ?? 0;
        }
      }
      return total;
    };
    const halves = this.#inspector.halves();
    for (const half of halves) {
      yield { ...half, ...countsOf(half.half), requests: null, misses: null };
    }
    const add = (field: 'entries' | 'capacity' | 'bytes' | 'size'): number =>
      halves.reduce((total, half) => total + half[field], 0);
    yield {
      half: 'both',
      entries: add('entries'),
      capacity: add('capacity'),
      bytes: add('bytes'),
      size: add('size'),
      ...countsOf(undefined),
      requests: sum('requests'),
      misses: sum('misses'),
    };

    function countsOf(type: string | undefined): Row {
      const [hits, ghosts, evictions] = ['hits', 'ghost_hits', 'evictions'].map((name) =>
        sum(name, type),
      );
      return { hits: hits ?? null, ghost_hits: ghosts ?? null, evictions: evictions ?? null };
    }
  }

  /** Whether a series belongs to this cache and not to one of another server block. */
  #isOwn(labels: Labels): boolean {
    const isCache = Object.entries(this.#labels).every(([name, value]) => labels[name] === value);
    return isCache && (labels.server === undefined || this.#servers.has(labels.server));
  }
}

/** A row for each record, or one for an entry without any. */
function* rowsOf(entry: EntryView): Generator<Row, void> {
  const { type: qtype, kind, flags, isStale: stale } = entry;
  const common = { qtype, kind, flags, network: entry.network ?? null, stale };
  const error = entry.extendedError();
  const records = entry.records();
  for (const { section, owner, ttl, rrclass, type, rdata } of records) {
    yield { ...common, section, owner, ttl, class: rrclass, type, rdata };
  }
  if (error === undefined && records.length > 0) return;
  const { name: owner, ttl } = entry;
  const type = error === undefined ? null : 'EDE';
  yield { ...common, section: null, owner, ttl, class: null, type, rdata: error ?? null };
}

/** `[--subtree] NAME [TYPE]`, the flag anywhere. */
function selectionOf(verb: string, args: readonly string[]): Selection {
  const isSubtree = args.includes('--subtree') || args.includes('-subtree');
  const [nameText, typeText, more] = args.filter((arg) => !/^--?subtree$/.test(arg));
  if (isSubtree && verb === 'get') throw surplus('--subtree');
  if (nameText === undefined) throw new CommandError(`cache ${verb}: want a NAME`);
  if (more !== undefined) throw surplus(more);
  const type = typeText === undefined ? undefined : typeOf(typeText);
  return { name: nameOf(nameText), isSubtree, type };
}

function nameOf(text: string): Uint8Array {
  try {
    return parseName(text);
  } catch (error) {
    if (error instanceof NameError) throw new CommandError(`cache: ${error.message}`);
    throw error;
  }
}

function typeOf(text: string): number {
  const type = typeFromName(text);
  if (type !== undefined) return type;
  throw new CommandError(`cache: unknown type "${text}", want one such as AAAA or TYPE65280`);
}

function surplus(arg: string): CommandError {
  return new CommandError(`cache: unexpected "${arg}"`);
}
