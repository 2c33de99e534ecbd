// The loader as a process of its own: `node load-process.js '{"port":5300,"cpu":1,...}'` prints the result as one line of JSON.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { pinThread } from '../../core/system/affinity.js';
import { DEFAULT_LOAD, generateLoad, type LoadOptions, type LoadResult } from './loader.js';

export type ProcessLoad = Partial<LoadOptions> & {
  readonly port: number;
  /** Processor the loader stays on. */
  readonly cpu?: number;
};

/** Runs a load in a new process; rejects when that fails. */
export async function runLoad(options: ProcessLoad): Promise<LoadResult> {
  const file = fileURLToPath(import.meta.url);
  const { stdout } = await promisify(execFile)(process.execPath, [file, JSON.stringify(options)]);
  return JSON.parse(stdout) as LoadResult;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { cpu, ...options } = JSON.parse(process.argv[2] ?? '{}') as ProcessLoad;
  if (cpu !== undefined) pinThread(cpu);
  console.log(JSON.stringify(generateLoad({ ...DEFAULT_LOAD, ...options })));
}
