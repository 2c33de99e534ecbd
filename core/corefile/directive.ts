// The typed syntax of a directive: a plugin says what arguments and properties it takes; out come its typed configs and every message.
import {
  type Field,
  type Position,
  Reading,
  readPositions,
  readProperty,
  type ValueOf,
} from './field.js';
import { checkOrder } from './lines.js';
import type { Directive, Problem, Property, Token } from './model.js';
import { either, placeOf, problemAt, quote } from './problems.js';
import { hint } from './suggest.js';
import type { Syntax, SyntaxContext } from './syntax.js';

/** Property names are listed in a message up to this many; more is no help at a glance. */
const LISTED_PROPERTIES = 12;

export type Fields = Readonly<Record<string, Field<unknown>>>;
export type NoFields = Readonly<Record<never, Field<unknown>>>;

/** The config that arguments `A` and properties `B` give; `rest` holds what the catch-all made, in written order. */
export type ConfigOf<A extends Fields, B extends Fields, R> = Flat<
  { readonly [K in keyof A]: ValueOf<A[K]> } & { readonly [K in keyof B]: ValueOf<B[K]> } & ([
      R,
    ] extends [never]
      ? unknown
      : { readonly rest: readonly R[] })
>;

/** A config being filled. */
type Draft = Record<string, unknown> & { rest?: readonly unknown[] };

type Flat<T> = { [K in keyof T]: T[K] };

/** A message about the directive, or about its property or argument `at`. */
export type CheckResult = string | { readonly at: string; readonly message: string } | undefined;

export interface DirectiveOptions<A extends Fields, B extends Fields, R> {
  /** Arguments on the directive's own line, in written order. */
  readonly args?: A;
  /** Properties in its block, by name. */
  readonly block?: B;
  /** Takes the lines of the block that no property does; undefined for a line that is an unknown property. May throw ValueError. */
  readonly rest?: (property: Property, context: SyntaxContext) => R | undefined;
  /** Says what is wrong with the whole, after every part was found right. */
  readonly check?: (config: ConfigOf<A, B, R>, context: SyntaxContext) => CheckResult;
}

/** A syntax whose occurrences are instances of their own, and the ways to have it otherwise. */
export interface DirectiveSyntax<C> extends Syntax<C> {
  /** A second occurrence in a server block is an error. */
  once(): Syntax<C>;
  /** All occurrences in a server block make one instance, whose config is the list of theirs. */
  many(): Syntax<readonly C[]>;
}

/**
 * Declares a directive: `directive({ args: { zones: zones() }, block: { list: file().many(), uncloak: flag() } })`. Configs are frozen.
 * A property written twice counts the last time, unless it is `many()` or `list()`.
 */
export function directive<A extends Fields = NoFields, B extends Fields = NoFields, R = never>(
  options: DirectiveOptions<A, B, R>,
): DirectiveSyntax<ConfigOf<A, B, R>> {
  type C = ConfigOf<A, B, R>;
  const properties = Object.keys(options.block ?? {});
  const args = positionsOf(options.args ?? {});
  const twice = properties.find((name) => Object.hasOwn(options.args ?? {}, name));
  if (twice !== undefined) throw new Error(`${twice} is both an argument and a property`);
  checkOrder(args);

  const readAll: Syntax<C>['parse'] = (occurrences, context, problems) =>
    occurrences.flatMap((occurrence) => {
      const reading = new Reading(occurrence.name.text, context, problems);
      const config = readOccurrence(occurrence, args, options, reading);
      return reading.hasFailed ? [] : [config as C];
    });
  return {
    occurrence: 'each',
    properties,
    parse: readAll,
    once: () => ({
      occurrence: 'once',
      properties,
      parse(occurrences, context, problems) {
        refuseRepeats(occurrences, problems);
        return readAll(occurrences, context, problems).slice(0, 1);
      },
    }),
    many: () => ({
      occurrence: 'many',
      properties,
      parse(occurrences, context, problems) {
        const configs = readAll(occurrences, context, problems);
        return configs.length === 0 ? [] : [Object.freeze(configs)];
      },
    }),
  };
}

function positionsOf(fields: Fields): Position[] {
  return Object.entries(fields).map(([name, field]) => ({
    field,
    label:
      field.label === '' ? name.replace(/(?<=[a-z])(?=[A-Z])/g, '_').toUpperCase() : field.label,
  }));
}

/** One occurrence as a config; what it holds means nothing when `reading` has failed. */
function readOccurrence<A extends Fields, B extends Fields, R>(
  { name, args, properties }: Directive,
  positions: readonly Position[],
  options: DirectiveOptions<A, B, R>,
  reading: Reading,
): unknown {
  const values = readPositions(positions, args, reading, '', name);
  const names = Object.keys(options.args ?? {});
  const config: Draft = {};
  for (const [i, key] of names.entries()) config[key] = values[i];
  readBlock(properties, name, options, reading, config);
  if (!reading.hasFailed) check(options, config, { name, args, properties }, reading);
  return Object.freeze(config);
}

function readBlock<A extends Fields, B extends Fields, R>(
  properties: readonly Property[],
  name: Token,
  { block, rest }: DirectiveOptions<A, B, R>,
  reading: Reading,
  config: Draft,
): void {
  const fields: Fields = block ?? {};
  const lines = new Map<string, unknown[]>(Object.keys(fields).map((key) => [key, []]));
  const others: R[] = [];
  for (const property of properties) {
    const key = property.name.text;
    const values = lines.get(key);
    if (values !== undefined) {
      values.push(
        readProperty(fields[key] as Field<unknown>, property.name, property.args, reading),
      );
      continue;
    }
    let isTaken = true;
    const other = reading.attempt(property.name, key, () => {
      const made = rest?.(property, reading.context);
      isTaken = made !== undefined;
      return made;
    });
    if (other !== undefined) others.push(other);
    if (!isTaken) unknownProperty(property.name, fields, reading);
  }
  for (const [key, values] of lines) {
    const field = fields[key] as Field<unknown>;
    if (values.length > 0) config[key] = field.combine(values);
    else if (field.absent !== undefined) config[key] = field.absent(reading.context);
    else reading.fail(name, `property ${quote(key)} is missing, want ${field.reader.want}`);
  }
  if (rest !== undefined) config.rest = Object.freeze(others);
}

function unknownProperty(name: Token, fields: Fields, reading: Reading): void {
  const known = Object.keys(fields);
  const list = known.length <= LISTED_PROPERTIES ? `, want ${either(known)}` : '';
  const want = known.length === 0 ? ', want none' : hint(name.text, known) || list;
  reading.fail(name, `unknown property ${quote(name.text)}${want}`);
}

function check<A extends Fields, B extends Fields, R>(
  options: DirectiveOptions<A, B, R>,
  config: Draft,
  occurrence: Directive,
  reading: Reading,
): void {
  const { name, args, properties } = occurrence;
  const result = reading.attempt(name, name.text, () =>
    options.check?.(config as ConfigOf<A, B, R>, reading.context),
  );
  if (result === undefined) return;
  if (typeof result === 'string') {
    reading.fail(name, result);
    return;
  }
  const line = properties.findLast((property) => property.name.text === result.at);
  reading.fail(line?.name ?? args[0] ?? name, result.message);
}

function refuseRepeats(occurrences: readonly Directive[], problems: Problem[]): void {
  const [first, ...others] = occurrences;
  for (const { name } of others) {
    const place = placeOf((first as Directive).name, name);
    const message = `already set on ${place}, allowed once per server block`;
    problems.push(problemAt(name, name.text, message));
  }
}
