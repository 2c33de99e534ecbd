// A configuration as typed data: heimdall.config.{ts,js,mjs,json,yaml} with the same blocks, directives and properties as a Corefile.
import { dirname, resolve } from 'node:path';
import { defaultText } from './default.js';
import { checkDirectives } from './directives.js';
import { expandEnvironment } from './environment.js';
import { pluginLine } from './grammar.js';
import { parseKey } from './keys.js';
import type { Directive, Problem, Property, ServerBlock, ServerKey, Token } from './model.js';
import { takeOrder } from './order.js';
import { type Parsed, type ParseOptions, parseCorefile } from './parser.js';
import { problemAt, quote } from './problems.js';
import { hint } from './suggest.js';
import { ValueError } from './value-error.js';

/** The same as `parseCorefile` for typed data. Problems name a path within it: `heimdall.config.json: blocks[0].keys: ...`. */
export function parseData(data: unknown, file: string, options: ParseOptions): Parsed {
  const reader = new DataReader(file, options);
  const { blocks, plugins } = reader.read(data);
  const { problems } = reader;
  if (blocks.length === 0 && problems.length === 0) {
    const { configuration } = parseCorefile(defaultText(options.defaultPort), file, options);
    return { configuration: { ...configuration, plugins }, problems, warnings: [] };
  }
  const configuration = { blocks, plugins };
  if (options.knownDirectives !== undefined) {
    problems.push(...checkDirectives(configuration, options.knownDirectives));
  }
  return { configuration, problems, warnings: [] };
}

class DataReader {
  readonly problems: Problem[] = [];
  readonly #file: string;
  readonly #options: ParseOptions;

  constructor(file: string, options: ParseOptions) {
    this.#file = file;
    this.#options = options;
  }

  read(data: unknown): { blocks: ServerBlock[]; plugins: Parsed['configuration']['plugins'] } {
    const config = this.#record(data, '', ['plugins', 'blocks']);
    const directory = dirname(resolve(this.#file));
    const plugins = this.#strings(config.plugins ?? [], 'plugins').map((token) =>
      pluginLine(token, directory),
    );
    const blocks = this.#list(config.blocks ?? [], 'blocks').map((block, i) =>
      this.#block(block, `blocks[${i}]`),
    );
    return { blocks, plugins };
  }

  #block(data: unknown, path: string): ServerBlock {
    const block = this.#record(data, path, ['keys', 'directives', 'order']);
    const keys = typeof block.keys === 'string' ? [block.keys] : (block.keys ?? []);
    const tokens = this.#strings(keys, `${path}.keys`);
    if (tokens.length === 0) this.#fail(path, 'no keys, want one such as .:53');
    const directives = this.#list(block.directives ?? [], `${path}.directives`).flatMap(
      (directive, i) => this.#directive(directive, `${path}.directives[${i}]`),
    );
    if (block.order !== undefined) {
      const at = `${path}.order`;
      directives.push({
        name: this.#token('order', at),
        args: this.#strings(block.order, at),
        properties: [],
      });
    }
    return {
      keys: tokens.flatMap((token) => this.#key(token)),
      ...takeOrder(directives, this.problems),
    };
  }

  #key(token: Token): ServerKey[] {
    try {
      return [{ token, ...parseKey(token.text, this.#options.defaultPort) }];
    } catch (error) {
      if (!(error instanceof ValueError)) throw error;
      const isSentence = error.subject === 'none';
      const message = isSentence ? error.message : `${quote(token.text)} ${error.message}`;
      this.problems.push(problemAt(token, '', message));
      return [];
    }
  }

  #directive(data: unknown, path: string): Directive[] {
    const [name, ...rest] = typeof data === 'string' ? [data] : this.#list(data, path);
    if (typeof name !== 'string' || name === '') {
      this.#fail(path, `want the directive's name first, found ${kindOf(name)}`);
      return [];
    }
    const last = rest[rest.length - 1];
    const block = isRecord(last) ? last : {};
    const args = isRecord(last) ? rest.slice(0, -1) : rest;
    return [
      {
        name: this.#token(name, path),
        args: args.flatMap((arg) => this.#scalar(arg, path)),
        properties: Object.entries(block).flatMap(([key, value]) =>
          this.#property(key, value, `${path}.${key}`),
        ),
      },
    ];
  }

  #property(name: string, value: unknown, path: string): Property[] {
    if (value === false || value === undefined) return [];
    const lines = value === true || value === null ? [[]] : linesOf(value);
    return lines.map((line) => ({
      name: this.#token(name, path),
      args: line.flatMap((arg) => this.#scalar(arg, path)),
    }));
  }

  #scalar(value: unknown, path: string): Token[] {
    if (typeof value === 'string') return [this.#token(value, path)];
    if (typeof value === 'number' || typeof value === 'boolean') {
      return [this.#token(String(value), path)];
    }
    this.#fail(path, `want a string, number or boolean, found ${kindOf(value)}`);
    return [];
  }

  /** A token that stands at `path`, variables replaced. */
  #token(written: string, path: string): Token {
    const text = expandEnvironment(written, this.#options.env ?? process.env);
    if (text === undefined) {
      this.#fail(path, `variables in ${quote(written)} refer to each other without end`);
    }
    return { text: text ?? written, file: this.#at(path), line: 0 };
  }

  #strings(value: unknown, path: string): Token[] {
    return this.#list(value, path).flatMap((entry, i) => {
      if (typeof entry === 'string' && entry !== '') return [this.#token(entry, `${path}[${i}]`)];
      this.#fail(`${path}[${i}]`, `want a string, found ${kindOf(entry)}`);
      return [];
    });
  }

  #list(value: unknown, path: string): readonly unknown[] {
    if (Array.isArray(value)) return value;
    this.#fail(path, `want a list, found ${kindOf(value)}`);
    return [];
  }

  #record(value: unknown, path: string, keys: readonly string[]): Record<string, unknown> {
    if (!isRecord(value)) {
      this.#fail(path, `want an object, found ${kindOf(value)}`);
      return {};
    }
    for (const key of Object.keys(value)) {
      if (!keys.includes(key)) this.#fail(path, `unknown ${quote(key)}${hint(key, keys)}`);
    }
    return value;
  }

  #fail(path: string, message: string): void {
    this.problems.push({ file: this.#at(path), line: 0, directive: '', message });
  }

  #at(path: string): string {
    return path === '' ? this.#file : `${this.#file}: ${path}`;
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function linesOf(value: unknown): readonly (readonly unknown[])[] {
  if (!Array.isArray(value)) return [[value]];
  if (value.length === 0) return [];
  if (!value.some(Array.isArray)) return [value];
  return value.map((line: unknown) => (Array.isArray(line) ? line : [line]));
}

function kindOf(value: unknown): string {
  if (value === undefined || value === null || value === '') return 'nothing';
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}
