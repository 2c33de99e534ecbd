// Lines of a worker on their way to the main thread: collected over one turn of the event loop, posted as one text, bounded.
import type { Counter } from '../chain/services.js';
import { addToCell, loadCell } from '../memory/cells.js';
import type { LineOutput } from './lines.js';

/** Characters posted and not yet taken by the main thread; past it lines are dropped and counted. */
export const MAX_POSTED_CHARS = 1024 * 1024;

/** Cell of the shared count of characters under way. */
const UNDER_WAY = 0;

export class PostedOutput implements LineOutput {
  readonly #underWay: Int32Array;
  readonly #post: (text: string) => void;
  #text = '';
  #isScheduled = false;
  #dropped: Counter | undefined;
  readonly #flushLater = (): void => this.flush();

  /** `underWay` is shared with the main thread, which calls `taken`. */
  constructor(underWay: Int32Array, post: (text: string) => void) {
    this.#underWay = underWay;
    this.#post = post;
  }

  /** Counts dropped lines from now on. */
  set dropped(counter: Counter) {
    this.#dropped = counter;
  }

  write(line: string): void {
    if (loadCell(this.#underWay, UNDER_WAY) + this.#text.length + line.length > MAX_POSTED_CHARS) {
      this.#dropped?.inc();
      return;
    }
    this.#text += line;
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(this.#flushLater);
  }

  /** Posts at once; for a thread that is about to end. */
  flush(): void {
    this.#isScheduled = false;
    if (this.#text === '') return;
    const text = this.#text;
    this.#text = '';
    addToCell(this.#underWay, UNDER_WAY, text.length);
    this.#post(text);
  }
}

/** The main thread has taken this text over. */
export function taken(underWay: Int32Array, text: string): void {
  addToCell(underWay, UNDER_WAY, -text.length);
}
