// What the main thread reads once for all workers: files and the memory for health. The data part gets it as `services.published`.
import { readFileSync } from 'node:fs';
import { createTlsContext } from '../../core/plugin.js';
import { allocateHealth } from './health-cells.js';
import { MAX_UPSTREAMS } from './policy.js';
import { readResolvConf } from './resolv-conf.js';
import type { ForwardConfig, TlsFiles } from './syntax.js';
import type { AddressTarget, NameTarget } from './targets.js';
import { weighted } from './weights.js';

/** PEM texts. */
export interface TlsTexts {
  readonly cert: string | undefined;
  readonly key: string | undefined;
  readonly ca: string | undefined;
}

export interface Published {
  /** The upstreams in written order, files replaced by what they name. */
  readonly targets: readonly (AddressTarget | NameTarget)[];
  readonly tls: TlsTexts;
  /** Memory of `HealthCells`. */
  readonly cells: Int32Array;
}

/** Reads the files that `config` names. Throws an Error for the operator when one is of no use. */
export function publish(config: ForwardConfig, workers: number): Published {
  const targets = config.to.flatMap((target) =>
    target.kind === 'file' ? readResolvConf(target.path).map((t) => weighted(t, target)) : [target],
  );
  checkCount(targets.length);
  return { targets, tls: readTls(config.tls), cells: allocateHealth(workers) };
}

/** Throws an Error when there are no upstreams, or more than the masks of *forward* hold. */
export function checkCount(upstreams: number): void {
  if (upstreams === 0) throw new Error('no upstream is left: the files name no nameserver');
  if (upstreams > MAX_UPSTREAMS) {
    throw new Error(`${upstreams} upstreams are too many, want at most ${MAX_UPSTREAMS}`);
  }
}

function readTls(files: TlsFiles | undefined): TlsTexts {
  const read = (path: string | undefined) => (path === undefined ? undefined : readText(path));
  const texts = { cert: read(files?.cert), key: read(files?.key), ca: read(files?.ca) };
  if (files === undefined) return texts;
  try {
    createTlsContext(texts);
  } catch (error) {
    const names = Object.values(files).filter((path) => path !== undefined);
    throw new Error(`cannot use ${names.join(', ')}: ${(error as Error).message}`);
  }
  return texts;
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new Error(`cannot read "${path}": ${(error as Error).message}`);
  }
}
