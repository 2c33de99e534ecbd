// The examples of the authoring guide: they compile under strict rules, their test passes, and a server runs them.
import assert from 'node:assert/strict';
import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { run } from '../lib/child.js';
import { ask, type Got } from '../lib/client.js';
import { startHeimdall } from '../lib/heimdall.js';
import { freePort } from '../lib/ports.js';
import { fencesOf, root } from '../lib/repository.js';
import { tempFolder } from '../lib/temp-folder.js';

const GUIDE = 'plugins/README.md';

/** The examples that are whole files, by the name in their first line. */
const files = Object.fromEntries(
  fencesOf(GUIDE, 'ts').flatMap(({ text }) => {
    const name = /^\/\/ (\S+\.ts)\n/.exec(text)?.[1];
    return name === undefined ? [] : [[name, text]];
  }),
);

/** Compiled where the author's package would be: with the server and Node's types installed beside it. */
test('authoring guide: the examples compile and their test passes', async (t) => {
  const folder = tempFolder();
  t.after(() => folder.remove());
  for (const [name, text] of Object.entries(files)) folder.write(name, text);
  folder.write('package.json', '{ "name": "detour", "type": "module" }');
  folder.write(
    'tsconfig.json',
    JSON.stringify({
      extends: join(root, 'tsconfig.json'),
      compilerOptions: { rootDir: '.', outDir: 'out', incremental: false, noEmitOnError: true },
      include: ['*.ts'],
    }),
  );
  const modules = join(folder.path, 'node_modules');
  mkdirSync(modules);
  symlinkSync(root, join(modules, 'heimdall'));
  symlinkSync(join(root, 'node_modules/@types'), join(modules, '@types'));
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  const compiled = await run([process.execPath, tsc, '-p', folder.path], { cwd: folder.path });
  assert.equal(compiled.code, 0, compiled.stdout + compiled.stderr);
  const { code, stdout, stderr } = await run(
    [process.execPath, '--test-reporter=tap', 'out/detour.test.js'],
    // Without this it would report to the runner of this file.
    { cwd: folder.path, env: { NODE_TEST_CONTEXT: '' } },
  );
  assert.equal(code, 0, stdout + stderr);
  assert.match(stdout, /^# pass 2$/m);
});

test('authoring guide: a server runs the example from its source', async (t) => {
  const [port, http] = [await freePort(), await freePort()];
  const example = fencesOf(GUIDE, 'text').find(({ text }) => text.startsWith('plugin ./detour.ts'));
  const corefile = (example?.text ?? '').replace(':1053', `:${port}`).replace(':9153', `:${http}`);
  const heimdall = await startHeimdall(corefile, { files, args: ['-workers', '1'] });
  t.after(() => heimdall.stop());
  const detoured = await ask(port, 'www.example.net', 'AAAA');
  assert.deepEqual(addressesOf(detoured), ['2001:db8::80']);
  const other = await ask(port, 'www.example.com', 'A');
  assert.deepEqual(addressesOf(other), []);
  const metrics = await (await fetch(`http://127.0.0.1:${http}/metrics`)).text();
  assert.match(metrics, /^coredns_detour_answered_total 1$/m);
});

function addressesOf({ message }: Got): readonly unknown[] {
  return message.answers?.map((rr) => 'data' in rr && rr.data) ?? [];
}
