// Upstreams from files: read again when they change, however that is done.
import assert from 'node:assert/strict';
import { chmodSync, renameSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { LIMIT } from '../../test/lib/forward-rig.js';
import { type TempFolder, tempFolder } from '../../test/lib/temp-folder.js';
import { type WatchedForward, watchedForward } from '../../test/lib/watched-forward.js';

const ONE = 'nameserver 198.51.100.1\n';
const TWO = 'nameserver 198.51.100.2\n';

interface Scene {
  readonly folder: TempFolder;
  readonly path: string;
  readonly r: WatchedForward;
  /** Two looks: the first sees that something is new, the second that it stays so. */
  settle(): Promise<void>;
}

async function scene(t: TestContext, text = ONE, servers?: readonly string[]): Promise<Scene> {
  const folder = tempFolder();
  t.after(() => folder.remove());
  const path = folder.write('resolv.conf', text);
  const r = await watchedForward(t, `forward . ${path}`, servers && { servers });
  await r.start();
  return {
    folder,
    path,
    r,
    async settle() {
      await r.after(1_000);
      await r.after(1_000);
    },
  };
}

const replacements = [
  {
    how: 'written in place',
    replace: ({ path }: Scene) => writeFileSync(path, TWO),
  },
  {
    how: 'replaced by another one',
    replace: ({ folder, path }: Scene) => renameSync(folder.write('new', TWO), path),
  },
  {
    how: 'removed and made again',
    replace: ({ path }: Scene) => {
      rmSync(path);
      writeFileSync(path, TWO);
    },
  },
];
for (const { how, replace } of replacements) {
  test(`files: one that is ${how} is read again`, LIMIT, async (t) => {
    const s = await scene(t);
    replace(s);
    await s.settle();
    assert.deepEqual(s.r.upstreams, ['198.51.100.2 53']);
    assert.equal(s.r.raised, 1);
    assert.equal(
      s.r.services.lines.at(-1),
      'info upstreams for ".": added 198.51.100.2:53; removed 198.51.100.1:53',
    );
    // And again, which tells that it is the name that is watched.
    renameSync(s.folder.write('newer', ONE), s.path);
    await s.settle();
    assert.deepEqual(s.r.upstreams, ['198.51.100.1 53']);
  });
}

test(
  'files: a link that is turned to another file, or whose file changes, is read again',
  LIMIT,
  async (t) => {
    const folder = tempFolder();
    t.after(() => folder.remove());
    const path = join(folder.path, 'resolv.conf');
    const target = folder.write('one', ONE);
    symlinkSync(target, path);
    const r = await watchedForward(t, `forward . ${path}`);
    symlinkSync(folder.write('two', TWO), join(folder.path, 'link'));
    renameSync(join(folder.path, 'link'), path);
    await r.after(1_000);
    await r.after(1_000);
    assert.deepEqual(r.upstreams, ['198.51.100.2 53']);
    folder.write('two', `${TWO}nameserver 198.51.100.3\n`);
    await r.after(1_000);
    await r.after(1_000);
    assert.deepEqual(r.upstreams, ['198.51.100.2 53', '198.51.100.3 53']);
  },
);

test('files: one that is being written is left until it stays as it is', LIMIT, async (t) => {
  const s = await scene(t);
  writeFileSync(s.path, 'nameserver 198.51.100.2');
  await s.r.after(1_000);
  assert.deepEqual(s.r.upstreams, ['198.51.100.1 53']);
  writeFileSync(s.path, 'nameserver 198.51.100.22\n');
  await s.r.after(1_000);
  assert.deepEqual(s.r.upstreams, ['198.51.100.1 53']);
  await s.r.after(1_000);
  assert.deepEqual(s.r.upstreams, ['198.51.100.22 53']);
  assert.equal(s.r.raised, 1);
});

const useless = [
  {
    how: 'truncated',
    spoil: (path: string) => truncateSync(path),
    line: /"\S+" names no nameserver; those that it named last stay/,
  },
  {
    how: 'without a nameserver',
    spoil: (path: string) => writeFileSync(path, 'search example.org\n'),
    line: /"\S+" names no nameserver; those that it named last stay/,
  },
  {
    how: 'removed',
    spoil: (path: string) => rmSync(path),
    line: /cannot read "\S+": ENOENT.*; those that it named last stay/,
  },
  {
    how: 'a folder',
    spoil: (path: string) => {
      rmSync(path);
      symlinkSync('/', path);
    },
    line: /cannot read "\S+": EISDIR.*; those that it named last stay/,
  },
];
for (const { how, spoil, line } of useless) {
  test(
    `files: of one that is ${how} the last nameservers stay, which is said once`,
    LIMIT,
    async (t) => {
      const s = await scene(t);
      spoil(s.path);
      await s.settle();
      await s.settle();
      assert.deepEqual(s.r.upstreams, ['198.51.100.1 53']);
      const warnings = s.r.services.lines.filter((text) => text.startsWith('warning'));
      assert.equal(warnings.length, 1);
      assert.match(warnings[0] ?? '', line);
      assert.equal(s.r.raised, 0);
      rmSync(s.path, { force: true });
      writeFileSync(s.path, TWO);
      await s.settle();
      assert.deepEqual(s.r.upstreams, ['198.51.100.2 53']);
      assert.ok(s.r.services.lines.some((text) => /names nameservers again$/.test(text)));
    },
  );
}

test('files: one that was only touched is no change', LIMIT, async (t) => {
  const s = await scene(t);
  chmodSync(s.path, 0o600);
  writeFileSync(s.path, ONE);
  await s.settle();
  assert.equal(s.r.raised, 0);
});

test('files: another order is a change', LIMIT, async (t) => {
  const s = await scene(t, ONE + TWO);
  writeFileSync(s.path, TWO + ONE);
  await s.settle();
  assert.deepEqual(s.r.upstreams, ['198.51.100.2 53', '198.51.100.1 53']);
  assert.equal(s.r.services.lines.at(-1), 'info upstreams for ".": the same in another order');
});

test('files: this server itself is left out as long as others are there', LIMIT, async (t) => {
  const s = await scene(t, `nameserver 127.0.0.1\n${ONE}`, ['dns://127.0.0.1:53']);
  assert.deepEqual(s.r.upstreams, ['198.51.100.1 53']);
  writeFileSync(s.path, 'nameserver 127.0.0.1\n');
  await s.settle();
  await s.settle();
  assert.deepEqual(s.r.upstreams, ['198.51.100.1 53']);
  const said = s.r.services.lines.filter((line) => line.includes('no upstream is left'));
  assert.equal(said.length, 1);
  assert.match(
    said[0] ?? '',
    /127\.0\.0\.1:53 of "\S+" is this server itself.*; the last ones stay$/,
  );
});

test('files: one that names nobody but this server stops the start', LIMIT, async (t) => {
  await assert.rejects(
    scene(t, 'nameserver 127.0.0.1\n', ['dns://:53']),
    /^Error: no upstream is left: 127\.0\.0\.1:53 of "\S+" is this server itself, want addresses of others; .*\/run\/systemd\/resolve\/resolv\.conf has them$/,
  );
});
