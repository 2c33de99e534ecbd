// The loader as a process of its own: `node load-process.js '{"port":5300,...}'` prints the result as one line of JSON.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { DEFAULT_LOAD, generateLoad, type LoadOptions, type LoadResult } from './loader.js';

export type ProcessLoad = Partial<LoadOptions> & {
  readonly port: number;
  /** Processor that all threads of the loader stay on: those of V8 would take time from what is measured. */
  readonly cpu?: number;
};

/** Runs a load in a new process; rejects when that fails. */
export async function runLoad({ cpu, ...options }: ProcessLoad): Promise<LoadResult> {
  const file = fileURLToPath(import.meta.url);
  const command = [process.execPath, file, JSON.stringify(options)];
  if (cpu !== undefined) command.unshift('taskset', '-c', String(cpu));
  const { stdout } = await promisify(execFile)(command[0] as string, command.slice(1));
  return JSON.parse(stdout) as LoadResult;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const options = JSON.parse(process.argv[2] ?? '{}') as Omit<ProcessLoad, 'cpu'>;
  console.log(JSON.stringify(generateLoad({ ...DEFAULT_LOAD, ...options })));
}
