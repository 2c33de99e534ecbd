// Finds and reads the configuration: the file that `-conf` names, else a Corefile or heimdall.config.* in the working directory. What is
// not needed for a Corefile (cosmiconfig, loaders) is imported when it is needed, so that start-up does not pay for it.
import { existsSync, readFileSync } from 'node:fs';
import { extname, join, relative, resolve } from 'node:path';
import type { Fault } from './import-config.js';
import { type Parsed, type ParseOptions, parseCorefile } from './parser.js';

/** Looked for in this order. */
const SEARCH_PLACES = [
  'Corefile',
  'heimdall.config.ts',
  'heimdall.config.js',
  'heimdall.config.mjs',
  'heimdall.config.json',
  'heimdall.config.yaml',
];

const STDIN = '/dev/stdin';

/** What a file is read as, by its extension; everything else is a Corefile. */
const MODULES = new Set(['.ts', '.mts', '.js', '.mjs', '.cjs']);
const TEXTS = new Set(['.json', '.yaml', '.yml']);

export interface LoadOptions extends ParseOptions {
  /** The operand of `-conf`: a file name, or `stdin`. */
  readonly conf?: string | undefined;
  /** Where to look without it; the working directory unless given. */
  readonly directory?: string;
}

export interface Loaded extends Parsed {
  /** The file as messages call it: as the operator typed it. */
  readonly file: string;
  /** Its absolute path; undefined for standard input and for the built-in configuration. */
  readonly path: string | undefined;
}

/** Reads the configuration. Never rejects: a file that cannot be read is a problem; when there is none the built-in one comes back. */
export async function loadConfiguration(options: LoadOptions): Promise<Loaded> {
  const { conf } = options;
  if (conf === 'stdin') return { ...readCorefile(STDIN, conf, options), path: undefined };
  if (conf !== undefined) return load(resolve(conf), conf, options);
  const path = await search(options.directory ?? process.cwd());
  if (path !== undefined) return load(path, relative('', path), options);
  return { ...parseCorefile('', 'Corefile', options), file: 'Corefile', path: undefined };
}

/** The first of the search places that exists in `directory`. */
async function search(directory: string): Promise<string | undefined> {
  const { cosmiconfig } = await import('cosmiconfig');
  const keep = (_path: string, text: string): string => text;
  const extensions = SEARCH_PLACES.map((place) => extname(place) || 'noExt');
  const explorer = cosmiconfig('heimdall', {
    searchPlaces: SEARCH_PLACES,
    loaders: Object.fromEntries(extensions.map((extension) => [extension, keep])),
    cache: false,
    ignoreEmptySearchPlaces: false,
  });
  const found = (await explorer.search(directory))?.filepath;
  // What may not be read is passed over by cosmiconfig. It is what the operator meant, so it is what the error is about.
  return SEARCH_PLACES.map((place) => join(directory, place)).find(
    (path) => path === found || existsSync(path),
  );
}

async function load(path: string, file: string, options: LoadOptions): Promise<Loaded> {
  const extension = extname(path);
  if (!MODULES.has(extension) && !TEXTS.has(extension)) {
    return { ...readCorefile(path, file, options), path };
  }
  let data: unknown;
  if (MODULES.has(extension)) {
    const { importConfig } = await import('./import-config.js');
    const imported = await importConfig(path);
    if ('fault' in imported) return failed(file, path, imported.fault);
    data = imported.data;
  } else {
    try {
      const text = read(path, options);
      data = extension === '.json' ? await parseJson(path, text) : await parseYaml(path, text);
    } catch (error) {
      return failed(file, path, error instanceof TextError ? error.fault : faultOf(error));
    }
  }
  const { parseData } = await import('./data.js');
  return { ...parseData(data, file, options), file, path };
}

function readCorefile(path: string, file: string, options: LoadOptions): Loaded {
  try {
    return { ...parseCorefile(read(path, options), file, options), file, path };
  } catch (error) {
    return failed(file, path, faultOf(error));
  }
}

function read(path: string, options: LoadOptions): string {
  // By its number: a socket, as which some programs give standard input, cannot be opened by name.
  return options.files?.read(path) ?? readFileSync(path === STDIN ? 0 : path, 'utf8');
}

/** A file whose text is not what its name says. */
class TextError extends Error {
  readonly fault: Fault;

  constructor(line: number, reason: string) {
    super(reason);
    this.fault = { line, message: `cannot be parsed: ${reason}` };
  }
}

/** JSON errors of Node 20 mostly come without a position. JSON is YAML too, and that parser knows where it stopped. */
async function parseJson(path: string, text: string): Promise<unknown> {
  try {
    return JSON.parse(text);
  } catch (error) {
    const reason = (error as Error).message.replace(
      /, (?:\.\.\.)?"[\s\S]*" is not valid JSON$/,
      '',
    );
    const line = await parseYaml(path, text).then(
      () => 0,
      (other) => (other instanceof TextError ? other.fault.line : 0),
    );
    throw new TextError(line, reason);
  }
}

/** By cosmiconfig's own loader: its YAML parser is not a dependency of the server. */
async function parseYaml(path: string, text: string): Promise<unknown> {
  const { defaultLoaders } = await import('cosmiconfig');
  try {
    return defaultLoaders['.yaml'](path, text);
  } catch (error) {
    const [reason] = (error as Error).message.replace(/^YAML Error in .*:\n/, '').split('\n');
    const at = /^(.*) \((\d+):\d+\)$/.exec(reason as string);
    throw new TextError(Number(at?.[2] ?? 0), at?.[1] ?? (reason as string));
  }
}

function failed(file: string, path: string, { line, message }: Fault): Loaded {
  const configuration = { blocks: [], plugins: [] };
  return {
    configuration,
    problems: [{ file, line, directive: '', message }],
    warnings: [],
    file,
    path,
  };
}

/** What the system said of a file. */
function faultOf(error: unknown): Fault {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT') return { line: 0, message: 'no such file' };
  return { line: 0, message: `cannot be read: ${code ?? message}` };
}
