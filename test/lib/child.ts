// A server process under test: started, waited for, its output kept, stopped by its own pid.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';

const START_LIMIT_MS = 20_000;
const STOP_LIMIT_MS = 10_000;

export interface ChildOptions {
  readonly command: readonly string[];
  /** What the output shows once the server serves. */
  readonly ready: RegExp;
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Until it must be ready, 20 seconds otherwise. */
  readonly startLimitMs?: number;
  /** Given on standard input, which is then closed. */
  readonly input?: string;
}

/** What still runs, so that a test that ends early leaves no process behind. */
const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

export class Child {
  readonly #process: ChildProcess;
  readonly #exited: Promise<unknown>;
  readonly #name: string;
  #stdout = '';
  #stderr = '';
  #onOutput: () => void = () => {};

  private constructor(options: ChildOptions) {
    const [program, ...args] = options.command as [string, ...string[]];
    this.#name = program;
    this.#process = spawn(program, args, {
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      env: { ...process.env, ...options.env },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    running.add(this.#process);
    this.#exited = once(this.#process, 'close').finally(() => running.delete(this.#process));
    // Spawning may fail: the wait for readiness reports it, a rejection nobody holds must not.
    this.#exited.catch(() => {});
    this.#process.stdin?.on('error', () => {});
    this.#process.stdin?.end(options.input ?? '');
    this.#process.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#stdout += text;
      this.#onOutput();
    });
    this.#process.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text;
      this.#onOutput();
    });
  }

  /** Starts it and waits until its output shows that it is ready. Throws with the output when it ends before. */
  static async start(options: ChildOptions): Promise<Child> {
    const child = new Child(options);
    try {
      await child.waitFor(options.ready, options.startLimitMs ?? START_LIMIT_MS);
    } catch (error) {
      await child.kill();
      throw error;
    }
    return child;
  }

  get pid(): number {
    return this.#process.pid as number;
  }

  get stdout(): string {
    return this.#stdout;
  }

  get stderr(): string {
    return this.#stderr;
  }

  get isRunning(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null;
  }

  /** Waits until standard output or error shows `what`. */
  async waitFor(what: RegExp, limitMs = STOP_LIMIT_MS): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const shown = new Promise<boolean>((resolve) => {
      this.#onOutput = () => {
        if (what.test(this.#stdout) || what.test(this.#stderr)) resolve(true);
      };
      this.#onOutput();
      timer = setTimeout(resolve, limitMs, false);
      this.#exited.then(
        () => resolve(false),
        () => resolve(false),
      );
    });
    const isShown = await shown;
    clearTimeout(timer);
    this.#onOutput = () => {};
    if (!isShown) throw new Error(`${this.#name} did not print ${what}:\n${this.#output()}`);
  }

  signal(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  /** Asks it to end and waits. Returns its exit code, -1 when a signal ended it; throws when it does not end. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number> {
    if (this.isRunning) this.#process.kill(signal);
    const timer = setTimeout(() => void this.kill(), STOP_LIMIT_MS);
    await this.#exited;
    clearTimeout(timer);
    if (this.#process.signalCode === 'SIGKILL') {
      throw new Error(`${this.#name} did not stop:\n${this.#output()}`);
    }
    return this.#process.exitCode ?? -1;
  }

  /** Waits for it to end by itself; its exit code. */
  async ended(): Promise<number> {
    await this.#exited;
    return this.#process.exitCode ?? -1;
  }

  async kill(): Promise<void> {
    this.#process.kill('SIGKILL');
    // A process of its own that lives on would keep the pipes open.
    this.#process.stdout?.destroy();
    this.#process.stderr?.destroy();
    await this.#exited.catch(() => {});
  }

  #output(): string {
    return `${this.#stdout}${this.#stderr}`;
  }
}

/** Runs a program to its end: exit code and output. */
export async function run(
  command: readonly string[],
  options: { readonly cwd?: string; readonly env?: Readonly<Record<string, string>> } = {},
): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }> {
  const [program, ...args] = command as [string, ...string[]];
  const child = spawn(program, args, {
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    env: { ...process.env, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: START_LIMIT_MS,
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  await once(child, 'close');
  return { code: child.exitCode ?? -1, stdout, stderr };
}
