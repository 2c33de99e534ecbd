// The grammar of a Corefile: keys, directives, properties, snippets. It goes on after an error, so that one run reports all.
import { dirname, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseKey } from './keys.js';
import type { Lexeme } from './lexer.js';
import type {
  Configuration,
  Directive,
  PluginLine,
  Property,
  ServerBlock,
  ServerKey,
  Token,
} from './model.js';
import { takeOrder } from './order.js';
import { quote } from './problems.js';
import type { LineReader } from './reader.js';
import { ValueError } from './value-error.js';

export class Grammar {
  readonly #reader: LineReader;
  readonly #defaultPort: number;
  readonly #blocks: ServerBlock[] = [];
  readonly #plugins: PluginLine[] = [];

  constructor(reader: LineReader, defaultPort: number) {
    this.#reader = reader;
    this.#defaultPort = defaultPort;
  }

  /** Reads the whole file. */
  parse(): Configuration {
    const reader = this.#reader;
    for (let token = reader.peek(); token !== undefined; token = reader.peek()) {
      if (token.text === '}') this.#stray(reader.take());
      else if (token.text === 'import' && token.startsLine) reader.takeImport();
      else if (this.#isPluginLine()) this.#pluginLine();
      else this.#block();
    }
    return { blocks: this.#blocks, plugins: this.#plugins };
  }

  /** A server block or a snippet. */
  #block(): void {
    const first = this.#reader.peek() as Lexeme;
    const keys = this.#keys();
    const written = keys.filter(({ text }) => text !== '');
    const snippet = written.length === 1 ? snippetName(written[0] as Token) : undefined;
    if (snippet !== undefined) {
      this.#snippet(snippet);
      return;
    }
    if (keys.length === 0) {
      this.#reader.fail(first, 'server block without a key, want ZONE[:PORT] before "{"');
    }
    const parsed = written.flatMap((token) => this.#key(token));
    const isBraced = this.#reader.peek()?.text === '{';
    const directives = this.#directives(isBraced ? this.#reader.take() : undefined);
    // Keys that are all empty come from unset variables: CoreDNS drops such a block without a word.
    if (written.length === 0) return;
    this.#blocks.push({ keys: parsed, ...takeOrder(directives, this.#reader.problems) });
  }

  /** Keys up to `{` or the end of the line, and further when that is a comma. Commas are taken off. */
  #keys(): Token[] {
    const reader = this.#reader;
    const keys: Token[] = [];
    let comma: Token | undefined;
    for (let isFirst = true; ; isFirst = false) {
      const token = reader.peek();
      if (token === undefined || token.text === '{') {
        if (comma !== undefined)
          reader.fail(comma, 'no key follows the comma, want one or no comma');
        return keys;
      }
      if (token.startsLine && !isFirst && comma === undefined) return keys;
      if (token.text === 'import' && token.startsLine) {
        reader.takeImport();
      } else if (token.text === '}') {
        this.#stray(reader.take());
      } else {
        const { text, file, line } = reader.takeExpanded();
        comma = text.endsWith(',') ? token : undefined;
        const parts = text === '' ? [''] : text.split(',').filter((part) => part !== '');
        keys.push(...parts.map((part) => ({ text: part, file, line })));
      }
    }
  }

  #key(token: Token): ServerKey[] {
    const { text } = token;
    try {
      if (text.startsWith('(')) {
        throw new ValueError('want one (NAME) and "{"', 'is neither a zone nor a snippet');
      }
      return [{ token, ...parseKey(text, this.#defaultPort) }];
    } catch (error) {
      if (!(error instanceof ValueError)) throw error;
      const isSentence = error.subject === 'none';
      this.#reader.fail(token, isSentence ? error.message : `${quote(text)} ${error.message}`);
      return [];
    }
  }

  #snippet(name: Token): void {
    if (this.#reader.peek()?.text !== '{') {
      this.#reader.fail(name, `snippet ${quote(name.text)} has no body, want "{" after it`);
      return;
    }
    const body = this.#reader.takeBlock();
    if (name.text === '') this.#reader.fail(name, 'snippet without a name, want (NAME)');
    else this.#reader.imports.define(name, body);
  }

  /** The directives up to the `}` of `opening`, or all the rest of a file without braces. */
  #directives(opening: Lexeme | undefined): Directive[] {
    const reader = this.#reader;
    const directives: Directive[] = [];
    for (let token = reader.peek(); token !== undefined; token = reader.peek()) {
      if (token.text === '}') {
        reader.take();
        if (opening === undefined) this.#stray(token);
        return directives;
      }
      if (token.text === '{') {
        reader.fail(token, 'unexpected "{", want it on the line of its directive');
        reader.takeBlock();
      } else if (token.text === 'import') {
        reader.takeImport();
      } else {
        directives.push(this.#directive());
      }
    }
    if (opening !== undefined) reader.unclosed(opening);
    return directives;
  }

  #directive(): Directive {
    const name = this.#reader.takeExpanded();
    if (name.text === '') {
      this.#reader.fail(name, 'directive without a name, is a variable unset?');
    }
    const args = this.#reader.takeArguments();
    const token = this.#reader.peek();
    if (token === undefined || token.startsLine || token.text !== '{') {
      return { name, args, properties: [] };
    }
    const properties = this.#properties(this.#reader.take(), name.text);
    this.#endOfLine(name.text);
    return { name, args, properties };
  }

  #properties(opening: Lexeme, directive: string): Property[] {
    const reader = this.#reader;
    const properties: Property[] = [];
    for (let token = reader.peek(); token !== undefined; token = reader.peek()) {
      if (token.text === '}') {
        reader.take();
        return properties;
      }
      if (token.text === '{') {
        reader.fail(token, 'unexpected "{", properties have no block', directive);
        reader.takeBlock();
      } else if (token.text === 'import') {
        reader.takeImport();
      } else {
        const name = reader.takeExpanded();
        properties.push({ name, args: reader.takeArguments() });
      }
    }
    reader.unclosed(opening, directive);
    return properties;
  }

  /** After the `}` of a directive only that of the server block may follow on its line. */
  #endOfLine(directive: string): void {
    const reader = this.#reader;
    const token = reader.peek();
    if (token === undefined || token.startsLine || token.text === '}') return;
    reader.fail(token, `unexpected ${quote(token.text)} after "}", want a new line`, directive);
    for (let next = reader.peek(); next?.startsLine === false; next = reader.peek()) {
      if (next.text === '}') return;
      if (next.text === '{') reader.takeBlock();
      else reader.take();
    }
  }

  /** `plugin PATH|PACKAGE` outside server blocks; with a `{` behind it, `plugin` is a zone like any other. */
  #isPluginLine(): boolean {
    const { line, after } = this.#reader.peekLine();
    if (line[0]?.text !== 'plugin' || !line[0].startsLine) return false;
    return after?.text !== '{' && !line.some(({ text }) => text === '{');
  }

  #pluginLine(): void {
    const reader = this.#reader;
    const keyword = reader.take();
    const [token, surplus] = reader.takeArguments();
    if (token === undefined || token.text === '') {
      reader.fail(keyword, 'missing argument, want a path or a package name', 'plugin');
      return;
    }
    if (surplus !== undefined) {
      const message = `unexpected argument ${quote(surplus.text)}, want one path or package name`;
      reader.fail(surplus, message, 'plugin');
    }
    this.#plugins.push(pluginLine(token, dirname(resolve(token.file))));
  }

  #stray(token: Token): void {
    this.#reader.fail(token, 'unexpected "}", no "{" is open');
  }
}

/** A third-party plugin: a path, relative to `directory`, as a file URL; a package by its name. */
export function pluginLine(token: Token, directory: string): PluginLine {
  const isPath = /^\.{0,2}\//.test(token.text);
  const specifier = isPath ? pathToFileURL(resolve(directory, token.text)).href : token.text;
  return { token, specifier, directory };
}

/** `(NAME)` as a token that says NAME. */
function snippetName({ text, file, line }: Token): Token | undefined {
  if (!text.startsWith('(') || !text.endsWith(')')) return undefined;
  return { text: text.slice(1, -1), file, line };
}
