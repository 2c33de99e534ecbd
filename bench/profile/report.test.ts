import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { ask } from '../../test/lib/client.js';
import { startHeimdall } from '../../test/lib/heimdall.js';
import { freePort } from '../../test/lib/ports.js';
import { tempFolder } from '../../test/lib/temp-folder.js';
import {
  bytesByFunction,
  bytesIn,
  type CpuProfile,
  type HeapProfile,
  timeByFunction,
} from './report.js';

/** Queries for a profile to be of. */
const ASKED = 50;

const frame = (functionName: string, url = '', lineNumber = 0) => ({
  functionName,
  url,
  lineNumber,
});
const accept = frame('accept', 'file:///srv/heimdall/dist/core/wire/accept.js', 22);

test('profile: time is of what was sampled, without idling, the most first', () => {
  const profile = {
    nodes: [
      { id: 1, callFrame: frame('(idle)') },
      { id: 2, callFrame: frame('') },
      { id: 3, callFrame: accept },
      { id: 7, callFrame: accept },
    ],
    samples: [1, 2, 3, 7, 1],
    timeDeltas: [900, 100, 100, 200, 900],
  };
  assert.deepEqual(timeByFunction(profile), [
    { where: 'accept core/wire/accept.js:23', share: 0.75 },
    { where: '(anonymous)', share: 0.25 },
  ]);
});

test('profile: bytes are of all callers of a function together', () => {
  const leaf = (selfSize: number) => ({ callFrame: accept, selfSize, children: [] });
  const other = { callFrame: frame('other'), selfSize: 100, children: [leaf(200)] };
  const head = { callFrame: frame('(root)'), selfSize: 0, children: [leaf(100), other] };
  assert.equal(bytesIn({ head }), 400);
  assert.deepEqual(bytesByFunction({ head }), [
    { where: 'accept core/wire/accept.js:23', share: 0.75 },
    { where: 'other', share: 0.25 },
  ]);
});

test('profile: a worker that stops leaves both profiles, as the tools read them', async (t) => {
  const folder = tempFolder();
  t.after(() => folder.remove());
  const port = await freePort();
  const profiler = fileURLToPath(new URL('../lib/worker-profiler.js', import.meta.url));
  // As the benchmark does.
  const main = fileURLToPath(new URL('../../core/main.js', import.meta.url));
  const heimdall = await startHeimdall(
    `plugin ${profiler}
.:${port} {
    bind 127.0.0.1
    profiler "${folder.path}"
    whoami
}
`,
    { main, args: ['-workers', '1'] },
  );
  t.after(() => heimdall.stop());
  for (let i = 0; i < ASKED; i++) await ask(port, `name${i}.example.org`, 'A');
  assert.equal(await heimdall.stop(), 0);

  const read = (name: string): unknown => JSON.parse(readFileSync(join(folder.path, name), 'utf8'));
  const cpu = read('worker.cpuprofile') as CpuProfile;
  const ids = new Set(cpu.nodes.map((node) => node.id));
  assert.ok(cpu.samples.length > 0);
  assert.equal(cpu.samples.length, cpu.timeDeltas.length);
  assert.deepEqual(
    cpu.samples.filter((id) => !ids.has(id)),
    [],
  );
  const heap = read('worker.heapprofile') as HeapProfile;
  assert.ok(bytesIn(heap) > 0);
  for (const shares of [timeByFunction(cpu), bytesByFunction(heap)]) {
    // Files are named from the root of the project.
    assert.ok(shares.some(({ where }) => / core\/\S+\.js:\d+$/.test(where)));
  }
});
