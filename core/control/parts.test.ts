// Directives that are part of another plugin: where they go, and what comes of them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type TempFolder, tempFolder } from '../../test/lib/temp-folder.js';
import { buildChains } from '../chain/build.js';
import type { Plugin } from '../chain/handler.js';
import type { Parts } from '../chain/services.js';
import type { Problem } from '../corefile/model.js';
import { parseCorefile } from '../corefile/parser.js';
import { formatProblems } from '../corefile/problems.js';
import { fakeServices } from '../testing.js';
import { describePlan } from './commands/describe.js';
import type { PluginSet } from './plan.js';
import { makePlan, type Planned } from './plan.js';
import { loadPlugins } from './plugins.js';

/** The whole, which tells what it is given; its part; and one that is part of nothing. */
function writePlugins(folder: TempFolder): string {
  const head =
    "import { definePlugin, directive, integer } from 'heimdall';\nexport default definePlugin({";
  const seen = '(config, { block }) => { globalThis.seenParts.push(block.parts); return';
  folder.write(
    'whole.mjs',
    `${head} name: 'whole', syntax: directive({}).once(),
      setup: ${seen} { serve: (q, next) => next(q) }; }, control: ${seen} {}; } });`,
  );
  folder.write(
    'part.mjs',
    `${head} name: 'part', partOf: 'whole', syntax: directive({ args: { n: integer({ min: 1 }).or(7) } }).once() });`,
  );
  return `plugin ${folder.path}/whole.mjs\nplugin ${folder.path}/part.mjs\n`;
}

async function planned(
  text: string,
): Promise<Planned & { readonly problems: string[]; readonly plugins: PluginSet }> {
  const parsed = parseCorefile(text, 'Corefile', { defaultPort: 53 });
  const problems: Problem[] = [...parsed.problems];
  const plugins = await loadPlugins(parsed.configuration, problems);
  const made = makePlan(parsed.configuration, plugins, problems);
  return { ...made, plugins, problems: formatProblems(problems) };
}

/** The parts that the data part of each step is given. */
function builtParts({ plan, plugins }: Awaited<ReturnType<typeof planned>>): readonly Parts[] {
  const seen: Parts[] = [];
  (globalThis as { seenParts?: Parts[] }).seenParts = seen;
  const modules = new Map<string, Plugin<unknown>>(
    Object.keys(plan.modules).flatMap((name) => {
      const plugin = plugins.byName.get(name)?.plugin;
      return plugin === undefined ? [] : [[name, plugin] as const];
    }),
  );
  buildChains(plan, modules, (_step, _block, block) => fakeServices({ block }));
  return seen;
}

test('parts: a plugin is given what is written in its parts, and is there for them alone', async (t) => {
  const folder = tempFolder();
  t.after(() => folder.remove());
  const lines = writePlugins(folder);
  for (const [body, want] of [
    ['whole\n part 3', { part: { n: 3 } }],
    ['part\n whoami', { part: { n: 7 } }],
    ['whole', {}],
  ] as const) {
    const made = await planned(`${lines}. {\n ${body}\n}`);
    assert.deepEqual(made.problems, []);
    assert.equal(made.plan.blocks[0]?.steps[0]?.plugin, 'whole');
    assert.deepEqual(made.instances[0]?.parts, new Map(Object.entries(want)));
    assert.deepEqual(builtParts(made), [new Map(Object.entries(want))]);
  }
});

test('parts: they are checked and described with what they are part of', async (t) => {
  const folder = tempFolder();
  t.after(() => folder.remove());
  const lines = writePlugins(folder);
  const wrong = await planned(`${lines}. {\n part 0\n}\n`);
  assert.deepEqual(wrong.problems, ['Corefile:4: part: N 0 is out of range, want 1 or more']);
  const twice = await planned(`${lines}. {\n part\n part\n}\n`);
  assert.deepEqual(twice.problems, [
    'Corefile:5: part: already set on line 4, allowed once per server block',
  ]);
  const made = await planned(`${lines}.:53 {\n part 3\n}\n`);
  assert.equal(describePlan(made), 'dns://:53\n  .\n    1.  whole\n        part 3\n');
});

test('parts: what is part of nothing, or does work of its own, is refused', async (t) => {
  const folder = tempFolder();
  t.after(() => folder.remove());
  const head = "import { definePlugin, directive } from 'heimdall';\nexport default definePlugin({";
  const lost = folder.write(
    'lost.mjs',
    `${head} name: 'lost', partOf: 'nowhere', syntax: directive({}) });`,
  );
  const busy = folder.write(
    'busy.mjs',
    `${head} name: 'busy', partOf: 'cache', syntax: directive({}), configure() {} });`,
  );
  const { problems } = await planned(`plugin ${lost}\nplugin ${busy}\n. {\n whoami\n}`);
  assert.deepEqual(problems, [
    `Corefile:1: plugin: "${lost}" is part of "nowhere", which is no plugin`,
    `Corefile:2: plugin: "${busy}" ("busy") is part of "cache", which does its work`,
  ]);
});
