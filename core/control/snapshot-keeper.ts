// When a snapshot is read and written: read before the first query, written at intervals and at the stop, one at a time.
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Logger } from '../chain/services.js';
import {
  loadSnapshot,
  type SnapshotLoad,
  type SnapshotSection,
  saveSnapshot,
} from './snapshot-file.js';

/** A snapshot that was written. */
export interface SnapshotSaved {
  readonly bytes: number;
  readonly durationMs: number;
  /** Milliseconds since 1970. */
  readonly wallMs: number;
}

export interface SnapshotOptions {
  readonly path: string;
  /** Whose file it is, the same after a reload: plugin and server block. */
  readonly owner: string;
  /** From the end of one to the beginning of the next; 0 to write at the stop alone. */
  readonly intervalMs: number;
  readonly sections: readonly SnapshotSection[];
  readonly log: Logger;
  /** For metrics. */
  onSaved?(saved: SnapshotSaved): void;
  onFailed?(): void;
}

/** Whose the files in use are, and how many keepers have each: two for a moment when one takes over from another. */
const claims = new Map<string, { readonly owner: string; keepers: number }>();

/** For the control part of a plugin: `load` belongs in its `onLoad`, `start` in its `onStart`, `stop` in its `onStop`. */
export class SnapshotKeeper {
  readonly #options: SnapshotOptions;
  #timer: NodeJS.Timeout | undefined;
  #loading: Promise<SnapshotLoad> | undefined;
  #isStopped = false;
  #saving: Promise<void> | undefined;
  #hasFailed = false;

  /** Throws an Error when somebody else keeps something in the same file. */
  constructor(options: SnapshotOptions) {
    this.#options = options;
    const { path, owner } = options;
    const claim = claims.get(path) ?? { owner, keepers: 0 };
    if (claim.owner !== owner) {
      throw new Error(`${path} is written for ${claim.owner}, want another file for ${owner}`);
    }
    claim.keepers++;
    claims.set(path, claim);
  }

  /** Reads what was kept. A file that is no good is reported and left alone until the next one replaces it. */
  load(): Promise<SnapshotLoad> {
    this.#loading ??= this.#load();
    return this.#loading;
  }

  /** Writes at intervals from now on. */
  start(): void {
    const { intervalMs } = this.#options;
    if (intervalMs === 0 || this.#isStopped) return;
    this.#timer = setTimeout(() => void this.save().then(() => this.start()), intervalMs);
    this.#timer.unref();
  }

  /** Writes once more and is done; the last state is what is kept. */
  async stop(): Promise<void> {
    if (this.#isStopped) return;
    this.#isStopped = true;
    clearTimeout(this.#timer);
    await this.#saving;
    await this.save();
    const { path } = this.#options;
    const claim = claims.get(path);
    if (claim !== undefined && --claim.keepers === 0) claims.delete(path);
  }

  /** Writes now, or waits for the one that is under way. Never rejects: a failure is logged once, until one succeeds again. */
  save(): Promise<void> {
    this.#saving ??= this.#save().finally(() => {
      this.#saving = undefined;
    });
    return this.#saving;
  }

  async #load(): Promise<SnapshotLoad> {
    const { path, sections, log } = this.#options;
    const load = await loadSnapshot(path, sections, (section, error) => {
      log.warning(`${section} of the snapshot ${path} is not taken: ${(error as Error).message}`);
    });
    if (load.outcome === 'ignored') log.warning(`snapshot ${path} is ignored: ${load.reason}`);
    await access(dirname(path), constants.W_OK).catch(({ code }: NodeJS.ErrnoException) => {
      log.warning(`no snapshot can be written to ${dirname(path)}: ${code}`);
    });
    return load;
  }

  async #save(): Promise<void> {
    const { path, sections, log, onSaved, onFailed } = this.#options;
    // What is not read yet would be lost.
    await this.#loading;
    const startMs = performance.now();
    const wallMs = Date.now();
    try {
      const bytes = await saveSnapshot(path, sections);
      onSaved?.({ bytes, durationMs: performance.now() - startMs, wallMs });
      this.#hasFailed = false;
    } catch (error) {
      if (!this.#hasFailed) log.error(`snapshot: ${(error as Error).message}`);
      this.#hasFailed = true;
      onFailed?.();
    }
  }
}
