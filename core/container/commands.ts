// Commands that an operator gives to the running server, as the control parts of plugins offer them.

/** One line of an answer: names of columns and what stands in them. */
export type Row = Readonly<Record<string, string | number | boolean | null>>;

/**
 * Carries a command out. What takes longer than a millisecond or two comes in pieces, with a turn of the event loop between them (`setImmediate` of
 * `node:timers/promises`). Nobody may read the end of the rows: what has to be given back belongs in a `finally`. Throws a CommandError for misuse.
 */
export type CommandRunner = (args: readonly string[]) => AsyncIterable<Row> | Iterable<Row>;

/** Where a control part says which commands it understands. One per server block. */
export interface Commands {
  /**
   * Understands `heimdall NAME ARGS...` from now on. `help` is one line: arguments, and what it does. Every block may add the same name: their
   * rows follow one another, and each gets a column `block`.
   */
  add(name: string, help: string, run: CommandRunner): void;
}

/** The command was not understood. The text says what is wrong and what is accepted. */
export class CommandError extends Error {}
