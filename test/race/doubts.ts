// What is right only for a reason that clients cannot see: an answer that was long on its way to the cache when processes wait for a processor, and a failure that the server met
// itself. The server's tap (scene.ts) writes down both, behind *cache*, as they come: lines of `late SAID MS` and `error NOW NAME`. At the end each doubt is compared with them.
import { SLACK_MS } from './timing.js';

export type Doubt =
  | { readonly saidMs: number; readonly needMs: number }
  | { readonly name: string; readonly fromMs: number; readonly toMs: number };

/** Errors of a name that are shown. */
const SHOWN = 5;

export class Reasons {
  /** How long an answer said at that time was on its way, at most. */
  readonly #late = new Map<number, number>();
  readonly #errors = new Map<string, number[]>();

  constructor(text: string) {
    for (const line of text.split('\n')) {
      // Clients spell names as they like.
      const [what, time = '', more = ''] = line.toLowerCase().split(' ');
      if (what === 'late') {
        const saidMs = Number(time);
        this.#late.set(saidMs, Math.max(this.#late.get(saidMs) ?? 0, Number(more)));
      } else if (what === 'error') {
        const times = this.#errors.get(more) ?? [];
        times.push(Number(time));
        this.#errors.set(more, times);
      }
    }
  }

  explains(doubt: Doubt): boolean {
    if ('name' in doubt) {
      const times = this.#errors.get(doubt.name) ?? [];
      return times.some((ms) => ms >= doubt.fromMs && ms <= doubt.toMs);
    }
    return doubt.needMs <= SLACK_MS + (this.#late.get(doubt.saidMs) ?? 0);
  }

  /** What the tap wrote down that comes closest to a reason. */
  near(doubt: Doubt): string {
    if (!('name' in doubt)) return `on its way for ${this.#late.get(doubt.saidMs) ?? 0} ms`;
    const times = (this.#errors.get(doubt.name) ?? []).map((ms) => ms - doubt.toMs);
    const nearest = times.toSorted((a, b) => Math.abs(a) - Math.abs(b)).slice(0, SHOWN);
    const text = nearest.map((ms) => ms.toFixed(3)).join(', ') || 'none';
    return `errors of the name, in ms after the reply: ${text}`;
  }
}
