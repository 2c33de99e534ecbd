// Standard output of the process. Only the main thread writes, so lines of threads cannot mix; nothing waits for a slow reader.
import { once } from 'node:events';
import type { SonicBoom } from 'sonic-boom';
import type { Counter } from '../chain/services.js';
import { commonjs } from '../system/commonjs.js';
import type { LineOutput } from './lines.js';

/** Text kept for a reader that does not keep up; past it lines are dropped and counted, because answering comes first. */
const MAX_WAITING_CHARS = 4 * 1024 * 1024;

/** How long the end of the process waits for a reader to take the last lines. */
const CLOSE_LIMIT_MS = 500;

export class StandardOutput implements LineOutput {
  readonly #sink: SonicBoom;
  #dropped: Counter | undefined;

  constructor(fd = 1) {
    const sonicBoom = commonjs('sonic-boom') as typeof import('sonic-boom');
    this.#sink = new sonicBoom.SonicBoom({ fd, sync: false, maxLength: MAX_WAITING_CHARS });
    this.#sink.on('drop', (text: unknown) => this.#dropped?.inc(countLines(String(text))));
    // The reader is gone (EPIPE) or the disk is full: the server goes on without its log.
    this.#sink.on('error', () => {});
  }

  /** Counts dropped lines from now on. */
  set dropped(counter: Counter) {
    this.#dropped = counter;
  }

  /** Whole lines; several at once are fine. */
  write(lines: string): void {
    this.#sink.write(lines);
  }

  /** Resolves when what was written is out, or nobody takes it. */
  async close(): Promise<void> {
    const limit = AbortSignal.timeout(CLOSE_LIMIT_MS);
    const closed = once(this.#sink, 'close', { signal: limit });
    this.#sink.end();
    await closed.catch(() => {});
  }
}

function countLines(text: string): number {
  let lines = 0;
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) lines++;
  return lines;
}
