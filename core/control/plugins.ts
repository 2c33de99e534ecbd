// Which plugins a configuration uses: loads them, and says what is wrong with those that cannot be.

import { BUILT_IN, THIRD_PARTY_BEFORE } from '../../plugins/order.js';
import type { Plugin } from '../chain/handler.js';
import { checkDirectives } from '../corefile/directives.js';
import type { Configuration, PluginLine, Problem } from '../corefile/model.js';
import { problemAt, quote } from '../corefile/problems.js';
import { builtInSpecifier, importPlugin, LoadError, resolvePlugin } from './load.js';
import type { LoadedPlugin, PluginSet } from './plan.js';
import { sequence } from './sequence.js';

interface ThirdParty extends LoadedPlugin {
  readonly line: PluginLine;
}

/** The plugins that `configuration` names, loaded; problems are added for those that cannot be, and for directives nobody knows. */
export async function loadPlugins(
  configuration: Configuration,
  problems: Problem[],
): Promise<PluginSet> {
  const thirdParty = await loadThirdParty(configuration.plugins, problems);
  const order = sequence(
    BUILT_IN,
    thirdParty.map(({ plugin }) => plugin),
    THIRD_PARTY_BEFORE,
    (name, neighbour) => refuseNeighbour(thirdParty, name, neighbour, problems),
  );
  // Without a plugin that failed to load its directive would be called unknown as well, which says nothing new.
  if (thirdParty.length === configuration.plugins.length) {
    problems.push(...checkDirectives(configuration, order));
  }
  const used = new Set(
    configuration.blocks.flatMap((block) => block.directives.map(({ name }) => name.text)),
  );
  const builtIn = await Promise.all(BUILT_IN.filter((name) => used.has(name)).map(loadBuiltIn));
  const loaded: LoadedPlugin[] = [...builtIn, ...thirdParty];
  // What a part belongs to is there even where only the part is written.
  const owners = new Set(loaded.flatMap(({ plugin }) => plugin.partOf ?? []));
  for (const { plugin } of loaded) owners.delete(plugin.name);
  loaded.push(...(await Promise.all(BUILT_IN.filter((name) => owners.has(name)).map(loadBuiltIn))));
  const byName = new Map(loaded.map((entry) => [entry.plugin.name, entry]));
  for (const { plugin, line } of thirdParty) {
    if (plugin.partOf === undefined || byName.has(plugin.partOf)) continue;
    const message = `${quote(line.token.text)} is part of ${quote(plugin.partOf)}, which is no plugin`;
    problems.push(problemAt(line.token, 'plugin', message));
  }
  return { order, byName };
}

async function loadBuiltIn(name: string): Promise<LoadedPlugin> {
  const specifier = builtInSpecifier(name);
  return { specifier, plugin: await importPlugin(specifier) };
}

/** Those that could be loaded, in the order of their lines; a plugin that is named twice is there once. */
async function loadThirdParty(
  lines: readonly PluginLine[],
  problems: Problem[],
): Promise<ThirdParty[]> {
  const results = await Promise.all(lines.map((line) => loadOne(line)));
  const taken: ThirdParty[] = [];
  for (const [i, result] of results.entries()) {
    const line = lines[i] as PluginLine;
    const fault = typeof result === 'string' ? result : nameFault(result.plugin, taken, result);
    if (fault !== undefined) {
      problems.push(problemAt(line.token, 'plugin', `${quote(line.token.text)} ${fault}`));
    } else if (typeof result !== 'string') {
      taken.push({ ...result, line });
    }
  }
  return taken;
}

async function loadOne(line: PluginLine): Promise<LoadedPlugin | string> {
  try {
    const specifier = await resolvePlugin(line.specifier, line.directory);
    return { specifier, plugin: await importPlugin(specifier) };
  } catch (error) {
    if (error instanceof LoadError) return error.message;
    throw error;
  }
}

function nameFault(
  { name }: Plugin<unknown>,
  taken: readonly ThirdParty[],
  { specifier }: LoadedPlugin,
): string | undefined {
  if (BUILT_IN.includes(name)) return `has the name of the built-in plugin ${quote(name)}`;
  const other = taken.find(({ plugin }) => plugin.name === name);
  if (other === undefined) return undefined;
  if (other.specifier === specifier) return 'is named twice';
  return `has the name ${quote(name)}, which ${quote(other.line.token.text)} has already`;
}

function refuseNeighbour(
  thirdParty: readonly ThirdParty[],
  name: string,
  neighbour: string,
  problems: Problem[],
): void {
  const own = thirdParty.find(({ plugin }) => plugin.name === name);
  if (own === undefined) return;
  const { token } = own.line;
  const message = `${quote(token.text)} wants to stand beside ${quote(neighbour)}, which is no plugin`;
  problems.push(problemAt(token, 'plugin', message));
}
