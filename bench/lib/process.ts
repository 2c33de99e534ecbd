// Processes under measurement: started on one core, asked for their CPU time and memory, ended by id.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';

/** Kernel ticks a second in /proc (USER_HZ is 100 on every Linux). */
const TICKS = 100;
const PAGE_KIB = 4;

export class MeasuredProcess {
  readonly #child: ChildProcess;

  constructor(command: readonly string[], cpu: number) {
    this.#child = spawn('taskset', ['-c', String(cpu), ...command], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** User and system time of all threads so far, in seconds. */
  get cpuSeconds(): number {
    // Fields after the name in parentheses: utime is the 12th, stime the 13th.
    const fields = this.#stat('stat')
      .replace(/^.*\) /s, '')
      .split(' ');
    return (Number(fields[11]) + Number(fields[12])) / TICKS;
  }

  /** Resident memory in MB. */
  get rssMb(): number {
    return (Number(this.#stat('statm').split(' ')[1]) * PAGE_KIB) / 1024;
  }

  async stop(): Promise<void> {
    if (!this.isRunning) return;
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    const kill = setTimeout(() => this.#child.kill('SIGKILL'), 6000);
    await exited;
    clearTimeout(kill);
  }

  #stat(file: string): string {
    return readFileSync(`/proc/${this.#child.pid}/${file}`, 'utf8');
  }
}
