// The server runs from the bundle: a thread of it has few files of the server's own to load, by what V8 says that it loaded.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { pathToFileURL } from 'node:url';
import { startHeimdall } from '../lib/heimdall.js';
import { freePort } from '../lib/ports.js';
import { root } from '../lib/repository.js';
import { tempFolder } from '../lib/temp-folder.js';

/** The first thread loads some 50, a worker some 35; as modules these would be 230 and 190. */
const FILE_LIMIT = 70;

const BUNDLE = pathToFileURL(join(root, 'dist/bundle/')).href;
const MODULES = pathToFileURL(join(root, 'dist/')).href;

/** An import in a file without needless white space. */
const IMPORT = /(?:(?:^|[;}])(?:import|export)(?:[\w*{},$ ]*from)?|[^.\w]import\()"([^"]+)"/gm;

interface Coverage {
  readonly result: readonly { readonly url: string }[];
}

test('bundle: a thread loads few files of the server, and none from outside of the bundle', async (t) => {
  const folder = tempFolder();
  t.after(() => folder.remove());
  const heimdall = await startHeimdall(
    `.:${await freePort()} {
    bind 127.0.0.1
    errors
    log
    prometheus 127.0.0.1:${await freePort()}
    cache
    dedupe
    forward . 127.0.0.1:${await freePort()}
}
`,
    { args: ['-workers', '1'], env: { NODE_V8_COVERAGE: folder.path } },
  );
  t.after(() => heimdall.stop());
  assert.equal(await heimdall.stop(), 0);
  // One report a thread.
  const threads = readdirSync(folder.path).map((name) => ownFiles(join(folder.path, name)));
  assert.equal(threads.length, 2);
  for (const files of threads) {
    assert.deepEqual(
      files.filter((url) => !url.startsWith(BUNDLE)),
      [],
    );
    assert.ok(files.length > 0 && files.length <= FILE_LIMIT, `${files.length} files`);
  }
});

test('bundle: imports nothing that is not installed with it, and has the licences of what is inside', () => {
  const { dependencies, optionalDependencies } = JSON.parse(
    readFileSync(join(root, 'package.json'), 'utf8'),
  );
  const installed = new Set(Object.keys({ ...dependencies, ...optionalDependencies }));
  const folder = join(root, 'dist/bundle');
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  const imported = files
    .filter((file) => file.endsWith('.js'))
    .flatMap((file) => [...readFileSync(join(folder, file), 'utf8').matchAll(IMPORT)])
    .map(([, module]) => module as string)
    .filter((module) => !module.startsWith('node:'));
  assert.ok(imported.includes('undici'));
  assert.deepEqual(
    imported.filter((module) => !module.startsWith('.') && !installed.has(module)),
    [],
  );
  const licences = readFileSync(join(folder, 'LICENSES'), 'utf8');
  assert.match(licences, /^reflect-metadata\n\nApache License/m);
  assert.match(licences, /^tsyringe\n\n\s+MIT License/m);
});

function ownFiles(report: string): readonly string[] {
  const { result } = JSON.parse(readFileSync(report, 'utf8')) as Coverage;
  return result.map(({ url }) => url).filter((url) => url.startsWith(MODULES));
}
