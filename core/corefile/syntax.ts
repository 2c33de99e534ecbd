// What a plugin's `syntax` is to the rest of the server: from occurrences of a directive to typed configurations and problems.
import type { Directive, Problem } from './model.js';

/** What value parsers may need besides the token. */
export interface SyntaxContext {
  /** Zones of the server block, lower case with final dot: the default of most ZONES arguments. */
  readonly zones: readonly string[];
  /** Base of relative file names. */
  readonly root: string;
}

/**
 * Typed syntax of a directive.
 * - `each`: every occurrence is an instance of its own, in written order (the default).
 * - `once`: a second occurrence in a server block is an error.
 * - `many`: all occurrences of a block make one instance, whose config is the list of theirs.
 */
export interface Syntax<Config> {
  readonly occurrence: 'each' | 'once' | 'many';
  /** The configs of the instances these occurrences (all of one server block) make; problems are added, none is thrown. */
  parse(
    occurrences: readonly Directive[],
    context: SyntaxContext,
    problems: Problem[],
  ): readonly Config[];
  /** Property names the block accepts, for documents and hints. */
  readonly properties: readonly string[];
}
