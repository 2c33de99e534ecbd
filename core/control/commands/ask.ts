// `heimdall COMMAND`: gives a command to the running server and prints its answer.
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import type { Row } from '../../container/commands.js';
import type { Command } from '../cli.js';
import { isAlive } from '../command-socket.js';
import { findSockets } from '../socket-places.js';
import { EXIT_BAD_CONFIGURATION, type Terminal } from '../terminal.js';
import { RowPrinter } from './row-printer.js';

type AskCommand = Extract<Command, { kind: 'ask' }>;

/** Rows printed before the reader is waited for. */
const ROWS_AT_ONCE = 256;

/** No server, or one that could not do it. */
const EXIT_FAILED = 1;

/** What a line of an answer may be; see command-socket.ts. */
interface Line {
  readonly row?: Row;
  readonly status?: string;
  readonly error?: string;
}

/** Prints the rows as a table, or one JSON object a line; gives the exit code. */
export async function ask(command: AskCommand, terminal: Terminal): Promise<number> {
  const complain = (text: string): void => terminal.complain(`heimdall: ${text}\n`);
  const found = command.control ?? (await findServer(command.command));
  if (typeof found === 'object') {
    complain(found.problem);
    return EXIT_FAILED;
  }
  const rows = new RowPrinter((text) => terminal.print(text));
  let count = 0;
  const print = async (row: Row): Promise<void> => {
    if (command.isJson) terminal.print(`${JSON.stringify(row)}\n`);
    else rows.add(row);
    if (++count % ROWS_AT_ONCE === 0) await terminal.printed();
  };
  try {
    const { status, error = '' } = await exchange(found, command, print);
    rows.end();
    if (status === 'ok') return 0;
    complain(error);
    return status === 'misuse' ? EXIT_BAD_CONFIGURATION : EXIT_FAILED;
  } catch (error) {
    rows.end();
    complain(`${found}: ${(error as Error).message}`);
    return EXIT_FAILED;
  }
}

/** The one socket behind which a server runs, or why there is none. */
async function findServer(command: string): Promise<string | { readonly problem: string }> {
  const { paths, folders } = findSockets();
  const alive: string[] = [];
  for (const path of paths) if (await isAlive(path)) alive.push(path);
  const [first, second] = alive;
  if (first === undefined) {
    const where = `in ${folders.join(', ')}`;
    const problem = `"${command}" is for a running server, and there is none ${where}`;
    return { problem: `${problem}; name its socket with -control PATH` };
  }
  if (second === undefined) return first;
  return { problem: `several servers run, choose one: -control ${alive.join(' or -control ')}` };
}

/** Sends the command and gives the status that ends the answer. Rejects with an Error when there is no whole answer. */
async function exchange(
  path: string,
  { command, args }: AskCommand,
  print: (row: Row) => Promise<void>,
): Promise<Line> {
  const socket = connect(path);
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve).once('error', (error: NodeJS.ErrnoException) => {
        reject(new Error(reasonOf(error)));
      });
    });
    socket.on('error', () => {});
    socket.write(`${JSON.stringify({ command, args })}\n`);
    for await (const text of createInterface({ input: socket })) {
      const line = JSON.parse(text) as Line;
      if (line.row === undefined) return line;
      await print(line.row);
    }
    throw new Error('the server ended the connection before its answer was complete');
  } finally {
    socket.destroy();
  }
}

function reasonOf({ code, message }: NodeJS.ErrnoException): string {
  if (code === 'ENOENT') return 'no such socket; is the server running?';
  if (code === 'ECONNREFUSED') return 'no server is behind this socket any more';
  if (code === 'EACCES') return 'not allowed; only the user the server runs as, and root, may';
  return message;
}
