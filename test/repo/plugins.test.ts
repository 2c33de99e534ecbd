// Every plugin is a folder of the same parts, its README a page of the same sections, and both are in the index and in the order.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { pathToFileURL } from 'node:url';
import type { Plugin } from '../../core/plugin.js';
import { fencesOf, pluginNames, readText, root } from '../lib/repository.js';

/** README sections in order; the question mark is for those a plugin may do without. */
const SECTIONS = ['Name', 'Description', 'Syntax', 'Examples', 'Metrics', 'Ready?', 'See Also'];

/** RFC 5737, RFC 3849, loopback, private use and link-local: addresses that are nobody's in an example. */
const EXAMPLE_ADDRESS =
  /^(127\.|192\.0\.2\.|198\.51\.100\.|203\.0\.113\.|10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.|0\.0\.0\.0)/;

for (const name of pluginNames()) {
  const readme = `plugins/${name}/README.md`;

  test(`plugins: ${name} has the parts of a plugin`, () => {
    for (const part of ['README.md', 'setup.ts', 'setup.test.ts']) {
      assert.ok(existsSync(join(root, 'plugins', name, part)), part);
    }
  });

  test(`plugins: ${name} has a README of the usual sections in order`, () => {
    const text = readText(readme);
    assert.equal(text.split('\n')[0], `# ${name}`);
    const found = [...text.matchAll(/^## (.+)$/gm)].map((match) => match[1] as string);
    const wanted = SECTIONS.map((section) => section.replace('?', '')).filter(
      (section, i) => !(SECTIONS[i] as string).endsWith('?') || found.includes(section),
    );
    assert.deepEqual(found, wanted);
    assert.match(sectionOf(text, 'Name'), new RegExp(`^\\*${name}\\* - [^\n]+\\.$`));
  });

  test(`plugins: ${name} documents every property it takes`, async () => {
    const plugin = await loaded(name);
    assert.equal(plugin.name, name);
    const syntax = sectionOf(readText(readme), 'Syntax');
    const missing = plugin.syntax.properties.filter(
      (property) =>
        !syntax.includes(`\`${property}`) || !new RegExp(`^\\s+${property}\\b`, 'm').test(syntax),
    );
    assert.deepEqual(missing, []);
  });

  test(`plugins: ${name} has examples, on names and addresses that are nobody's`, () => {
    const fences = fencesOf(readme, 'corefile');
    assert.ok(fences.length > 0);
    for (const fence of fences) {
      const addresses = fence.text.match(/\b\d{1,3}(\.\d{1,3}){3}\b/g) ?? [];
      assert.deepEqual(
        addresses.filter((address) => !EXAMPLE_ADDRESS.test(address)),
        [],
        `${readme}:${fence.line}`,
      );
    }
  });
}

test('plugins: the order names every plugin once, and no other', async () => {
  const { ORDER } = (await import(compiled('plugins/order.js'))) as {
    ORDER: readonly { readonly name: string }[];
  };
  assert.deepEqual(ORDER.map((entry) => entry.name).sort(), pluginNames());
});

test('plugins: the index has a line for every plugin', () => {
  const index = readText('plugins/README.md');
  const missing = pluginNames().filter((name) => !index.includes(`](${name}/README.md)`));
  assert.deepEqual(missing, []);
});

function sectionOf(text: string, name: string): string {
  return (text.split(new RegExp(`^## ${name}$`, 'm'))[1] ?? '').split(/^## /m)[0]?.trim() ?? '';
}

async function loaded(name: string): Promise<Plugin<unknown>> {
  const module = (await import(compiled(`plugins/${name}/setup.js`))) as {
    default: Plugin<unknown>;
  };
  return module.default;
}

function compiled(path: string): string {
  return pathToFileURL(join(root, 'dist', path)).href;
}
