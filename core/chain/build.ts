// From a plan to handlers: the config, block information and services of every step, and the chains they make.
import type { Problem } from '../corefile/model.js';
import { Chain, type Step } from './chain.js';
import type { Handler, Plugin } from './handler.js';
import type { BlockPlan, Plan, StepPlan } from './plan.js';
import type { BlockInfo, Parts, Services } from './services.js';

/** What a step's plugin is told of its server block. */
export function stepInfo(block: BlockPlan, step: StepPlan, parts: Parts): BlockInfo {
  return {
    zones: block.zones,
    view: block.view,
    plugins: block.steps.map((s) => s.plugin),
    listeners: block.listeners,
    fingerprint: block.fingerprints[block.steps.indexOf(step)] ?? 0,
    root: block.root,
    parts,
  };
}

/** The configs of a plugin from the directives of a block. Throws on problems: a plan is made of checked directives only. */
function configsOf(block: BlockPlan, plugin: Plugin<unknown>): readonly unknown[] {
  const occurrences = block.directives.filter((d) => d.name.text === plugin.name);
  if (occurrences.length === 0) return [];
  const problems: Problem[] = [];
  const context = { zones: block.zones, root: block.root };
  const configs = plugin.syntax.parse(occurrences, context, problems);
  const [problem] = problems;
  if (problem !== undefined) throw new Error(`${plugin.name}: ${problem.message}`);
  return configs;
}

function partsOf(
  block: BlockPlan,
  owner: string,
  modules: ReadonlyMap<string, Plugin<unknown>>,
): Parts {
  const parts = new Map<string, unknown>();
  for (const [name, plugin] of modules) {
    if (plugin.partOf !== owner) continue;
    for (const config of configsOf(block, plugin)) parts.set(name, config);
  }
  return parts;
}

/** One chain per server block. Only steps whose plugin has a data part are in the plan. */
export function buildChains(
  plan: Plan,
  modules: ReadonlyMap<string, Plugin<unknown>>,
  servicesFor: (step: StepPlan, block: number, info: BlockInfo) => Services,
): Chain[] {
  return plan.blocks.map(
    (block, index) =>
      new Chain(
        block.steps.map((step): Step => {
          const plugin = modules.get(step.plugin);
          if (plugin?.setup === undefined) throw new Error(`${step.plugin} is not a handler`);
          const config = configsOf(block, plugin)[step.instance];
          const info = stepInfo(block, step, partsOf(block, plugin.name, modules));
          return {
            plugin: step.plugin,
            handler: setUp(plugin, config, servicesFor(step, index, info)),
            servesAllClasses: plugin.servesAllClasses === true,
          };
        }),
      ),
  );
}

/** The data part; what its `setup` throws gets the plugin's name in front. */
function setUp(plugin: Plugin<unknown>, config: unknown, services: Services): Handler {
  try {
    return (plugin as Required<Plugin<unknown>>).setup(config, services);
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    throw new Error(`${plugin.name}: ${text}`, { cause: error });
  }
}
