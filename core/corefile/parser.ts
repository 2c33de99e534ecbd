// From the text of a Corefile to a configuration and everything that is wrong with it.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { defaultText } from './default.js';
import { checkDirectives } from './directives.js';
import type { Environment } from './environment.js';
import type { FileReader } from './glob.js';
import { Grammar } from './grammar.js';
import { lex } from './lexer.js';
import type { Configuration, Problem } from './model.js';
import { LineReader } from './reader.js';

export interface ParseOptions {
  /** Port of `dns` keys that name none. */
  readonly defaultPort: number;
  /** Directives that may stand in a server block; without it, `checkDirectives` is the caller's to call. */
  readonly knownDirectives?: readonly string[];
  /** Of the process, unless given. */
  readonly env?: Environment;
  /** The real file system, unless given. */
  readonly files?: FileReader;
}

export interface Parsed {
  readonly configuration: Configuration;
  readonly problems: Problem[];
  /** What an operator should know and that stops nothing. */
  readonly warnings: Problem[];
}

/**
 * Parses a Corefile. `file` is what problems call it and what imports are relative to. Without any server block the built-in
 * configuration comes back. Never throws: whatever is wrong is in `problems`, and `configuration` holds the rest.
 */
export function parseCorefile(text: string, file: string, options: ParseOptions): Parsed {
  const problems: Problem[] = [];
  const warnings: Problem[] = [];
  const parsed = parseText(text, file, options, problems, warnings);
  const isEmpty = parsed.blocks.length === 0 && problems.length === 0;
  const blocks = isEmpty
    ? parseText(defaultText(options.defaultPort), file, options, problems, warnings).blocks
    : parsed.blocks;
  const configuration = { ...parsed, blocks };
  if (options.knownDirectives !== undefined) {
    problems.push(...checkDirectives(configuration, options.knownDirectives));
  }
  return { configuration, problems, warnings };
}

const REAL_FILES: FileReader = {
  read: (path) => readFileSync(path, 'utf8'),
  list: (path) => readdirSync(path),
  exists: (path) => existsSync(path),
};

function parseText(
  text: string,
  file: string,
  options: ParseOptions,
  problems: Problem[],
  warnings: Problem[],
): Configuration {
  const context = {
    env: options.env ?? process.env,
    files: options.files ?? REAL_FILES,
    problems,
    warnings,
  };
  const reader = new LineReader(lex(text, file), file, context);
  return new Grammar(reader, options.defaultPort).parse();
}
