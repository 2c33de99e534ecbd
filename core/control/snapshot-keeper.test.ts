import assert from 'node:assert/strict';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { tempFolder } from '../../test/lib/temp-folder.js';
import { fakeServices } from '../testing/services.js';
import type { SnapshotSection } from './snapshot-file.js';
import { SnapshotKeeper, type SnapshotSaved } from './snapshot-keeper.js';

/** Keeps one text. */
class Note implements SnapshotSection {
  readonly name = 'note';
  text: string;
  written = 0;

  constructor(text = '') {
    this.text = text;
  }

  *write(): Generator<Uint8Array> {
    this.written++;
    yield Buffer.from(this.text);
  }

  read(piece: Uint8Array): void {
    if (piece.length === 0) throw new Error('it is empty');
    this.text = Buffer.from(piece).toString();
  }
}

function keeper(t: TestContext, note: Note, intervalMs = 0, path?: string) {
  const folder = tempFolder();
  t.after(() => folder.remove());
  const { log, lines } = fakeServices();
  const saved: SnapshotSaved[] = [];
  let failed = 0;
  const file = path ?? join(folder.path, 'snapshot');
  return {
    file,
    folder: folder.path,
    lines,
    saved,
    failed: () => failed,
    keeper: new SnapshotKeeper({
      path: file,
      owner: 'test',
      intervalMs,
      sections: [note],
      log,
      onSaved: (one) => void saved.push(one),
      onFailed: () => void failed++,
    }),
  };
}

test('snapshot keeper: what one process keeps at its stop the next one has', async (t) => {
  const before = keeper(t, new Note('learned'));
  assert.equal((await before.keeper.load()).outcome, 'absent');
  before.keeper.start();
  await before.keeper.stop();
  assert.equal(before.saved.length, 1);
  assert.ok((before.saved[0]?.bytes ?? 0) > 0);
  const note = new Note();
  const after = keeper(t, note, 0, before.file);
  assert.equal((await after.keeper.load()).outcome, 'loaded');
  assert.equal(note.text, 'learned');
  assert.deepEqual([...before.lines, ...after.lines], []);
});

test('snapshot keeper: it writes at intervals, and not after the stop', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const note = new Note('x');
  const { keeper: own, saved } = keeper(t, note, 1000);
  await own.load();
  own.start();
  for (let i = 1; i <= 3; i++) {
    t.mock.timers.tick(999);
    assert.equal(note.written, i - 1);
    t.mock.timers.tick(1);
    await own.save();
    assert.equal(note.written, i);
  }
  await own.stop();
  assert.equal(saved.length, 4);
  t.mock.timers.tick(10_000);
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(note.written, 4);
});

test('snapshot keeper: one is written at a time, and the last state is what is kept', async (t) => {
  const note = new Note('first');
  const { keeper: own, file } = keeper(t, note);
  const under = own.save();
  assert.equal(own.save(), under);
  while (note.written === 0) await new Promise((resolve) => setImmediate(resolve));
  note.text = 'last';
  await own.stop();
  assert.equal(note.written, 2);
  const read = new Note();
  await keeper(t, read, 0, file).keeper.load();
  assert.equal(read.text, 'last');
});

test('snapshot keeper: nothing is written before everything is read', async (t) => {
  const first = keeper(t, new Note('kept'));
  await first.keeper.stop();
  const note = new Note('');
  const second = keeper(t, note, 0, first.file);
  const loading = second.keeper.load();
  await second.keeper.stop();
  await loading;
  assert.equal(note.text, 'kept');
  const third = new Note();
  await keeper(t, third, 0, first.file).keeper.load();
  assert.equal(third.text, 'kept');
});

test('snapshot keeper: a file that is no good is reported and replaced', async (t) => {
  const note = new Note('new');
  const { keeper: own, file, lines } = keeper(t, note);
  writeFileSync(file, 'nonsense');
  assert.equal((await own.load()).outcome, 'ignored');
  assert.deepEqual(lines, [`warning snapshot ${file} is ignored: it is not a snapshot`]);
  await own.stop();
  assert.equal((await keeper(t, new Note(), 0, file).keeper.load()).outcome, 'loaded');
});

test('snapshot keeper: a section that refuses what is kept is reported', async (t) => {
  const { keeper: own, file } = keeper(t, new Note(''));
  await own.stop();
  const after = keeper(t, new Note(), 0, file);
  await after.keeper.load();
  assert.deepEqual(after.lines, [`warning note of the snapshot ${file} is not taken: it is empty`]);
});

test('snapshot keeper: a folder that is missing is warned of at the start, failures are logged once', async (t) => {
  const { keeper: own, folder, lines, failed, saved } = keeper(t, new Note('x'));
  rmSync(folder, { recursive: true });
  await own.load();
  await own.save();
  await own.stop();
  assert.deepEqual(lines, [
    `warning no snapshot can be written to ${folder}: ENOENT`,
    `error snapshot: cannot write ${join(folder, 'snapshot')}: its folder is not there (ENOENT)`,
  ]);
  assert.equal(failed(), 2);
  assert.deepEqual(saved, []);
  assert.equal(existsSync(folder), false);
});

test('snapshot keeper: a file belongs to one owner at a time', async (t) => {
  const { keeper: first, file, lines } = keeper(t, new Note('x'));
  const { log } = fakeServices();
  const options = { path: file, intervalMs: 0, sections: [], log };
  assert.throws(() => new SnapshotKeeper({ ...options, owner: 'cache of b' }), {
    message: `${file} is written for test, want another file for cache of b`,
  });
  const heir = new SnapshotKeeper({ ...options, owner: 'test' });
  await first.stop();
  assert.throws(() => new SnapshotKeeper({ ...options, owner: 'cache of b' }));
  await heir.stop();
  await new SnapshotKeeper({ ...options, owner: 'cache of b' }).stop();
  assert.deepEqual(lines, []);
});
