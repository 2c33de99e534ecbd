// What *dedupe* does once per process: makes the memory in which the workers agree, and speaks for a worker that ended.
import { randomInt } from 'node:crypto';
import {
  allocateClaims,
  allocateMailboxes,
  Claims,
  type Control,
  Mailboxes,
} from '../../core/plugin.js';

/** What more than one worker need. */
export interface SharedMemory {
  readonly claims: SharedArrayBuffer;
  readonly mail: SharedArrayBuffer;
}

/** What the workers of one server block share. */
export interface DedupeMemory {
  /** Of the hash: names come from strangers. */
  readonly seed: readonly [number, number];
  /** Absent for a single worker. */
  readonly shared: SharedMemory | undefined;
}

export function allocateDedupe(workers: number): DedupeMemory {
  const shared =
    workers > 1 ? { claims: allocateClaims(workers), mail: allocateMailboxes(workers) } : undefined;
  return { seed: [randomInt(2 ** 32), randomInt(2 ** 32)], shared };
}

export class DedupeControl implements Control {
  readonly published: DedupeMemory;
  readonly #workers: number;

  constructor(workers: number) {
    this.published = allocateDedupe(workers);
    this.#workers = workers;
  }

  /** What the worker led is nobody's now; those that wait for it try by themselves. */
  onWorkerExit(worker: number): void {
    const { shared } = this.published;
    if (shared === undefined) return;
    const mailboxes = new Mailboxes(shared.mail, this.#workers);
    mailboxes.releaseAll(worker);
    new Claims(shared.claims, this.#workers).releaseAll(worker);
    // All of them, because it may have ended between giving up a claim and telling who waited for it.
    for (let other = 0; other < this.#workers; other++) if (other !== worker) mailboxes.lose(other);
  }
}
