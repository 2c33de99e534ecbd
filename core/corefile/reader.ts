// Tokens for the grammar: variables replaced, imports carried out, arguments of a line and blocks taken as a whole.
import { resolve } from 'node:path';
import { expandEnvironment } from './environment.js';
import { type ImportContext, Imports } from './imports.js';
import type { Lexed, Lexeme } from './lexer.js';
import type { Problem, Token } from './model.js';
import { problemAt, quote } from './problems.js';
import { TokenSource } from './token-source.js';

export class LineReader {
  readonly imports: Imports;
  readonly problems: Problem[];
  readonly #source: TokenSource;
  readonly #context: Omit<ImportContext, 'source'>;
  /** The end of the file came too early and that was reported: blocks around it need no report of their own. */
  #isCutShort: boolean;

  constructor(lexed: Lexed, file: string, context: Omit<ImportContext, 'source'>) {
    this.#source = new TokenSource(lexed.tokens, { name: resolve(file), importer: undefined });
    this.#context = context;
    this.problems = context.problems;
    this.imports = new Imports({ ...context, source: this.#source });
    this.#isCutShort = lexed.openQuote !== undefined;
    if (lexed.openQuote !== undefined) this.fail(lexed.openQuote, 'quote is never closed');
  }

  /** The next token as it was written, left where it is. */
  peek(): Lexeme | undefined {
    return this.#source.peek();
  }

  /** The rest of the current line and the token after it, left where they are. */
  peekLine(): { readonly line: readonly Lexeme[]; readonly after: Lexeme | undefined } {
    return this.#source.peekLine();
  }

  /** Takes the token that was peeked at. */
  take(): Lexeme {
    return this.#source.next() as Lexeme;
  }

  /** Takes a token as the model has it: variables replaced. */
  takeExpanded(): Token {
    const { text: written, file, line } = this.take();
    const text = expandEnvironment(written, this.#context.env);
    const token = { text: text ?? written, file, line };
    if (text === undefined) {
      this.fail(token, `variables in ${quote(written)} refer to each other without end`);
    }
    return token;
  }

  /** Takes the rest of the line, up to a brace. */
  takeArguments(): Token[] {
    const args: Token[] = [];
    while (this.#isArgument()) args.push(this.takeExpanded());
    return args;
  }

  /** Takes an import line and puts in what it names. */
  takeImport(): void {
    const keyword = this.take();
    const { origin } = this.#source;
    const args: Lexeme[] = [];
    while (this.#isArgument()) args.push(this.take());
    const brace = this.peek();
    if (brace?.text === '{' && !brace.startsLine) {
      this.fail(brace, 'unexpected "{", an import has no block', 'import');
      this.takeBlock();
    }
    this.imports.run(keyword, args, origin);
  }

  /** Takes a `{` and everything up to the `}` that belongs to it; gives what is between them, as written. */
  takeBlock(): Lexeme[] {
    const opening = this.take();
    const tokens: Lexeme[] = [];
    let depth = 1;
    for (let token = this.#source.next(); token !== undefined; token = this.#source.next()) {
      if (token.text === '{') depth++;
      if (token.text === '}' && --depth === 0) return tokens;
      tokens.push(token);
    }
    this.unclosed(opening);
    return tokens;
  }

  /** Reports that the file ended within the block that `opening` opened. */
  unclosed(opening: Token, directive = ''): void {
    const isReported = this.#isCutShort || this.#source.isCleared;
    if (!isReported) this.fail(opening, '"{" is never closed, unexpected EOF', directive);
    this.#isCutShort = true;
  }

  fail(token: Token, message: string, directive = ''): void {
    this.problems.push(problemAt(token, directive, message));
  }

  #isArgument(): boolean {
    const token = this.peek();
    return token !== undefined && !token.startsLine && token.text !== '{' && token.text !== '}';
  }
}
