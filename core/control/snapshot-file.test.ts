import assert from 'node:assert/strict';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Child } from '../../test/lib/child.js';
import { NUMBERED_WORDS, numbered } from '../../test/lib/numbered-section.js';
import { tempFolder } from '../../test/lib/temp-folder.js';
import { loadSnapshot, type SnapshotSection, saveSnapshot } from './snapshot-file.js';

function fileOf(t: TestContext): string {
  const folder = tempFolder();
  t.after(() => folder.remove());
  return join(folder.path, 'snapshot');
}

/** Writes these texts, a piece each, and keeps what it reads. */
function texts(name: string, ...pieces: string[]): SnapshotSection & { readonly got: string[] } {
  const got: string[] = [];
  return {
    name,
    got,
    write: () => pieces.map((piece) => Buffer.from(piece)),
    read: (piece, ageMs) => void got.push(`${ageMs} ${Buffer.from(piece).toString()}`),
  };
}

function unexpected(section: string, error: unknown): void {
  assert.fail(`${section}: ${String(error)}`);
}

test('snapshot: every section gets its pieces back, with their age', async (t) => {
  const path = fileOf(t);
  const empty = texts('empty');
  const bytes = await saveSnapshot(
    path,
    [texts('one', 'a', '', 'bc'), empty, texts('two', 'd')],
    () => 5000,
  );
  assert.equal(bytes, statSync(path).size);
  const [one, two] = [texts('one'), texts('two')];
  const load = await loadSnapshot(path, [two, one, empty], unexpected, () => 7500);
  assert.deepEqual(load, { outcome: 'loaded', bytes, ageMs: 2500 });
  assert.deepEqual(one.got, ['2500 a', '2500 ', '2500 bc']);
  assert.deepEqual(two.got, ['2500 d']);
  assert.deepEqual(empty.got, []);
});

test('snapshot: ages are as of when a section began, and go on while pieces are read', async (t) => {
  const path = fileOf(t);
  let wall = 1000;
  const clock = (): number => {
    wall += 100;
    return wall;
  };
  let begunMs = 0;
  const section = texts('one');
  const write = function* (): Iterable<Uint8Array> {
    begunMs = wall;
    for (const piece of ['a', 'b', 'c']) yield Buffer.from(piece);
  };
  await saveSnapshot(path, [{ ...section, write }], clock);
  const load = await loadSnapshot(path, [section], unexpected, clock);
  const ages = section.got.map((text) => Number(text.split(' ')[0]) + begunMs);
  assert.equal(load.outcome, 'loaded');
  assert.deepEqual(ages, [wall - 200, wall - 100, wall]);
});

test('snapshot: sections that nobody knows any more are passed over', async (t) => {
  const path = fileOf(t);
  await saveSnapshot(path, [texts('gone', 'x'), texts('kept', 'y')], () => 0);
  const kept = texts('kept');
  await loadSnapshot(path, [texts('new'), kept], unexpected, () => 0);
  assert.deepEqual(kept.got, ['0 y']);
});

test('snapshot: pieces longer than what is read at once come whole, at offset 0', async (t) => {
  const path = fileOf(t);
  const piece = new Uint8Array(1_000_000).fill(7);
  let got: Uint8Array | undefined;
  const section: SnapshotSection = {
    name: 'long',
    async *write() {
      yield piece;
      yield piece.subarray(0, 4);
    },
    read: (bytes) => {
      assert.equal(bytes.byteOffset, 0);
      got ??= new Uint8Array(bytes);
    },
  };
  await saveSnapshot(path, [section]);
  await loadSnapshot(path, [section], unexpected);
  assert.deepEqual(got, piece);
});

test('snapshot: a section that cannot take what it wrote does not harm the others', async (t) => {
  const path = fileOf(t);
  const bad: SnapshotSection = {
    ...texts('bad', 'x', 'y'),
    read: () => {
      throw new Error('deliberate');
    },
  };
  const good = texts('good', 'z');
  await saveSnapshot(path, [bad, good], () => 0);
  const faults: string[] = [];
  await loadSnapshot(
    path,
    [bad, good],
    (name, error) => void faults.push(`${name}: ${error}`),
    () => 0,
  );
  assert.deepEqual(faults, ['bad: Error: deliberate']);
  assert.deepEqual(good.got, ['0 z']);
});

test('snapshot: a clock that was put back a little is nothing, more makes the age unknown', async (t) => {
  const path = fileOf(t);
  const section = texts('one', 'a');
  await saveSnapshot(path, [section], () => 1_000_000);
  await loadSnapshot(path, [section], unexpected, () => 999_000);
  assert.deepEqual(section.got, ['0 a']);
  const load = await loadSnapshot(path, [section], unexpected, () => 900_000);
  assert.deepEqual(load, { outcome: 'ignored', reason: 'it is from the future' });
});

// Files that are no good

async function sample(t: TestContext): Promise<{ path: string; bytes: Buffer }> {
  const path = fileOf(t);
  await saveSnapshot(path, [texts('one', 'abc', 'defg'), texts('two', 'h')], () => 0);
  return { path, bytes: readFileSync(path) };
}

/** What becomes of these bytes; nothing of them may reach a section unless all are good. */
async function loadOf(path: string, bytes: Uint8Array): Promise<string> {
  writeFileSync(path, bytes);
  const sections = [texts('one'), texts('two')];
  const load = await loadSnapshot(path, sections, unexpected, () => 0);
  if (load.outcome !== 'loaded') assert.deepEqual(sections[0]?.got, []);
  return load.outcome === 'ignored' ? load.reason : load.outcome;
}

test('snapshot: cut off anywhere it is ignored', async (t) => {
  const { path, bytes } = await sample(t);
  for (let length = 0; length < bytes.length; length++) {
    const outcome = await loadOf(path, bytes.subarray(0, length));
    assert.equal(outcome, 'it is cut off', `${length} bytes`);
  }
  assert.equal(await loadOf(path, bytes), 'loaded');
});

test('snapshot: with any bit changed it is ignored', async (t) => {
  const { path, bytes } = await sample(t);
  for (let at = 0; at < bytes.length; at++) {
    const damaged = Buffer.from(bytes);
    damaged[at] = (damaged[at] as number) ^ (1 << (at & 7));
    const outcome = await loadOf(path, damaged);
    assert.match(outcome, /^it (is|has) /, `byte ${at}`);
  }
});

test('snapshot: with something behind its end, or empty, it is ignored', async (t) => {
  const { path, bytes } = await sample(t);
  assert.equal(await loadOf(path, Buffer.concat([bytes, Buffer.from('x')])), 'it is cut off');
  assert.equal(await loadOf(path, Buffer.concat([bytes, bytes])), 'it is damaged');
  assert.equal(
    await loadOf(path, Buffer.from('{"json": true}'.repeat(20))),
    'it is not a snapshot',
  );
});

test('snapshot: another version is ignored and named', async (t) => {
  const { path, bytes } = await sample(t);
  bytes.writeUInt32LE(2, 8);
  assert.equal(await loadOf(path, bytes), 'it has version 2, want 1');
});

test('snapshot: one that others may write to is not believed', async (t) => {
  const { path } = await sample(t);
  const refused = { outcome: 'ignored', reason: 'others may write to it' };
  chmodSync(path, 0o620);
  assert.deepEqual(await loadSnapshot(path, [], unexpected), refused);
  chmodSync(path, 0o602);
  assert.deepEqual(await loadSnapshot(path, [], unexpected), refused);
  chmodSync(path, 0o600);
  if (process.getuid?.() !== 0) return;
  chownSync(path, 12345, 12345);
  assert.deepEqual(await loadSnapshot(path, [], unexpected), refused);
});

test('snapshot: no file is nothing to speak of, an unreadable one is', async (t) => {
  const path = fileOf(t);
  assert.deepEqual(await loadSnapshot(path, [], unexpected), { outcome: 'absent' });
  mkdirSync(path);
  assert.deepEqual(await loadSnapshot(path, [], unexpected), {
    outcome: 'ignored',
    reason: 'EISDIR',
  });
});

// Writing

test('snapshot: only the owner may read it, and nothing is left beside it', async (t) => {
  const path = fileOf(t);
  await saveSnapshot(path, [texts('one', 'a')]);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.deepEqual(readdirSync(join(path, '..')), ['snapshot']);
});

test('snapshot: what lies where it is written aside is not followed', async (t) => {
  const path = fileOf(t);
  const other = join(path, '..', 'other');
  writeFileSync(other, 'precious');
  symlinkSync(other, `${path}.tmp`);
  await saveSnapshot(path, [texts('one', 'a')]);
  assert.equal(readFileSync(other, 'utf8'), 'precious');
  assert.equal(statSync(path).isFile(), true);
});

test('snapshot: a section that fails leaves the file that was there', async (t) => {
  const path = fileOf(t);
  await saveSnapshot(path, [texts('one', 'before')], () => 0);
  const failing: SnapshotSection = {
    ...texts('one'),
    *write() {
      yield Buffer.from('after');
      throw new Error('deliberate');
    },
  };
  await assert.rejects(saveSnapshot(path, [failing]), {
    message: `cannot write ${path}: deliberate`,
  });
  const section = texts('one');
  await loadSnapshot(path, [section], unexpected, () => 0);
  assert.deepEqual(section.got, ['0 before']);
  assert.equal(existsSync(`${path}.tmp`), false);
});

test('snapshot: a folder that is missing is named as the reason', async (t) => {
  const path = join(fileOf(t), 'snapshot');
  await assert.rejects(saveSnapshot(path, []), {
    message: `cannot write ${path}: its folder is not there (ENOENT)`,
  });
});

test('snapshot: two that write one file do not make one of both', async (t) => {
  const path = fileOf(t);
  let resume = (): void => {};
  const paused = new Promise<void>((resolve) => {
    resume = resolve;
  });
  const slow: SnapshotSection = {
    ...texts('one'),
    async *write() {
      yield Buffer.from('slow');
      await paused;
    },
  };
  const first = saveSnapshot(path, [slow], () => 0);
  while (!existsSync(`${path}.tmp`)) await new Promise((resolve) => setImmediate(resolve));
  const second = saveSnapshot(path, [texts('one', 'fast')], () => 0);
  await second;
  resume();
  await assert.rejects(first);
  const section = texts('one');
  await loadSnapshot(path, [section], unexpected, () => 0);
  assert.deepEqual(section.got, ['0 fast']);
});

test('snapshot: other work is done while it is written and read', async (t) => {
  const path = fileOf(t);
  let turns = 0;
  let counts = true;
  const turn = (): void => {
    turns++;
    if (counts) setImmediate(turn);
  };
  turn();
  const seen: number[] = [];
  const section: SnapshotSection = {
    name: 'one',
    *write() {
      for (let i = 0; i < 50; i++) {
        seen.push(turns);
        yield new Uint8Array(1000);
      }
    },
    read: () => void seen.push(turns),
  };
  await saveSnapshot(path, [section]);
  await loadSnapshot(path, [section], unexpected);
  counts = false;
  assert.equal(seen.length, 100);
  assert.equal(new Set(seen).size, 100);
});

test('snapshot: a kill at any moment leaves one that is whole', async (t) => {
  const path = fileOf(t);
  chmodSync(join(path, '..'), 0o700);
  const writer = fileURLToPath(new URL('../../test/lib/snapshot-writer.js', import.meta.url));
  for (let round = 0; round < 8; round++) {
    const child = await Child.start({
      command: [process.execPath, writer, path],
      ready: /writing/,
    });
    // At another place of another snapshot each time.
    await new Promise((resolve) => setTimeout(resolve, round * 3));
    await child.kill();
    const [first, second] = [numbered('first'), numbered('second')];
    const load = await loadSnapshot(path, [first, second], unexpected);
    assert.equal(load.outcome, 'loaded');
    assert.deepEqual([first.words, second.words], [NUMBERED_WORDS, NUMBERED_WORDS]);
    assert.equal(first.numbers.size, 1);
    assert.deepEqual(first.numbers, second.numbers);
  }
});
