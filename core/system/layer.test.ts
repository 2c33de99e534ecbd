import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { createSocketLayer, describeIo, isBatchedIo } from './layer.js';

test('HEIMDALL_IO=dgram turns system calls off and the description says so', () => {
  assert.deepEqual(layerIn(new URL('./layer.js', import.meta.url), 'dgram'), [
    false,
    'plain dgram (HEIMDALL_IO=dgram is set)',
    'ERR_NO_LIBC no system calls: HEIMDALL_IO=dgram is set',
  ]);
});

test('without koffi the server runs on plain dgram', {
  skip: isBatchedIo() ? false : 'not here',
}, (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'heimdall-layer-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const core = fileURLToPath(new URL('..', import.meta.url));
  for (const part of ['places.js', 'simd', 'system', 'wire'])
    cpSync(join(core, part), join(folder, part), { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
  assert.deepEqual(layerIn(pathToFileURL(join(folder, 'system/layer.js'))), [
    false,
    'plain dgram (koffi is not installed)',
    'ERR_NO_LIBC no system calls: koffi is not installed',
  ]);
});

test('the best layer there is is taken, and described', async (t) => {
  const layer = createSocketLayer();
  t.after(() => layer.stop());
  assert.equal(layer.isBatched, isBatchedIo());
  const wanted = isBatchedIo()
    ? /^batched I\/O \(recvmmsg, koffi [\d.]+\)$/
    : /^plain dgram \(.+\)$/;
  assert.match(describeIo(), wanted);
});

/** What a process that takes its layer from `file` says: whether it is batched, its description, the error when batches are forced. */
function layerIn(file: URL, io = ''): unknown {
  const script = `
    const { createSocketLayer, describeIo } = await import(${JSON.stringify(file.href)});
    let error = '';
    try {
      createSocketLayer({ force: 'mmsg' });
    } catch (e) {
      error = e.code + ' ' + e.message;
    }
    const layer = createSocketLayer();
    console.log(JSON.stringify([layer.isBatched, describeIo(), error]));
    await layer.stop();
  `;
  const env = { ...process.env, HEIMDALL_IO: io };
  const args = ['--input-type=module', '-e', script];
  return JSON.parse(execFileSync(process.execPath, args, { env, encoding: 'utf8' }));
}
