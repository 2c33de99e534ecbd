// From a configuration and its plugins to the plan that workers build their chains from, and the list of control parts to make.

import type { BlockSettings, Plugin } from '../chain/handler.js';
import type { BlockPlan, ListenerPlan, Plan, RoutePlan, StepPlan } from '../chain/plan.js';
import type { Parts } from '../chain/services.js';
import type { Configuration, Directive, Problem, ServerBlock } from '../corefile/model.js';
import { findOverlaps } from '../corefile/overlap.js';
import { problemAt, quote } from '../corefile/problems.js';
import type { SyntaxContext } from '../corefile/syntax.js';
import { Fingerprints } from './fingerprint.js';
import { applyOrder } from './sequence.js';

/** The plugins a configuration may use. */
export interface PluginSet {
  readonly byName: ReadonlyMap<string, LoadedPlugin>;
  /** Every name front to back. */
  readonly order: readonly string[];
}

export interface LoadedPlugin {
  readonly plugin: Plugin<unknown>;
  /** What workers import. */
  readonly specifier: string;
}

/** One occurrence of a plugin in a server block; `step` is in the block's steps when the plugin has a data part. */
export interface Instance {
  readonly block: number;
  readonly step: StepPlan;
  readonly plugin: Plugin<unknown>;
  readonly config: unknown;
  /** What the directives that are part of this plugin say. */
  readonly parts: Parts;
  /** The directives that made it: one of its own, or all of its plugin's where they make one instance; behind them those of its parts. */
  readonly directives: readonly Directive[];
}

export interface Planned {
  readonly plan: Plan;
  /** Block by block, in default chain order. */
  readonly instances: readonly Instance[];
  /** For the operator, to be logged once. */
  readonly warnings: readonly string[];
}

/** What a block is before its listeners are known. */
interface Draft {
  readonly block: ServerBlock;
  readonly zones: readonly string[];
  readonly settings: BlockSettings;
  readonly steps: readonly StepPlan[];
  /** Those written, and those that are there because a part of them is. */
  readonly directives: readonly Directive[];
}

/** Makes the plan. Problems are added, and the plan is only good for use when there are none. */
export function makePlan(
  configuration: Configuration,
  plugins: PluginSet,
  problems: Problem[],
): Planned {
  const instances: Instance[] = [];
  const drafts = configuration.blocks.map((block, index) =>
    draftBlock(block, index, plugins, instances, problems),
  );
  const served = drafts.map(({ block, settings: { addresses } }) => ({
    block,
    addresses,
    hasView: false,
  }));
  problems.push(...findOverlaps(served));
  const listeners = new ListenerTable();
  const prints = new Fingerprints();
  const blocks = drafts.map((draft, index): BlockPlan => {
    const { zones, settings, steps, directives } = draft;
    const shape = { zones, view: '', root: settings.root, steps };
    return {
      ...shape,
      listeners: listeners.add(draft, index, problems),
      directives,
      fingerprints: prints.of(
        shape,
        (step) => instances.find((instance) => instance.step === step)?.directives ?? [],
      ),
    };
  });
  const used = new Set(blocks.flatMap((block) => block.steps.map((step) => step.plugin)));
  const modules: Record<string, string> = {};
  for (const [name, { specifier, plugin }] of plugins.byName) {
    if (used.has(plugin.partOf ?? name)) modules[name] = specifier;
  }
  const isDebug = drafts.some((draft) => draft.settings.isDebug);
  const withStacks = isDebug || drafts.some((draft) => draft.settings.withStacks);
  return {
    plan: { listeners: listeners.plans, blocks, modules, isDebug, withStacks },
    instances,
    warnings: [...new Set(drafts.flatMap((draft) => draft.settings.warnings))],
  };
}

function draftBlock(
  block: ServerBlock,
  index: number,
  plugins: PluginSet,
  instances: Instance[],
  problems: Problem[],
): Draft {
  const zones = [...new Set(block.keys.flatMap((key) => key.zones))];
  const settings: BlockSettings = {
    addresses: [],
    root: process.cwd(),
    isDebug: false,
    withStacks: false,
    warnings: [],
  };
  const steps: StepPlan[] = [];
  const directives = [...block.directives];
  for (const name of plugins.order) {
    const plugin = plugins.byName.get(name)?.plugin;
    if (plugin === undefined || plugin.partOf !== undefined) continue;
    const context = { zones, root: settings.root };
    const before = problems.length;
    const { parts, written } = readParts(plugin, block, plugins, context, problems);
    let occurrences = directives.filter((d) => d.name.text === name);
    if (occurrences.length === 0 && written[0] !== undefined) {
      occurrences = [{ name: { ...written[0].name, text: name }, args: [], properties: [] }];
      directives.push(...occurrences);
    }
    if (occurrences.length === 0) continue;
    const configs = plugin.syntax.parse(occurrences, context, problems);
    if (problems.length > before) continue;
    for (const [instance, config] of configs.entries()) {
      plugin.configure?.(config, settings);
      const step = { plugin: name, instance };
      const own =
        configs.length === occurrences.length
          ? occurrences.slice(instance, instance + 1)
          : occurrences;
      const made = [...own, ...written];
      instances.push({ block: index, step, plugin, config, parts, directives: made });
      if (plugin.setup !== undefined) steps.push(step);
    }
  }
  return { block, zones, settings, steps: applyOrder(steps, block.order ?? []), directives };
}

/** What a block says in directives that are part of `owner`. */
function readParts(
  owner: Plugin<unknown>,
  block: ServerBlock,
  plugins: PluginSet,
  context: SyntaxContext,
  problems: Problem[],
): { readonly parts: Parts; readonly written: readonly Directive[] } {
  const parts = new Map<string, unknown>();
  const written: Directive[] = [];
  for (const { plugin } of plugins.byName.values()) {
    if (plugin.partOf !== owner.name) continue;
    const occurrences = block.directives.filter((d) => d.name.text === plugin.name);
    if (occurrences.length === 0) continue;
    written.push(...occurrences);
    for (const config of plugin.syntax.parse(occurrences, context, problems)) {
      parts.set(plugin.name, config);
    }
  }
  return { parts, written };
}

/** Listeners by scheme, address and port, and the zones each serves. */
class ListenerTable {
  readonly plans: (ListenerPlan & { readonly routes: RoutePlan[] })[] = [];

  /** Adds the routes of a block; gives the indices of its listeners. */
  add(draft: Draft, block: number, problems: Problem[]): number[] {
    const indices = new Set<number>();
    const addresses = draft.settings.addresses.length === 0 ? [''] : draft.settings.addresses;
    for (const key of draft.block.keys) {
      if (key.scheme !== 'dns') {
        const message = `${quote(key.token.text)}: the scheme ${key.scheme} is not served, want dns`;
        problems.push(problemAt(key.token, '', message));
        continue;
      }
      if (key.port === 0) {
        const message = `${quote(key.token.text)}: port 0 cannot be listened on, want 1..65535`;
        problems.push(problemAt(key.token, '', message));
        continue;
      }
      for (const address of addresses) {
        const index = this.#indexOf(key.scheme, address, key.port);
        indices.add(index);
        for (const zone of key.zones) {
          const zoneIndex = draft.zones.indexOf(zone);
          this.plans[index]?.routes.push({ zone, block, zoneIndex });
        }
      }
    }
    return [...indices];
  }

  #indexOf(scheme: ListenerPlan['scheme'], address: string, port: number): number {
    const host = address.includes(':') ? `[${address}]` : address;
    const text = `${scheme}://${host}:${port}`;
    const known = this.plans.findIndex((listener) => listener.text === text);
    if (known >= 0) return known;
    return this.plans.push({ scheme, address, port, text, routes: [] }) - 1;
  }
}
