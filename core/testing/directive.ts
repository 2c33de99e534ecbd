// A directive's text through the real parser and a plugin's syntax: what a configuration test states.
import type { Plugin } from '../chain/handler.js';
import type { Directive, Problem, Token } from '../corefile/model.js';
import { parseCorefile } from '../corefile/parser.js';
import { formatProblem } from '../corefile/problems.js';

/** The configs of the instances that these lines make in a server block for `zone`. Throws with the messages when there are problems. */
export function parseDirective<Config>(
  plugin: Plugin<Config>,
  text: string,
  zone = '.',
): readonly Config[] {
  const { configs, problems } = parsed(plugin, text, zone);
  if (problems.length > 0) throw new Error(problems.map(formatProblem).join('\n'));
  return configs;
}

/** The messages an operator gets for these lines, `Corefile:LINE: ...` with the first line as 1. */
export function directiveProblems<Config>(
  plugin: Plugin<Config>,
  text: string,
  zone = '.',
): readonly string[] {
  return parsed(plugin, text, zone).problems.map(formatProblem);
}

function parsed<Config>(
  plugin: Plugin<Config>,
  text: string,
  zone: string,
): { configs: readonly Config[]; problems: Problem[] } {
  // Brace-less: the zone stands on a line of its own, so the directive's first line would be 2.
  const { configuration, problems } = parseCorefile(`${zone}\n${text}\n`, 'Corefile', {
    defaultPort: 53,
    knownDirectives: [plugin.name],
  });
  const found: Problem[] = problems.map(lineUp);
  const block = configuration.blocks[0];
  const own = block?.directives.filter((d) => d.name.text === plugin.name) ?? [];
  const occurrences = own.map(directiveUp);
  const context = { zones: block?.keys.flatMap((key) => key.zones) ?? [], root: process.cwd() };
  const configs = block === undefined ? [] : plugin.syntax.parse(occurrences, context, found);
  return { configs, problems: found };
}

/** The same, one line further up. */
function lineUp<T extends Token | Problem>(placed: T): T {
  return { ...placed, line: placed.line - 1 };
}

function directiveUp({ name, args, properties }: Directive): Directive {
  return {
    name: lineUp(name),
    args: args.map(lineUp),
    properties: properties.map((p) => ({ name: lineUp(p.name), args: p.args.map(lineUp) })),
  };
}
