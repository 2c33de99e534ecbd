// Signals of the process, and what each does.
import type { Logger } from '../chain/services.js';

export interface SignalActions {
  /** Stops in order. */
  stop(signal: 'SIGTERM' | 'SIGINT'): void;
  /** Ends the process at once with this exit code. */
  quit(code: number): void;
  readonly log: Logger;
}

/** Exit code when a second SIGINT says that the operator does not want to wait. */
export const EXIT_INTERRUPTED = 2;

/** Listens for signals; gives a function that stops listening. */
export function handleSignals({ stop, quit, log }: SignalActions): () => void {
  let interrupts = 0;
  const handlers: Partial<Record<NodeJS.Signals, () => void>> = {
    SIGTERM: () => stop('SIGTERM'),
    SIGINT: () => {
      if (++interrupts > 1) quit(EXIT_INTERRUPTED);
      else stop('SIGINT');
    },
    SIGQUIT: () => quit(0),
    // The terminal is gone: a server stays.
    SIGHUP: () => {},
    // Without a handler Node would open its debugger on the one and die of the other.
    SIGUSR1: () => log.warning('SIGUSR1 is ignored: this version does not reload'),
    SIGUSR2: () => log.warning('SIGUSR2 is ignored: this version does not upgrade in place'),
  };
  for (const [signal, handler] of Object.entries(handlers)) process.on(signal, handler);
  return () => {
    for (const [signal, handler] of Object.entries(handlers)) process.off(signal, handler);
  };
}
