// A file whose nameserver lines are upstreams, read again when it changes. It is looked at once a second by name, so that it does not matter whether it is written in
// place, replaced, or a symbolic link that is turned elsewhere; what it named last stays while it is gone, empty or not to be read.
import { statSync } from 'node:fs';
import type { Logger } from '../../core/plugin.js';
import { readResolvConf } from './resolv-conf.js';
import type { AddressTarget, FileTarget } from './targets.js';
import { weighted } from './weights.js';

/** Like no file. */
const UNSEEN = '?';

export class WatchedFile {
  readonly #file: FileTarget;
  readonly #log: Logger;
  #targets: readonly AddressTarget[];
  /**
   * What the file looked like when it was read, and when it was looked at last. Not kept of the first reading: the times of a file are so coarse that one
   * written a moment ago may be written again and look the same.
   */
  #readMark = UNSEEN;
  #seenMark = UNSEEN;
  #isOfUse = true;

  /** Reads the file. Throws an Error that names it when it cannot be read. */
  constructor(file: FileTarget, log: Logger) {
    this.#file = file;
    this.#log = log;
    this.#targets = this.#read();
  }

  /** How the operator calls it. */
  get text(): string {
    return `"${this.#file.path}"`;
  }

  get targets(): readonly AddressTarget[] {
    return this.#targets;
  }

  /** Looks whether the file is another one, and reads it if it is still the same a look later: somebody may be writing. */
  poll(): void {
    const mark = markOf(this.#file.path);
    const isSettled = mark === this.#seenMark;
    this.#seenMark = mark;
    if (!isSettled || mark === this.#readMark) return;
    this.#readMark = mark;
    this.#reread();
  }

  #reread(): void {
    try {
      const targets = this.#read();
      if (targets.length === 0) {
        this.#keep(`${this.text} names no nameserver`);
        return;
      }
      this.#targets = targets;
      if (!this.#isOfUse) this.#log.info(`${this.text} names nameservers again`);
      this.#isOfUse = true;
    } catch (error) {
      this.#keep((error as Error).message);
    }
  }

  /** Said once, until it is of use again. */
  #keep(why: string): void {
    if (this.#isOfUse) this.#log.warning(`${why}; those that it named last stay`);
    this.#isOfUse = false;
  }

  #read(): readonly AddressTarget[] {
    return readResolvConf(this.#file.path).map((target) => weighted(target, this.#file));
  }
}

/** Tells one state of a file, or of what a link leads to, from any other; '' when there is none. */
function markOf(path: string): string {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = statSync(path, { bigint: true });
    return `${dev} ${ino} ${size} ${mtimeNs} ${ctimeNs}`;
  } catch {
    return '';
  }
}
