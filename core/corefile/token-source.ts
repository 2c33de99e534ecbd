// The stream of tokens that the parser reads: the main file with snippets and imported files put in where they are named.
import type { Lexeme } from './lexer.js';

/** What tokens come from, and what imported that: the way back to the main file. */
export interface Origin {
  /** `(NAME)` of a snippet or the absolute path of a file. */
  readonly name: string;
  readonly importer: Origin | undefined;
}

interface Frame {
  readonly tokens: readonly Lexeme[];
  readonly origin: Origin;
  at: number;
}

/** A stack of token lists; the one on top is read first. */
export class TokenSource {
  readonly #frames: Frame[] = [];
  #origin: Origin;
  #isCleared = false;

  constructor(tokens: readonly Lexeme[], origin: Origin) {
    this.#origin = origin;
    this.insert(tokens, origin);
  }

  /** Origin of the token that `next` gave last. */
  get origin(): Origin {
    return this.#origin;
  }

  /** Puts tokens before those not read yet. The first of them counts as the first on its line. */
  insert(tokens: readonly Lexeme[], origin: Origin): void {
    const [first, ...rest] = tokens;
    if (first === undefined) return;
    const all = first.startsLine ? tokens : [{ ...first, startsLine: true }, ...rest];
    this.#frames.push({ tokens: all, origin, at: 0 });
  }

  peek(): Lexeme | undefined {
    const frame = this.#frames[this.#frames.length - 1];
    return frame?.tokens[frame.at];
  }

  next(): Lexeme | undefined {
    const frame = this.#frames[this.#frames.length - 1];
    const token = frame?.tokens[frame.at];
    if (frame === undefined || token === undefined) return undefined;
    this.#origin = frame.origin;
    frame.at++;
    if (frame.at === frame.tokens.length) this.#frames.pop();
    return token;
  }

  /** The tokens not read yet of the line that the next token begins, and the one after that line. */
  peekLine(): { readonly line: readonly Lexeme[]; readonly after: Lexeme | undefined } {
    const frame = this.#frames[this.#frames.length - 1];
    if (frame === undefined) return { line: [], after: undefined };
    let end = frame.at + 1;
    while (end < frame.tokens.length && frame.tokens[end]?.startsLine === false) end++;
    return { line: frame.tokens.slice(frame.at, end), after: frame.tokens[end] };
  }

  /** Forgets what is not read yet. */
  clear(): void {
    this.#frames.length = 0;
    this.#isCleared = true;
  }

  /** Whether the end came by `clear`, before that of the file. */
  get isCleared(): boolean {
    return this.#isCleared;
  }
}
