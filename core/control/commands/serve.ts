// `heimdall`: serves DNS until it is told to stop. The workers load while the main thread does, which is why imports come late here.
import { availableParallelism } from 'node:os';
import { FaultLog } from '../../server/faults.js';
import { exitNow } from '../../system/exit.js';
import { tuneProcess } from '../../system/tuning.js';
import type { Command } from '../cli.js';
import { EXIT_BAD_CONFIGURATION, EXIT_NO_START, type Terminal } from '../terminal.js';
import { WorkerHandle } from '../worker-handle.js';

type ServeCommand = Extract<Command, { kind: 'serve' }>;

/** Runs the server; gives the exit code. */
export async function serve(command: ServeCommand, terminal: Terminal): Promise<number> {
  tuneProcess();
  const handles: WorkerHandle[] = [];
  const wanted = command.workers ?? availableParallelism();
  for (let worker = 0; worker < wanted; worker++) handles.push(new WorkerHandle(worker));
  const [{ createLogger }, { StandardOutput }, { writePidFile }, { Server }, { handleSignals }] =
    await Promise.all([
      import('../lines.js'),
      import('../output.js'),
      import('../pidfile.js'),
      import('../server.js'),
      import('../signals.js'),
    ]);

  const output = new StandardOutput();
  const log = createLogger(output, '', false);
  const server = new Server(output, await usable(handles), command);
  let removePidFile = (): void => {};
  const stopped = new Promise<number>((resolve) => {
    const stop = (): void => void server.stop().then(() => resolve(0));
    const quit = (exitCode: number): void => {
      removePidFile();
      exitNow(exitCode);
    };
    handleSignals({ log, stop, quit });
  });
  const failed = server.failed.then(async (reason) => {
    terminal.complain(`heimdall: ${reason}\n`);
    await server.stop();
    return EXIT_NO_START;
  });
  const code = await Promise.race([stopped, start(), failed]);
  removePidFile();
  await output.close();
  return code;

  /** Starts the server; resolves with the exit code when it cannot, or when it has stopped. */
  async function start(): Promise<number> {
    const { configure } = await import('../configure.js');
    const { planned, problems, warnings } = await configure(command);
    for (const text of problems) terminal.complain(`${text}\n`);
    if (planned === undefined) return EXIT_BAD_CONFIGURATION;
    for (const text of warnings) log.warning(text);
    try {
      await server.start(planned);
      if (command.pidfile !== undefined) removePidFile = writePidFile(command.pidfile);
    } catch (error) {
      if (server.isStopping) return stopped;
      terminal.complain(`heimdall: ${error instanceof Error ? error.message : String(error)}\n`);
      await server.stop();
      return EXIT_NO_START;
    }
    // From here on queries are answered whatever becomes of a control part's timers and sockets.
    const faults = new FaultLog(log, planned.plan.withStacks);
    process.on('uncaughtException', (error) =>
      faults.report('(main thread)', error, performance.now()),
    );
    if (!command.isQuiet) output.write(await server.banner());
    return stopped;
  }
}

/** Without descriptors to hand out a port has one socket, and so one worker. */
async function usable(handles: readonly WorkerHandle[]): Promise<readonly WorkerHandle[]> {
  const { canShareSockets } = await import('../sockets.js');
  if (canShareSockets()) return handles;
  for (const surplus of handles.slice(1)) await surplus.stop(0);
  return handles.slice(0, 1);
}
