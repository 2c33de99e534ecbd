// What a running server understands: commands by name, each with the server blocks that answer it.
import type { BlockPlan, Plan } from '../chain/plan.js';
import {
  CommandError,
  type CommandRunner,
  type Commands,
  type Row,
} from '../container/commands.js';
import { quote } from '../corefile/problems.js';
import { hint } from '../corefile/suggest.js';

/** Words that mean something to the command line itself. */
const RESERVED = ['check', 'plan', 'commands', 'help'];

interface Command {
  readonly help: string;
  readonly blocks: { readonly block: string; readonly run: CommandRunner }[];
}

/** The commands of one configuration. */
export class CommandTable {
  readonly #commands = new Map<string, Command>();

  /** Where the server block called `block` adds its own. */
  forBlock(block: string): Commands {
    return {
      add: (name, help, run) => {
        if (!/^[a-z][a-z0-9_]*$/.test(name) || RESERVED.includes(name)) {
          throw new Error(`a command cannot be called ${quote(name)}`);
        }
        const command = this.#commands.get(name) ?? { help, blocks: [] };
        this.#commands.set(name, command);
        command.blocks.push({ block, run });
      },
    };
  }

  /** The rows of one command, block after block. Throws a CommandError when it is not understood. */
  async *run(name: string, args: readonly string[]): AsyncGenerator<Row, void> {
    if (name === 'commands') {
      yield* this.#list(args);
      return;
    }
    const command = this.#commands.get(name);
    if (command === undefined) throw new CommandError(this.#unknown(name));
    for (const { block, run } of command.blocks) {
      for await (const row of run(args)) yield { block, ...row };
    }
  }

  *#list(args: readonly string[]): Generator<Row, void> {
    if (args.length > 0) throw new CommandError('commands takes no arguments');
    const sorted = [...this.#commands].sort(([a], [b]) => (a < b ? -1 : 1));
    for (const [command, { help }] of sorted) yield { command, help };
  }

  #unknown(name: string): string {
    const known = [...this.#commands.keys(), ...RESERVED].sort();
    return `unknown command ${quote(name)}${hint(name, known)}; want ${known.join(', ')}`;
  }
}

/** A server block as an operator knows it: `example.org.,example.net.:53 on 192.0.2.1 view internal`. */
export function blockName({ listeners }: Plan, { zones, view, listeners: own }: BlockPlan): string {
  const ports = new Set<number>();
  const addresses = new Set<string>();
  for (const index of own) {
    const listener = listeners[index];
    if (listener === undefined) continue;
    ports.add(listener.port);
    if (listener.address !== '') addresses.add(listener.address);
  }
  const on = addresses.size === 0 ? '' : ` on ${[...addresses].join(',')}`;
  return `${zones.join(',')}:${[...ports].join(',')}${on}${view === '' ? '' : ` view ${view}`}`;
}
