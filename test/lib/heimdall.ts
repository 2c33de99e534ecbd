// The server itself as a process, as an operator starts it.
import { fileURLToPath } from 'node:url';
import { Child, run } from './child.js';
import type { Namespace } from './namespace.js';
import { tempFolder } from './temp-folder.js';

/** The bundle, which is what operators run. */
export const MAIN = fileURLToPath(new URL('../../bundle/core/main.js', import.meta.url));

/** The last line of a successful start. */
const STARTED = /^Heimdall-\S+\n.*\bworkers?\b/m;

export interface HeimdallOptions {
  /** What is run instead of the bundle. */
  readonly main?: string;
  /** Flags of Node itself. */
  readonly node?: readonly string[];
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Further files beside the Corefile, by name. */
  readonly files?: Readonly<Record<string, string>>;
  /** Where it runs, if not beside the test. */
  readonly namespace?: Namespace | undefined;
}

export interface Heimdall {
  readonly pid: number;
  readonly folder: string;
  readonly stdout: string;
  readonly stderr: string;
  readonly isRunning: boolean;
  /** Waits until the output shows it, 10 s unless told otherwise. */
  waitFor(what: RegExp, limitMs?: number): Promise<void>;
  signal(signal: NodeJS.Signals): void;
  /** Stops it as init would; its exit code. */
  stop(signal?: NodeJS.Signals): Promise<number>;
}

/** Starts the server on this configuration and waits until it serves. Throws with its output when it does not start. */
export async function startHeimdall(
  corefile: string,
  options: HeimdallOptions = {},
): Promise<Heimdall> {
  const folder = tempFolder();
  const file = folder.write('Corefile', corefile);
  for (const [name, text] of Object.entries(options.files ?? {})) folder.write(name, text);
  try {
    const child = await Child.start({
      command: [
        ...(options.namespace?.enter(folder.path) ?? []),
        process.execPath,
        '--enable-source-maps',
        ...(options.node ?? []),
        options.main ?? MAIN,
        '-conf',
        file,
        ...(options.args ?? []),
      ],
      ready: STARTED,
      cwd: folder.path,
      // Its command socket is in its folder.
      env: { RUNTIME_DIRECTORY: folder.path, ...options.env },
    });
    return asHeimdall(child, folder.path, () => folder.remove());
  } catch (error) {
    folder.remove();
    throw error;
  }
}

/** Runs the command line to its end. */
export function runHeimdall(
  args: readonly string[],
  cwd: string,
  env: Readonly<Record<string, string>> = {},
): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }> {
  return run([process.execPath, MAIN, ...args], { cwd, env });
}

function asHeimdall(child: Child, folder: string, cleanUp: () => void): Heimdall {
  return {
    pid: child.pid,
    folder,
    get stdout() {
      return child.stdout;
    },
    get stderr() {
      return child.stderr;
    },
    get isRunning() {
      return child.isRunning;
    },
    waitFor: (what, limitMs) => child.waitFor(what, limitMs),
    signal: (signal) => child.signal(signal),
    async stop(signal) {
      try {
        return await child.stop(signal);
      } finally {
        cleanUp();
      }
    },
  };
}
