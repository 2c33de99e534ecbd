// `import`: puts the tokens of snippets and files where they are named, with arguments filled in, and keeps that from going on for ever.
import { dirname, isAbsolute, resolve } from 'node:path';
import { type Environment, expandEnvironment } from './environment.js';
import { type FileReader, glob, hasWildcard, patternProblem } from './glob.js';
import { type Lexeme, lex } from './lexer.js';
import type { Problem, Token } from './model.js';
import { placeOf, problemAt, quote } from './problems.js';
import { hint } from './suggest.js';
import { substitute } from './template.js';
import type { Origin, TokenSource } from './token-source.js';

/** CoreDNS's two limits. They stop imports that multiply: a cycle is found at once. */
export const MAX_SNIPPET_IMPORTS = 10_000;
export const MAX_FILE_IMPORTS = 100_000;

/** Small snippets that import each other many times make few imports and many tokens; a million is 100 times the largest real file. */
export const MAX_TOKENS = 1_000_000;

interface Snippet {
  readonly name: Token;
  readonly body: readonly Lexeme[];
}

/** Everything imports need to know about the run they are part of. */
export interface ImportContext {
  readonly source: TokenSource;
  readonly env: Environment;
  readonly files: FileReader;
  readonly problems: Problem[];
  readonly warnings: Problem[];
}

/** The snippets defined so far, the files read so far, and how much has been imported. */
export class Imports {
  readonly #context: ImportContext;
  readonly #snippets = new Map<string, Snippet>();
  readonly #read = new Map<string, readonly Lexeme[]>();
  #snippetImports = 0;
  #fileImports = 0;
  #tokens = 0;

  constructor(context: ImportContext) {
    this.#context = context;
  }

  define(name: Token, body: readonly Lexeme[]): void {
    const earlier = this.#snippets.get(name.text);
    if (earlier !== undefined) {
      const place = placeOf(earlier.name, name);
      this.#fail(name, `snippet ${quote(name.text)} is already defined on ${place}`, '');
      return;
    }
    const own = body.find((token, i) => isSelfImport(token, body[i - 1], name.text));
    if (own !== undefined) {
      this.#fail(own, `snippet ${quote(name.text)} imports itself`);
      return;
    }
    this.#snippets.set(name.text, { name, body });
  }

  /** Carries out one import line: `keyword` is its first token, `args` the rest of it. */
  run(keyword: Lexeme, args: readonly Lexeme[], importer: Origin): void {
    const [pattern, ...values] = args;
    if (pattern === undefined) {
      this.#fail(keyword, 'missing argument, want a snippet, a file or a glob pattern');
      return;
    }
    const target = expandEnvironment(pattern.text, this.#context.env) ?? '';
    if (target === '') {
      this.#fail(pattern, 'empty file name, want a snippet, a file or a glob pattern');
      return;
    }
    const snippet = this.#snippets.get(target);
    if (snippet !== undefined) this.#importSnippet(target, snippet, pattern, values, importer);
    else this.#importFiles(target, pattern, values, importer);
  }

  #importSnippet(
    name: string,
    snippet: Snippet,
    at: Lexeme,
    values: readonly Token[],
    importer: Origin,
  ): void {
    if (++this.#snippetImports > MAX_SNIPPET_IMPORTS) {
      this.#stop(at, `more than ${MAX_SNIPPET_IMPORTS} imports of snippets`);
      return;
    }
    const origin = { name: `(${name})`, importer };
    this.#insert([{ tokens: snippet.body, origin }], at, `snippet ${quote(name)}`, values);
  }

  #importFiles(target: string, at: Lexeme, values: readonly Token[], importer: Origin): void {
    const { files, warnings } = this.#context;
    const refused = patternProblem(target);
    if (refused !== '') {
      this.#fail(at, `${quote(target)} ${refused}, want at most one * and one ?`);
      return;
    }
    const paths = glob(target, dirname(resolve(at.file)), files);
    if (paths.length === 0) {
      warnings.push(problemAt(at, 'import', `no file matches ${quote(target)}`));
      return;
    }
    this.#fileImports += paths.length;
    if (this.#fileImports > MAX_FILE_IMPORTS) {
      this.#stop(at, `more than ${MAX_FILE_IMPORTS} imports of files`);
      return;
    }
    const parts = [];
    for (const path of paths) {
      const tokens = this.#readFile(path, target, at);
      if (tokens !== undefined) parts.push({ tokens, origin: { name: path, importer } });
    }
    this.#insert(parts, at, quote(target), values);
  }

  /** The tokens of a file, which carry its absolute path; undefined after a problem. */
  #readFile(path: string, target: string, at: Lexeme): readonly Lexeme[] | undefined {
    const known = this.#read.get(path);
    if (known !== undefined) return known;
    try {
      const { tokens, openQuote } = lex(this.#context.files.read(path), path);
      if (openQuote !== undefined) this.#fail(openQuote, 'quote is never closed', '');
      this.#read.set(path, tokens);
      return tokens;
    } catch (error) {
      this.#fail(at, this.#readProblem(error, path, target));
      return undefined;
    }
  }

  #readProblem(error: unknown, path: string, target: string): string {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    const name = hasWildcard(target) || isAbsolute(target) ? path : target;
    if (code === 'EISDIR') return `${quote(name)} is a directory, want a file`;
    if (code !== 'ENOENT') return `cannot read ${quote(name)}: ${String(code ?? error)}`;
    const snippets = hint(target, this.#snippets.keys());
    const want = snippets || ', want a snippet defined above or a file';
    return `no snippet or file ${quote(target)}${want}`;
  }

  #insert(
    parts: readonly { readonly tokens: readonly Lexeme[]; readonly origin: Origin }[],
    at: Lexeme,
    what: string,
    values: readonly Token[],
  ): void {
    const { source } = this.#context;
    const used = new Set<number>();
    // The part put in last is read first.
    for (const { tokens, origin } of parts.toReversed()) {
      if (isWithin(origin.name, origin.importer)) {
        this.#fail(at, `${what} imports itself`);
        continue;
      }
      const result = substitute(tokens, values, used);
      for (const missing of result.missing) {
        this.#fail(at, `${what} uses ${missing}, ${countArguments(values.length)} given`);
      }
      this.#tokens += result.tokens.length;
      if (this.#tokens > MAX_TOKENS) {
        this.#stop(at, `more than ${MAX_TOKENS} tokens imported`);
        return;
      }
      source.insert(result.tokens, origin);
    }
    const idle = values.findIndex((_, i) => !used.has(i));
    if (idle !== -1 && parts.length > 0) {
      const text = quote((values[idle] as Token).text);
      this.#fail(at, `argument ${text} is not used, want {args[${idle}]} in ${what}`);
    }
  }

  #fail(token: Token, message: string, directive = 'import'): void {
    this.#context.problems.push(problemAt(token, directive, message));
  }

  /** Gives up on the rest: what follows can only repeat the problem. */
  #stop(token: Token, message: string): void {
    this.#fail(token, message);
    this.#context.source.clear();
  }
}

/** An import line within a snippet's own body that names it. */
function isSelfImport(token: Lexeme, before: Lexeme | undefined, name: string): boolean {
  return token.text === name && before?.text === 'import' && before.startsLine;
}

function isWithin(name: string, importer: Origin | undefined): boolean {
  for (let origin = importer; origin !== undefined; origin = origin.importer) {
    if (origin.name === name) return true;
  }
  return false;
}

function countArguments(count: number): string {
  return count === 0 ? 'no argument is' : count === 1 ? '1 argument is' : `${count} arguments are`;
}
