// A parsed configuration as plain data: it goes from the main thread to the workers as it is.

/** One token with where it came from. `file` is as the operator typed it, or absolute for imported files. */
export interface Token {
  readonly text: string;
  readonly file: string;
  readonly line: number;
}

/** A line inside a directive's block: its first token and the rest of the line. */
export interface Property {
  readonly name: Token;
  readonly args: readonly Token[];
}

/** One occurrence of a directive in a server block. */
export interface Directive {
  readonly name: Token;
  readonly args: readonly Token[];
  /** The lines of its block, empty without one. */
  readonly properties: readonly Property[];
}

export type Scheme = 'dns' | 'tls' | 'quic' | 'grpc' | 'https' | 'https3';

/** One key of a server block, normalised: a CIDR key gives several zones. */
export interface ServerKey {
  readonly token: Token;
  readonly scheme: Scheme;
  /** Lower case, fully qualified. */
  readonly zones: readonly string[];
  /** The port written or the scheme's default. */
  readonly port: number;
}

export interface ServerBlock {
  readonly keys: readonly ServerKey[];
  readonly directives: readonly Directive[];
  /** Chain order given by an `order` directive in this block: plugin names in front-to-back order; undefined for the default. */
  readonly order: readonly string[] | undefined;
  /** Where that directive stands. */
  readonly orderAt?: Token;
}

export interface Configuration {
  readonly blocks: readonly ServerBlock[];
  readonly plugins: readonly PluginLine[];
}

/** A third-party plugin named by a `plugin PATH|PACKAGE` line outside the server blocks. */
export interface PluginLine {
  readonly token: Token;
  /** A file URL for a path, else the package's name. */
  readonly specifier: string;
  /** Absolute directory of the file that names it: where a package is looked for. */
  readonly directory: string;
}

/** A configuration error with its place; printed as `FILE:LINE: DIRECTIVE: MESSAGE`. */
export interface Problem {
  readonly file: string;
  readonly line: number;
  /** Directive or '' for the file's own syntax. */
  readonly directive: string;
  readonly message: string;
}
