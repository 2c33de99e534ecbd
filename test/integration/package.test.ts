// What `npm pack` puts into the package is enough to run the server, and no more than that.
import assert from 'node:assert/strict';
import { mkdirSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import test from 'node:test';
import { run } from '../lib/child.js';
import { readText, root } from '../lib/repository.js';
import { tempFolder } from '../lib/temp-folder.js';
import { needTools, toolPath } from '../lib/tools.js';

interface Lock {
  readonly packages: Readonly<Record<string, { dev?: boolean; optional?: boolean }>>;
}

test(
  'package: the tarball runs where only its dependencies are',
  needTools('npm', 'tar'),
  async (t) => {
    const folder = tempFolder();
    t.after(() => folder.remove());
    const packed = await run(
      [toolPath('npm'), 'pack', '--ignore-scripts', '--json', '--pack-destination', folder.path],
      { cwd: root },
    );
    assert.equal(packed.code, 0, packed.stderr);
    const [{ filename, files }] = JSON.parse(packed.stdout) as [
      { filename: string; files: { path: string }[] },
    ];
    const extracted = await run([toolPath('tar'), '-xzf', filename], { cwd: folder.path });
    assert.equal(extracted.code, 0, extracted.stderr);

    await t.test('package: it holds code, pages and the example, no tests and no sources', () => {
      const paths = files.map((file) => file.path);
      const wrong = paths.filter((path) =>
        /\.test\.|^dist\/(?!bundle\/|core\/.*\.d\.ts$)|(?<!\.d)\.ts$/.test(path),
      );
      assert.deepEqual(wrong, []);
      for (const path of [
        'dist/bundle/core/main.js',
        'dist/core/plugin.d.ts',
        'Corefile.example',
        'plugins/cache/README.md',
        'LICENSE',
      ]) {
        assert.ok(paths.includes(path), path);
      }
    });

    linkDependencies(folder.path);
    const main = join(folder.path, 'package/dist/bundle/core/main.js');
    await t.test('package: it says its version', async () => {
      const { version } = JSON.parse(readText('package.json')) as { version: string };
      const { code, stdout, stderr } = await run([process.execPath, main, '-version']);
      assert.equal(code, 0, stderr);
      assert.ok(stdout.includes(version), stdout);
    });

    await t.test('package: it accepts the example', async () => {
      const example = join(folder.path, 'package/Corefile.example');
      const { code, stderr } = await run([process.execPath, main, 'check', example]);
      assert.equal(code, 0, stderr);
    });

    await t.test('package: it exports the authoring API and the test kit', async () => {
      const script =
        "const [a, b] = await Promise.all([import('heimdall'), import('heimdall/testing')]); console.log(typeof a.definePlugin, typeof b.ask);";
      const cwd = join(folder.path, 'package');
      const { stdout, stderr } = await run(
        [process.execPath, '--input-type=module', '-e', script],
        { cwd },
      );
      assert.equal(stdout.trim(), 'function function', stderr);
    });
  },
);

/** Puts the packages that are no development dependencies where the extracted package finds them. */
function linkDependencies(folder: string): void {
  const { packages } = JSON.parse(readText('package-lock.json')) as Lock;
  for (const [path, { dev }] of Object.entries(packages)) {
    if (path === '' || dev === true || path.lastIndexOf('node_modules/') > 0) continue;
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    symlinkSync(join(root, path), join(folder, path));
  }
}
