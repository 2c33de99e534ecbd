// Imports point one way, and what is dangerous or costly to spread is imported in one place.
import assert from 'node:assert/strict';
import { dirname, join } from 'node:path';
import test from 'node:test';
import { readText, root, sourceFiles } from '../lib/repository.js';

/** Layers of core, lowest first; a folder imports from its own layer and from those below. */
const LAYERS = [
  ['core/places.ts', 'core/wire', 'core/simd', 'core/memory', 'core/system'],
  ['core/chain', 'core/corefile'],
  ['core/metrics', 'core/upstream', 'core/server'],
  ['core/container'],
  ['core/control', 'core/plugin.ts'],
  ['core/main.ts'],
];

/** What a module name may be imported by. */
const CONFINED: readonly (readonly [module: string, by: RegExp])[] = [
  ['tsyringe', /^core\/container\//],
  ['reflect-metadata', /^core\/(container\/|main\.ts$)/],
  ['koffi', /^(core\/system\/|bench\/lib\/wakeup-echo\.ts$)/],
];

/** Packages inside of the bundle (.ci/bundle.mjs): needed to build the server, not to run it. */
const BUNDLED = ['reflect-metadata', 'tsyringe'];

interface Import {
  readonly file: string;
  readonly module: string;
  /** Erased by the compiler: no dependency of the running code. */
  readonly isType: boolean;
  /** Path from the top for relative imports, as source file. */
  readonly target: string | undefined;
}

const imports = sourceFiles().flatMap(importsOf);
const declared = Object.keys({
  ...dependencies().dependencies,
  ...dependencies().optionalDependencies,
  ...dependencies().peerDependencies,
});

test('imports: a folder of core depends on nothing above it', () => {
  const wrong = imports.filter(({ file, target, isType }) => {
    if (target === undefined || isType || isTest(file) || file.startsWith('core/testing'))
      return false;
    const from = layerOf(file);
    return from !== -1 && target.startsWith('core/') && layerOf(target) > from;
  });
  assert.deepEqual(wrong.map(written), []);
});

test('imports: every file of core belongs to a layer', () => {
  const lost = sourceFiles().filter(
    (file) => file.startsWith('core/') && !file.startsWith('core/testing') && layerOf(file) === -1,
  );
  assert.deepEqual(lost, []);
});

test('imports: core knows of plugins through their order alone', () => {
  const wrong = imports.filter(
    ({ file, target }) =>
      file.startsWith('core/') &&
      !isTest(file) &&
      target?.startsWith('plugins/') === true &&
      target !== 'plugins/order.ts',
  );
  assert.deepEqual(wrong.map(written), []);
});

test('imports: what runs in production needs nothing of the tests', () => {
  const wrong = imports.filter(
    ({ file, target }) =>
      /^(core|plugins)\//.test(file) &&
      !isTest(file) &&
      !file.startsWith('core/testing') &&
      target !== undefined &&
      (/^(test|bench)\//.test(target) || target.startsWith('core/testing')),
  );
  assert.deepEqual(wrong.map(written), []);
});

test('imports: a plugin uses the authoring API, its own folder and those of its parts, Node and declared packages', () => {
  const wrong = imports.filter(({ file, module, target }) => {
    const plugin = /^plugins\/[^/]+\//.exec(file)?.[0];
    if (plugin === undefined) return false;
    if (target === undefined) return !module.startsWith('node:') && !isDeclared(module);
    if (target.startsWith(plugin) || target === 'core/plugin.ts') return false;
    if (isPartOf(target, plugin)) return false;
    return !(isTest(file) && (target === 'core/testing.ts' || target.startsWith('test/lib/')));
  });
  assert.deepEqual(wrong.map(written), []);
});

test('imports: the container, its metadata and foreign calls stay in their folders', () => {
  const wrong = imports.filter(({ file, module }) =>
    CONFINED.some(([name, by]) => module === name && !by.test(file)),
  );
  assert.deepEqual(wrong.map(written), []);
});

test('imports: shared memory is touched by core/memory and core/metrics alone', () => {
  const wrong = sourceFiles().filter(
    (file) =>
      /^(core|plugins)\//.test(file) &&
      !isTest(file) &&
      !/^core\/(memory|metrics)\//.test(file) &&
      /\bAtomics\.\w/.test(readText(file)),
  );
  assert.deepEqual(wrong, []);
});

test('imports: every package in use is declared', () => {
  const wrong = imports.filter(
    ({ file, module, target }) =>
      target === undefined &&
      !module.startsWith('node:') &&
      !isDeclared(module) &&
      !(
        (isTest(file) || BUNDLED.includes(module)) &&
        Object.keys(dependencies().devDependencies).includes(packageOf(module))
      ),
  );
  assert.deepEqual(wrong.map(written), []);
});

function importsOf(file: string): readonly Import[] {
  const text = readText(file);
  // Static imports and exports start a line; dynamic ones with a literal may stand anywhere.
  const found = [
    ...text.matchAll(/^(?:import|export)\s(?:[^'"`;]*?\sfrom\s)?'([^']+)'/gms),
    ...text.matchAll(/^\} from '([^']+)'/gm),
    ...text.matchAll(/\bimport\('([^']+)'\)/g),
  ];
  return found.map((match) => {
    const module = match[1] as string;
    const target = module.startsWith('.')
      ? join(dirname(file), module).replace(/\.js$/, '.ts')
      : undefined;
    return { file, module, target, isType: /^(import|export) type\s/.test(match[0]) };
  });
}

/** Whether a file belongs to a plugin that says it is part of the one in `folder`. */
function isPartOf(file: string, folder: string): boolean {
  const part = /^plugins\/[^/]+\//.exec(file)?.[0];
  const owner = folder.split('/')[1] as string;
  return part !== undefined && readText(`${part}setup.ts`).includes(`partOf: '${owner}'`);
}

function layerOf(file: string): number {
  return LAYERS.findIndex((layer) =>
    layer.some((part) => file === part || file.startsWith(`${part}/`)),
  );
}

function isTest(file: string): boolean {
  return file.endsWith('.test.ts') || /^(test|bench)\//.test(file);
}

function packageOf(module: string): string {
  return module
    .split('/')
    .slice(0, module.startsWith('@') ? 2 : 1)
    .join('/');
}

function isDeclared(module: string): boolean {
  // The package itself stands in the texts of plugins that tests write.
  return declared.includes(packageOf(module)) || packageOf(module) === 'heimdall';
}

function written({ file, module }: Import): string {
  return `${file} imports ${module}`;
}

interface Dependencies {
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
  readonly optionalDependencies: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
}

function dependencies(): Dependencies {
  assert.ok(root.length > 0);
  return JSON.parse(readText('package.json')) as Dependencies;
}
