import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { without } from '../../test/lib/tools.js';
import { loadLibc } from './libc.js';
import { M_TRIM_THRESHOLD } from './linux.js';
import { V8_FLAGS } from './tuning.js';

const TUNING = fileURLToPath(new URL('./tuning.js', import.meta.url));

/** Runs a program in a process of its own; gives what it prints. */
function run(args: readonly string[], program: string): { stdout: string; stderr: string } {
  const all = [...args, '--input-type=module', '--eval', program];
  return spawnSync(process.execPath, all, { encoding: 'utf8' });
}

test('tuning: V8 knows every flag, given before or after its start', () => {
  const { stdout, stderr } = run(
    [],
    `import { tuneProcess } from '${TUNING}'; tuneProcess(); console.log('on');`,
  );
  assert.deepEqual({ stdout, stderr }, { stdout: 'on\n', stderr: '' });
  for (const flag of V8_FLAGS) assert.equal(run([flag], '').stderr, '');
});

test('tuning: the room for short-lived objects does not grow', () => {
  const program = (setUp: string): string => `${setUp}
    const kept = [];
    for (let i = 0; i < 2_000_000; i++) kept[i % 50_000] = { i };
    const { getHeapSpaceStatistics } = await import('node:v8');
    const young = getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space');
    console.log(young.space_size);`;
  const grown = Number(run([], program('')).stdout);
  const kept = Number(
    run([], program(`import { tuneProcess } from '${TUNING}'; tuneProcess();`)).stdout,
  );
  assert.ok(kept > 0 && kept < grown, `${kept} of ${grown} bytes`);
});

const FREE = `import { trimMemory } from '${TUNING}';
  let blocks = Array.from({ length: 20_000 }, () => new ArrayBuffer(2048));
  blocks = blocks.filter((_, i) => i % 20 === 0);
  gc();
  await new Promise((resolve) => setTimeout(resolve, 100));
  const held = process.memoryUsage().rss;
  trimMemory();
  console.log(held - process.memoryUsage().rss, blocks.length);`;

const result = loadLibc();
const mallopt = 'libc' in result ? result.libc.mallopt : undefined;
const glibc = mallopt === undefined ? without('needs glibc') : {};

test('tuning: glibc takes the threshold', glibc, () => {
  assert.equal(mallopt?.(M_TRIM_THRESHOLD, 128 * 1024), 1);
});

test('tuning: pages that are free between others are given back', glibc, () => {
  // 40 MB, of which pages with nothing else in them are left.
  const given = Number.parseInt(run(['--expose-gc'], FREE).stdout, 10);
  assert.ok(given > 5e6, `${given} bytes`);
});
