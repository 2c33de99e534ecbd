// Runs what the command line asks for. Each command is loaded when it is asked for.
import { platformLine, versionLine } from './banner.js';
import { type Command, parseCommandLine, USAGE } from './cli.js';
import { EXIT_BAD_CONFIGURATION, TERMINAL } from './terminal.js';

/** Runs the command; gives the exit code. */
export async function run(argv: readonly string[]): Promise<number> {
  const command = parseCommandLine(argv);
  if (command.kind === 'serve') {
    return (await import('./commands/serve.js')).serve(command, TERMINAL);
  }
  // Whoever reads no further (head, less) wants no more.
  process.stdout.on('error', () => process.exit(0));
  const code = await runShort(command);
  await TERMINAL.printed();
  return code;
}

/** Everything but the server. */
async function runShort(command: Exclude<Command, { kind: 'serve' }>): Promise<number> {
  switch (command.kind) {
    case 'check':
      return (await import('./commands/check.js')).check(command, TERMINAL);
    case 'plan':
      return (await import('./commands/check.js')).plan(command, TERMINAL);
    case 'ask':
      return (await import('./commands/ask.js')).ask(command, TERMINAL);
    case 'version':
      TERMINAL.print(`${versionLine()}\n${platformLine()}\n`);
      return 0;
    case 'plugins': {
      const { BUILT_IN } = await import('../../plugins/order.js');
      TERMINAL.print(BUILT_IN.map((name) => `${name}\n`).join(''));
      return 0;
    }
    case 'help':
      TERMINAL.print(USAGE);
      return 0;
    case 'misuse':
      TERMINAL.complain(`heimdall: ${command.message}\n${USAGE}`);
      return EXIT_BAD_CONFIGURATION;
  }
}
