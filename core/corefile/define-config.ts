// The types of heimdall.config.{ts,js,mjs,json,yaml}: the blocks of a Corefile as data.

export type Scalar = string | number | boolean;

/**
 * The lines of one property. `true` (or YAML's empty value) is a line without arguments, `false` none; a scalar is one argument; a list
 * is the arguments of one line; a list that holds lists is one line for each.
 */
export type PropertyData = Scalar | null | undefined | readonly (Scalar | readonly Scalar[])[];

/** The block of a directive. */
export interface PropertiesData {
  readonly [name: string]: PropertyData;
}

/** A directive: its name alone, or a list of name, arguments and, last, its block. */
export type DirectiveData = string | readonly [name: string, ...rest: (Scalar | PropertiesData)[]];

export interface BlockData {
  /** As in a Corefile: `.:1053`, `tls://example.org`, `10.0.0.0/24`. */
  readonly keys: string | readonly string[];
  readonly directives: readonly DirectiveData[];
  /** Plugin names front to back. */
  readonly order?: readonly string[];
}

export interface ConfigData {
  /** Paths, relative to this file, or package names of third-party plugins. */
  readonly plugins?: readonly string[];
  readonly blocks: readonly BlockData[];
}

/** Gives `config` back: it is there for its types. */
export function defineConfig(config: ConfigData): ConfigData {
  return config;
}
