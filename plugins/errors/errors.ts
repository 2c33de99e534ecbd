// Logs why queries failed: told of replies after they are sent, it writes the error a reply carries, with repeats counted instead of written.
import {
  type Counter,
  type Handler,
  type Logger,
  type Next,
  type Query,
  type Reply,
  type Services,
  TIMERS,
  type Timers,
  typeName,
} from '../../core/plugin.js';

/** Error texts kept apart for `repeats`. The server's own are a few dozen; the limit is for texts that change with each query. */
const MAX_CAUSES = 1000;

/** Counts what has no room of its own. */
const OTHER_CAUSES = 'other causes';

export type Level = 'error' | 'warning' | 'info' | 'debug';

/** Errors counted together. */
export interface Consolidation {
  readonly periodMs: number;
  readonly pattern: RegExp;
  /** The pattern as the operator wrote it, for the log line. */
  readonly patternText: string;
  readonly level: Level;
  readonly showsFirst: boolean;
}

export interface ErrorsOptions {
  readonly consolidations: readonly Consolidation[];
  /** For how long equal texts are counted; 0 writes every error. */
  readonly repeatsMs: number;
}

/** A consolidation at work. Its timer runs while `count` is above 0. */
interface Rule extends Consolidation {
  count: number;
  timer: number;
}

export class ErrorsHandler implements Handler {
  readonly #log: Logger;
  readonly #timers: Timers;
  readonly #consolidated: Counter;
  readonly #rules: Rule[];
  readonly #repeatsMs: number;
  /** Repeats of each text within the current period. A text stays until a whole period went by without it; then the map is empty and no timer runs. */
  readonly #repeats = new Map<string, number>();
  #repeatsTimer = 0;

  constructor(options: ErrorsOptions, services: Services) {
    this.#log = services.log;
    this.#timers = services.get(TIMERS);
    this.#consolidated = services.metrics.counter(
      'consolidated_total',
      'Errors that were counted for a later line instead of being written at once.',
    );
    this.#rules = options.consolidations.map((c) => ({ ...c, count: 0, timer: 0 }));
    this.#repeatsMs = options.repeatsMs;
  }

  serve(q: Query, next: Next): ReturnType<Next> {
    return next(q);
  }

  observe(q: Query, reply: Reply): void {
    const error = reply.error;
    // The server logs faults where it catches them.
    if (error === undefined || error.code === 'ERR_PLUGIN_FAULT') return;
    const text = error.message;
    const rules = this.#rules;
    for (let i = 0; i < rules.length; i++) {
      const rule = rules[i] as Rule;
      if (rule.pattern.test(text)) {
        if (this.#isFirstOf(rule, i)) this.#write(rule.level, q, reply, text);
        return;
      }
    }
    if (this.#repeatsMs === 0 || this.#isNew(text)) this.#write('error', q, reply, text);
  }

  onStop(): void {
    for (const rule of this.#rules) {
      this.#timers.cancel(rule.timer);
      this.#writeRule(rule);
    }
    this.#timers.cancel(this.#repeatsTimer);
    this.#writeRepeats();
    this.#repeats.clear();
  }

  #write(level: Level, q: Query, reply: Reply, text: string): void {
    const name = q.qname.toLowerCase();
    this.#log[level](`${reply.rcode} ${name} ${typeName(q.qtype)}: ${text}`);
  }

  /** Counts an error for a rule; true when it is to be written now. */
  #isFirstOf(rule: Rule, index: number): boolean {
    if (rule.count++ === 0) {
      rule.timer = this.#timers.start(rule.periodMs, this.#onRule, index);
      if (rule.showsFirst) return true;
    }
    this.#consolidated.inc();
    return false;
  }

  readonly #onRule = (index: number): void => this.#writeRule(this.#rules[index] as Rule);

  #writeRule(rule: Rule): void {
    const { count } = rule;
    rule.count = 0;
    // The only one was written when it came.
    if (count === 0 || (count === 1 && rule.showsFirst)) return;
    const period = durationText(rule.periodMs);
    this.#log[rule.level](`${count} errors like '${rule.patternText}' occurred in last ${period}`);
  }

  /** Counts an error that no rule wants; true when its text did not come up lately. */
  #isNew(text: string): boolean {
    const repeats = this.#repeats;
    if (repeats.size === 0) this.#startRepeats();
    const known = repeats.get(text);
    if (known === undefined && repeats.size < MAX_CAUSES) {
      repeats.set(text, 0);
      return true;
    }
    this.#consolidated.inc();
    if (known === undefined) repeats.set(OTHER_CAUSES, (repeats.get(OTHER_CAUSES) ?? 0) + 1);
    else repeats.set(text, known + 1);
    return false;
  }

  #startRepeats(): void {
    this.#repeatsTimer = this.#timers.start(this.#repeatsMs, this.#onRepeats, 0);
  }

  readonly #onRepeats = (): void => {
    this.#writeRepeats();
    if (this.#repeats.size > 0) this.#startRepeats();
  };

  /** Writes the counts of the period that ends, and forgets texts that did not come up in it. */
  #writeRepeats(): void {
    const period = durationText(this.#repeatsMs);
    for (const [text, count] of this.#repeats) {
      if (count === 0) {
        this.#repeats.delete(text);
        continue;
      }
      this.#log.error(`${count} more errors like '${text}' occurred in last ${period}`);
      this.#repeats.set(text, 0);
    }
  }
}

/** A duration as Go prints it, `5m0s` and `500ms`, so that what reads CoreDNS's log reads this one. */
export function durationText(ms: number): string {
  if (ms < 1000) return `${ms}ms`;
  const hours = Math.floor(ms / 3_600_000);
  const minutes = Math.floor(ms / 60_000) % 60;
  const seconds = (ms % 60_000) / 1000;
  if (hours > 0) return `${hours}h${minutes}m${seconds}s`;
  return minutes > 0 ? `${minutes}m${seconds}s` : `${seconds}s`;
}
