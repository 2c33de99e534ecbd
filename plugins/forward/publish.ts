// What the main thread makes once for all workers: certificates, and the memory for health. The data part gets it, with the upstreams, as `services.published`.
import { readFileSync } from 'node:fs';
import { createTlsContext } from '../../core/plugin.js';
import { allocateHealth } from './health-cells.js';
import { MAX_UPSTREAMS } from './policy.js';
import { readResolvConf } from './resolv-conf.js';
import type { ForwardConfig, TlsFiles } from './syntax.js';
import type { UpstreamSet } from './upstream-sets.js';
import { weighted } from './weights.js';

/** PEM texts. */
export interface TlsTexts {
  readonly cert: string | undefined;
  readonly key: string | undefined;
  readonly ca: string | undefined;
}

export interface Published extends UpstreamSet {
  readonly tls: TlsTexts;
  /** Memory of `HealthCells`. */
  readonly cells: Int32Array;
}

/** What stays the same whoever the upstreams are. Throws an Error for the operator when a file is of no use. */
export function publishFixed(
  config: ForwardConfig,
  workers: number,
): Pick<Published, 'tls' | 'cells'> {
  return { tls: readTls(config.tls), cells: allocateHealth(workers) };
}

/** For a handler without a control part: upstreams by address and file as they are now, and none by name. */
export function publish(config: ForwardConfig, workers: number): Published {
  const targets = config.to.flatMap((target) => {
    if (target.kind === 'name') return [];
    return target.kind === 'address'
      ? [target]
      : readResolvConf(target.path).map((found) => weighted(found, target));
  });
  const problem = countProblem(targets.length);
  if (problem !== undefined && targets.length > 0) throw new Error(problem);
  return { set: 1, targets, ...publishFixed(config, workers) };
}

/** What is wrong with so many upstreams: none are of no use, and the masks of *forward* hold no more than MAX_UPSTREAMS. */
export function countProblem(upstreams: number): string | undefined {
  if (upstreams === 0) return 'no upstream is left: the files name no nameserver';
  if (upstreams <= MAX_UPSTREAMS) return undefined;
  return `${upstreams} upstreams are too many, want at most ${MAX_UPSTREAMS}`;
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
