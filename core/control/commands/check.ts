// `heimdall check` and `heimdall plan`: what a configuration means and what is wrong with it, without opening a socket.
import type { Source } from '../cli.js';
import { configure } from '../configure.js';
import type { Planned } from '../plan.js';
import { EXIT_BAD_CONFIGURATION, type Terminal } from '../terminal.js';
import { describePlan } from './describe.js';

/** Prints every problem; gives the exit code. */
export async function check(source: Source, terminal: Terminal): Promise<number> {
  const planned = await checked(source, terminal);
  if (planned === undefined) return EXIT_BAD_CONFIGURATION;
  const { blocks, listeners } = planned.plan;
  terminal.print(
    `${count(blocks.length, 'server block')}, ${count(listeners.length, 'listener')}\n`,
  );
  return 0;
}

/** Prints listeners and chains; gives the exit code. */
export async function plan(source: Source, terminal: Terminal): Promise<number> {
  const planned = await checked(source, terminal);
  if (planned === undefined) return EXIT_BAD_CONFIGURATION;
  terminal.print(describePlan(planned));
  return 0;
}

async function checked(source: Source, terminal: Terminal): Promise<Planned | undefined> {
  const { planned, problems, warnings } = await configure(source);
  for (const line of warnings) terminal.complain(`warning: ${line}\n`);
  for (const line of problems) terminal.complain(`${line}\n`);
  return planned;
}

function count(n: number, what: string): string {
  return `${n} ${what}${n === 1 ? '' : 's'}`;
}
