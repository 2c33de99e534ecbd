// Logs faults of plugins: the first of a cause at once, repeats as one line a minute, whatever their number.
import type { Logger } from '../chain/services.js';

/** Causes remembered; past this the rest share one entry, so that a fault with a changing text cannot fill memory or log. */
const MAX_CAUSES = 100;

const REPEAT_MS = 60_000;

interface Cause {
  repeats: number;
  loggedMs: number;
}

export class FaultLog {
  readonly #log: Logger;
  readonly #withStack: boolean;
  readonly #causes = new Map<string, Cause>();

  /** `withStack` prints stack traces (*debug*). */
  constructor(log: Logger, withStack: boolean) {
    this.#log = log;
    this.#withStack = withStack;
  }

  /** Reports that `plugin` failed on a query. `error` is whatever was thrown. */
  report(plugin: string, error: unknown, nowMs: number): void {
    const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    let key = `${plugin}: ${text}`;
    if (this.#causes.size >= MAX_CAUSES && !this.#causes.has(key)) key = 'other causes';
    const cause = this.#causes.get(key);
    if (cause === undefined) {
      this.#causes.set(key, { repeats: 0, loggedMs: nowMs });
      const where = this.#withStack ? (error as Error).stack : firstFrame(error);
      this.#log.error(`fault in plugin ${key}${where === undefined ? '' : ` (${where})`}`);
      return;
    }
    cause.repeats++;
    if (nowMs - cause.loggedMs < REPEAT_MS) return;
    this.#log.error(`fault in plugin ${key}: ${cause.repeats} more times`);
    cause.repeats = 0;
    cause.loggedMs = nowMs;
  }
}

/** `file:line:column` of where it was thrown. */
function firstFrame(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const frame = error.stack?.split('\n').find((line) => line.startsWith('    at '));
  return frame?.replace(/^ {4}at (.*\()?/, '').replace(/\)$/, '');
}
