import assert from 'node:assert/strict';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { tempFolder } from '../../test/lib/temp-folder.js';
import { allocateCells, loadCell } from '../memory/cells.js';
import { createLogger } from './lines.js';
import { StandardOutput } from './output.js';
import { MAX_POSTED_CHARS, PostedOutput, taken } from './posted-output.js';

function logged(plugin: string, isDebug: boolean): string[] {
  const lines: string[] = [];
  const log = createLogger({ write: (line) => lines.push(line) }, plugin, isDebug);
  log.debug('d');
  log.info('i');
  log.warning('w');
  log.error('e');
  log.line('l');
  return lines;
}

test('lines: level and plugin stand in front, debug only when asked for', () => {
  assert.deepEqual(logged('cache', false), [
    '[INFO] plugin/cache: i\n',
    '[WARNING] plugin/cache: w\n',
    '[ERROR] plugin/cache: e\n',
    '[INFO] l\n',
  ]);
  assert.equal(logged('cache', true)[0], '[DEBUG] plugin/cache: d\n');
  assert.equal(logged('', false)[0], '[INFO] i\n');
});

test('standard output: everything written is out when it is closed', async (t) => {
  const folder = tempFolder();
  t.after(() => folder.remove());
  const path = join(folder.path, 'out');
  const fd = openSync(path, 'w');
  const output = new StandardOutput(fd);
  const line = `${'x'.repeat(99)}\n`;
  for (let i = 0; i < 1_000; i++) output.write(line);
  await output.close();
  assert.equal(readFileSync(path, 'utf8'), line.repeat(1_000));
});

test('standard output: what a slow reader leaves is dropped and counted', async (t) => {
  const folder = tempFolder();
  t.after(() => folder.remove());
  const output = new StandardOutput(openSync(join(folder.path, 'out'), 'w'));
  let dropped = 0;
  output.dropped = {
    inc: (n = 1) => {
      dropped += n;
    },
  };
  // Nothing is written before this turn of the event loop ends.
  const line = `${'x'.repeat(999)}\n`.repeat(10);
  for (let i = 0; i < 1_000; i++) output.write(line);
  await output.close();
  const written = readFileSync(join(folder.path, 'out'), 'utf8').split('\n').length - 1;
  assert.ok(dropped > 0);
  assert.equal(written + dropped, 10_000);
});

test('standard output: a reader that is gone ends nothing', async (t) => {
  const folder = tempFolder();
  t.after(() => folder.remove());
  const fd = openSync(join(folder.path, 'out'), 'w');
  closeSync(fd);
  const output = new StandardOutput(fd);
  output.write('lost\n');
  await output.close();
});

test('posted output: lines of a turn are posted as one text', async () => {
  const posted: string[] = [];
  const output = new PostedOutput(allocateCells(1), (text) => posted.push(text));
  output.write('a\n');
  output.write('b\n');
  assert.deepEqual(posted, []);
  await new Promise(setImmediate);
  output.write('c\n');
  output.flush();
  assert.deepEqual(posted, ['a\nb\n', 'c\n']);
});

test('posted output: what the main thread has not taken bounds what is posted', () => {
  const underWay = allocateCells(1);
  const posted: string[] = [];
  const output = new PostedOutput(underWay, (text) => posted.push(text));
  let dropped = 0;
  output.dropped = { inc: () => dropped++ };
  const line = `${'x'.repeat(1023)}\n`;
  for (let i = 0; i < MAX_POSTED_CHARS / 1024 + 5; i++) {
    output.write(line);
    output.flush();
  }
  assert.equal(dropped, 5);
  assert.equal(loadCell(underWay, 0), MAX_POSTED_CHARS);
  for (const text of posted) taken(underWay, text);
  assert.equal(loadCell(underWay, 0), 0);
  output.write(line);
  assert.equal(dropped, 5);
});
