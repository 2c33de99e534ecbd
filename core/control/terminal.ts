// Exit codes, and the two streams a command writes to.

/** The configuration or the command line is wrong. */
export const EXIT_BAD_CONFIGURATION = 2;

/** The server could not start. */
export const EXIT_NO_START = 1;

export interface Terminal {
  /** To standard output. */
  print(text: string): void;
  /** To standard error. */
  complain(text: string): void;
  /** Resolves when what was printed is on its way. A pipe takes it as fast as it is read, and the end of the process would cut it off. */
  printed(): Promise<void>;
}

export const TERMINAL: Terminal = {
  print: (text) => void process.stdout.write(text),
  complain: (text) => void process.stderr.write(text),
  printed: () => new Promise((resolve) => process.stdout.write('', () => resolve())),
};
