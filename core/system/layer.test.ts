import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { createSocketLayer, describeIo, isBatchedIo } from './layer.js';

const script = `
  const { createSocketLayer, describeIo } = await import(${JSON.stringify(new URL('./layer.js', import.meta.url).href)});
  let error = '';
  try { createSocketLayer({ force: 'mmsg' }); } catch (e) { error = e.code + ' ' + e.message; }
  const layer = createSocketLayer();
  console.log(JSON.stringify([layer.isBatched, describeIo(), error]));
  await layer.stop();
`;

test('HEIMDALL_IO=dgram turns system calls off and the description says so', () => {
  const env = { ...process.env, HEIMDALL_IO: 'dgram' };
  const text = execFileSync(process.execPath, ['--input-type=module', '-e', script], { env });
  assert.deepEqual(JSON.parse(text.toString()), [
    false,
    'plain dgram (HEIMDALL_IO=dgram is set)',
    'ERR_NO_LIBC no system calls: HEIMDALL_IO=dgram is set',
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
