import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { BlockSettings } from '../../core/plugin.js';
import { parseDirective } from '../../core/testing.js';
import root from './setup.js';

/** What a server block's settings are after this line. */
function settingsAfter(text: string): BlockSettings {
  const settings: BlockSettings = {
    addresses: [],
    root: '/',
    isDebug: false,
    withStacks: false,
    warnings: [],
  };
  for (const config of parseDirective(root, text)) root.configure?.(config, settings);
  return settings;
}

function temporaryDirectory(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'root-'));
  t.after(() => rmSync(path, { recursive: true }));
  return path;
}

test('root: an existing directory is taken without a warning', (t) => {
  const path = temporaryDirectory(t);
  const settings = settingsAfter(`root ${path}`);
  assert.equal(settings.root, path);
  assert.deepEqual(settings.warnings, []);
});

test('root: a relative path starts from the working directory', () => {
  assert.equal(settingsAfter('root plugins').root, join(process.cwd(), 'plugins'));
});

test('root: a missing directory is taken with a warning', (t) => {
  const path = join(temporaryDirectory(t), 'none');
  const settings = settingsAfter(`root ${path}`);
  assert.equal(settings.root, path);
  assert.deepEqual(settings.warnings, [`root: "${path}" does not exist`]);
});

test('root: a file is taken with a warning', (t) => {
  const path = join(temporaryDirectory(t), 'file');
  writeFileSync(path, '');
  assert.deepEqual(settingsAfter(`root ${path}`).warnings, [`root: "${path}" is not a directory`]);
});

test('root: what lies below a file is taken with a warning', (t) => {
  const path = join(temporaryDirectory(t), 'file');
  writeFileSync(path, '');
  const { warnings } = settingsAfter(`root ${path}/below`);
  assert.deepEqual(warnings, [`root: "${path}/below" cannot be read: ENOTDIR`]);
});
