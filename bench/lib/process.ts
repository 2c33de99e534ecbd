// Processes under measurement: started on one core, asked for their CPU time and memory, ended by id.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';

/** Kernel ticks a second in /proc (USER_HZ is 100 on every Linux). */
const TICKS = 100;
const PAGE_KIB = 4;

export class MeasuredProcess {
  readonly #child: ChildProcess;

  /** `cpus` is one processor or a list, `0-1`; `onOutput` is given what the process prints, which otherwise nobody reads. */
  constructor(
    command: readonly string[],
    cpus: number | string,
    onOutput?: (text: string) => void,
  ) {
    this.#child = spawn('taskset', ['-c', String(cpus), ...command], {
      stdio: ['ignore', onOutput === undefined ? 'ignore' : 'pipe', 'inherit'],
    });
    if (onOutput !== undefined) this.#child.stdout?.setEncoding('utf8').on('data', onOutput);
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** User and system time of all threads so far, in seconds. */
  get cpuSeconds(): number {
    return secondsIn(this.#stat('stat'));
  }

  /** User and system time of each thread so far, in seconds, by thread id. */
  get threadSeconds(): ReadonlyMap<string, number> {
    const threads = readdirSync(`/proc/${this.#child.pid}/task`);
    return new Map(threads.map((id) => [id, secondsIn(this.#stat(`task/${id}/stat`))]));
  }

  /** Resident memory in MB. */
  get rssMb(): number {
    return (Number(this.#stat('statm').split(' ')[1]) * PAGE_KIB) / 1024;
  }

  async stop(): Promise<void> {
    if (!this.isRunning) return;
    const exited = once(this.#child, 'close');
    this.#child.kill('SIGTERM');
    const kill = setTimeout(() => this.#child.kill('SIGKILL'), 6000);
    await exited;
    clearTimeout(kill);
  }

  #stat(file: string): string {
    return readFileSync(`/proc/${this.#child.pid}/${file}`, 'utf8');
  }
}

function secondsIn(stat: string): number {
  // Fields after the name in parentheses: utime is the 12th, stime the 13th.
  const fields = stat.replace(/^.*\) /s, '').split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS;
}
