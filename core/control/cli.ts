// The command line: flags as CoreDNS has them, with one dash or two, and the subcommands.
import { parseArgs } from 'node:util';

/** More workers than this is a typing error: each is a thread with some 20 MB. */
const MAX_WORKERS = 1024;

const DEFAULT_PORT = 53;

/** Where a configuration comes from. */
export interface Source {
  /** File, `stdin`, or undefined to look for one. */
  readonly conf: string | undefined;
  /** Port of zones that name none. */
  readonly port: number;
}

export type Command =
  | ({ readonly kind: 'check' | 'plan' } & Source)
  | ({
      readonly kind: 'serve';
      readonly pidfile: string | undefined;
      readonly isQuiet: boolean;
      /** As asked for; undefined for one per processor. */
      readonly workers: number | undefined;
      /** Whether the processor that receives a datagram chooses the worker. */
      readonly isSteering: boolean;
      /** Path of the command socket, `none`, or undefined for the usual place. */
      readonly control: string | undefined;
    } & Source)
  | {
      readonly kind: 'ask';
      /** A command of the running server. */
      readonly command: string;
      readonly args: readonly string[];
      /** Path of its socket, undefined to look for it. */
      readonly control: string | undefined;
      readonly isJson: boolean;
    }
  | { readonly kind: 'version' | 'plugins' | 'help' }
  | { readonly kind: 'misuse'; readonly message: string };

const OPTIONS = {
  conf: { type: 'string' },
  'dns.port': { type: 'string' },
  p: { type: 'string' },
  pidfile: { type: 'string' },
  workers: { type: 'string' },
  steer: { type: 'boolean' },
  control: { type: 'string' },
  json: { type: 'boolean' },
  quiet: { type: 'boolean' },
  plugins: { type: 'boolean' },
  version: { type: 'boolean' },
  help: { type: 'boolean' },
  h: { type: 'boolean' },
} as const;

type Values = { readonly [K in keyof typeof OPTIONS]?: string | boolean | undefined };

export const USAGE = `Usage: heimdall [FLAGS]             serve DNS
       heimdall check [FILE]       report every error of a configuration; opens no socket
       heimdall plan [FILE]        print listeners and the chain of every zone; opens no socket
       heimdall COMMAND [ARGS]     command the running server

Commands to the running server; -json prints one JSON object a line:
  cache list [--subtree] [NAME [TYPE]]      what is in the cache
  cache get NAME [TYPE]                     the records kept for a name
  cache flush [--subtree] NAME [TYPE]       drop what is kept for a name, or below it
  cache stats                               entries, memory, hits and misses
  upstreams                                 state, speed and share of every upstream
  commands                                  every command that the server understands

  -conf FILE      configuration file, "stdin" to read it there (default: Corefile, or
                  heimdall.config.*, in the working directory)
  -dns.port PORT  port of zones that name none (default 53); also -p
  -workers N      worker threads (default: one per processor)
  -steer          a query goes to the worker on the CPU that received it: for network cards
                  with a receive queue for every worker, harmful with fewer
  -control PATH   socket for commands (default: control-PORT.sock in /run/heimdall or another
                  folder of the user's); "none" for a server without
  -pidfile FILE   write the process id there
  -quiet          print nothing at start
  -plugins        list the built-in plugins
  -version        print the version
  -help           print this

Flags take one dash or two, and their value after a space or "=".
`;

/** What these arguments ask for. */
export function parseCommandLine(argv: readonly string[]): Command {
  try {
    const args = argv.map(doubleDash);
    const at = commandAt(args);
    if (args[at] === 'help') return { kind: 'help' };
    if (at >= 0) return askOf(args.slice(0, at), argv[at] as string, argv.slice(at + 1));
    const { values, positionals } = strictly(args);
    if (values.json) throw new Error('flag -json is for commands to the running server');
    return commandOf(values, positionals);
  } catch (error) {
    return { kind: 'misuse', message: usageProblem(error as NodeJS.ErrnoException) };
  }
}

/** Go's flags have one dash, and booleans may be written `-quiet=true`. */
function doubleDash(argument: string): string {
  const match = /^--?([a-z][a-z.]*)(=.*)?$/s.exec(argument);
  if (match === null) return argument;
  const [, name, value = ''] = match as unknown as [string, string, string | undefined];
  const isBoolean = OPTIONS[name as keyof typeof OPTIONS]?.type === 'boolean';
  if (isBoolean && /^=(true|1|t)$/i.test(value)) return `--${name}`;
  return `--${name}${value}`;
}

function strictly(args: string[]): { values: Values; positionals: string[] } {
  return parseArgs({ args, options: OPTIONS, allowPositionals: true, strict: true });
}

/** Where the name of a command to the running server stands, -1 when none does. What follows it is not ours to understand. */
function commandAt(args: string[]): number {
  const { tokens } = parseArgs({ args, options: OPTIONS, strict: false, tokens: true });
  const name = tokens.find((token) => token.kind === 'positional');
  return name === undefined || name.value === 'check' || name.value === 'plan' ? -1 : name.index;
}

/** The flags -control and -json may stand anywhere; everything else behind the name is the server's. */
function askOf(before: string[], command: string, after: readonly string[]): Command {
  const flags = [...before];
  const args: string[] = [];
  for (let i = 0; i < after.length; i++) {
    const arg = doubleDash(after[i] as string);
    if (/^--control=|^--json(=|$)/.test(arg)) flags.push(arg);
    else if (arg === '--control') flags.push(...after.slice(i, ++i + 1).map(doubleDash));
    else args.push(after[i] as string);
  }
  const { control, json, help, h } = strictly(flags).values;
  if (help || h) return { kind: 'help' };
  if (control === 'none') throw new Error('-control none names no server');
  return {
    kind: 'ask',
    command,
    args,
    control: control as string | undefined,
    isJson: json === true,
  };
}

function commandOf(values: Values, positionals: readonly string[]): Command {
  if (values.help || values.h) return { kind: 'help' };
  if (values.version) return { kind: 'version' };
  if (values.plugins) return { kind: 'plugins' };
  const [name, file, ...surplus] = positionals;
  const port = portOf(values['dns.port'] ?? values.p);
  const conf = values.conf as string | undefined;
  if (name === undefined) {
    const pidfile = values.pidfile as string | undefined;
    const workers = workersOf(values.workers);
    const [isSteering, isQuiet] = [values.steer === true, values.quiet === true];
    const control = values.control as string | undefined;
    return { kind: 'serve', conf, port, pidfile, workers, isSteering, isQuiet, control };
  }
  if (surplus[0] !== undefined) throw new Error(`unexpected argument "${surplus[0]}"`);
  if (file !== undefined && conf !== undefined) {
    throw new Error(`"${file}" and -conf "${conf}" name two files, want one`);
  }
  return { kind: name as 'check' | 'plan', conf: file ?? conf, port };
}

function portOf(text: string | boolean | undefined): number {
  if (text === undefined) return DEFAULT_PORT;
  const port = wholeNumber(text);
  if (port >= 1 && port <= 65535) return port;
  throw new Error(`port "${text}" is not accepted, want 1..65535`);
}

function workersOf(text: string | boolean | undefined): number | undefined {
  if (text === undefined) return undefined;
  const workers = wholeNumber(text);
  if (workers >= 1 && workers <= MAX_WORKERS) return workers;
  throw new Error(`"${text}" workers are not accepted, want 1..${MAX_WORKERS}`);
}

function wholeNumber(text: string | boolean): number {
  return typeof text === 'string' && /^\d{1,6}$/.test(text) ? Number(text) : -1;
}

function usageProblem({ code, message }: NodeJS.ErrnoException): string {
  const name = /'(?:-[^-], )?--?([^ '=]+)/.exec(message)?.[1] ?? '';
  if (code === 'ERR_PARSE_ARGS_UNKNOWN_OPTION') return `unknown flag -${name}`;
  if (code === 'ERR_PARSE_ARGS_INVALID_OPTION_VALUE') {
    const isBoolean = OPTIONS[name as keyof typeof OPTIONS]?.type === 'boolean';
    return isBoolean ? `flag -${name} takes no value` : `flag -${name} needs a value`;
  }
  return message;
}
