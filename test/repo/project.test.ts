// The project's own papers: scripts, lock file, change log and pages agree with each other.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import test from 'node:test';
import { fencesOf, listFiles, markdownFiles, readText, root } from '../lib/repository.js';

const SCRIPT_LIMIT = 10;
const CHANGE_SECTIONS = ['Security', 'Incompatible', 'Added', 'Improved', 'Fixed'];

interface Manifest {
  readonly version: string;
  readonly scripts: Readonly<Record<string, string>>;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
  readonly optionalDependencies: Readonly<Record<string, string>>;
}

interface LockEntry {
  readonly resolved?: string;
  readonly integrity?: string;
  readonly os?: readonly string[];
  readonly libc?: readonly string[];
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

const manifest = JSON.parse(readText('package.json')) as Manifest;
const locks = ['package-lock.json', '.ci/node24/package-lock.json'];

test('project: there are at most ten scripts', () => {
  assert.ok(Object.keys(manifest.scripts).length <= SCRIPT_LIMIT);
});

test('project: every dependency is pinned to one version', () => {
  const { dependencies, devDependencies, optionalDependencies } = manifest;
  const all = Object.entries({ ...dependencies, ...devDependencies, ...optionalDependencies });
  assert.deepEqual(
    all.filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(version)),
    [],
  );
});

for (const lock of locks) {
  test(`project: ${lock} names no registry and knows what it installs by its hash`, () => {
    const packages = Object.entries(
      (JSON.parse(readText(lock)) as { packages: Record<string, LockEntry> }).packages,
    ).filter(([path]) => path !== '');
    assert.deepEqual(
      packages.filter(([, entry]) => entry.resolved !== undefined),
      [],
    );
    assert.deepEqual(
      packages.filter(([, entry]) => isForLinux(entry) && entry.integrity === undefined),
      [],
    );
  });
}

test('project: the lock file is complete for every platform, or npm ci would refuse it', () => {
  const { packages } = JSON.parse(readText('package-lock.json')) as {
    packages: Record<string, LockEntry>;
  };
  const missing = Object.entries(packages).flatMap(([path, entry]) =>
    Object.keys({ ...entry.dependencies, ...entry.optionalDependencies }).filter(
      (name) => !isLocked(packages, path, name),
    ),
  );
  assert.deepEqual(missing, []);
});

test('project: the change log opens with what is unreleased, in known sections', () => {
  const headings = [...readText('CHANGELOG.md').matchAll(/^## (.+)$/gm)].map((m) => m[1]);
  assert.equal(headings[0], 'Unreleased');
  for (const release of readText('CHANGELOG.md').split(/^## /m).slice(1)) {
    const sections = [...release.matchAll(/^### (.+)$/gm)].map((m) => m[1] as string);
    const known = CHANGE_SECTIONS.filter((section) => sections.includes(section));
    assert.deepEqual(sections, known);
  }
});

test('project: every npm command on a page exists', () => {
  const own = ['ci', 'install', 'pack', 'i'];
  const wrong = markdownFiles().flatMap((path) =>
    [...readText(path).matchAll(/(?:^|`)npm (?:run )?([a-z][a-z-]*)/gm)]
      .map((match) => match[1] as string)
      .filter((name) => !own.includes(name) && manifest.scripts[name] === undefined)
      .map((name) => `${path}: npm ${name}`),
  );
  assert.deepEqual(wrong, []);
});

test('project: every compiled program on a page has its source', () => {
  const wrong = markdownFiles().flatMap((path) =>
    [...readText(path).matchAll(/node dist\/((?:[a-z0-9-]+\/)+[a-z0-9-]+)\.js/g)]
      .map((match) => `${match[1]}.ts`)
      .filter((source) => !existsSync(join(root, source)))
      .map((source) => `${path}: ${source}`),
  );
  assert.deepEqual(wrong, []);
});

test('project: every link between pages leads somewhere', () => {
  const wrong = markdownFiles().flatMap((path) =>
    [...readText(path).matchAll(/\]\(([^)#\s]+)(#[^)]*)?\)/g)]
      .map((match) => match[1] as string)
      .filter((target) => !/^[a-z]+:/.test(target))
      .filter((target) => !existsSync(join(root, dirname(path), target)))
      .map((target) => `${path}: ${target}`),
  );
  assert.deepEqual(wrong, []);
});

test('project: the README shows the two commands and a first dig', () => {
  const commands = fencesOf('README.md', 'sh')
    .map((fence) => fence.text)
    .join('');
  for (const part of ['npm start', 'npm test', 'dig @127.0.0.1 -p 1053 whoami.example']) {
    assert.ok(commands.includes(part), part);
  }
});

test('project: what is compiled is not kept', () => {
  assert.deepEqual(
    listFiles(['core', 'plugins', 'test', 'bench'], '.js').filter(
      (path) => !path.includes('/fixtures/'),
    ),
    [],
  );
});

/** Packages for other systems are locked by version alone where their hash could not be had. */
function isForLinux({ os, libc }: LockEntry): boolean {
  return (os?.includes('linux') ?? true) && (libc?.includes('glibc') ?? true);
}

/** Whether Node's look-up from the package at `path` finds `name`. */
function isLocked(packages: Record<string, LockEntry>, path: string, name: string): boolean {
  for (let at = path; ; at = at.slice(0, Math.max(0, at.lastIndexOf('/node_modules/')))) {
    if (packages[`${at === '' ? '' : `${at}/`}node_modules/${name}`] !== undefined) return true;
    if (at === '') return false;
  }
}
