// Commands of a control part under test: kept as they are added, run by the test.
import type { CommandRunner, Commands, Row } from '../container/commands.js';

export class FakeCommands implements Commands {
  readonly #runners = new Map<string, CommandRunner>();

  /** Names of everything added. */
  get names(): readonly string[] {
    return [...this.#runners.keys()];
  }

  add(name: string, _help: string, run: CommandRunner): void {
    this.#runners.set(name, run);
  }

  /** Every row that the command gives: `run('cache', 'get', 'example.org')`. */
  async run(name: string, ...args: string[]): Promise<Row[]> {
    const runner = this.#runners.get(name);
    if (runner === undefined) throw new Error(`no command ${name} was added`);
    const rows: Row[] = [];
    for await (const row of runner(args)) rows.push(row);
    return rows;
  }
}
