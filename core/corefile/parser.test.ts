// What whole files need and test/corefile/cases cannot say: real files, limits, options.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import type { FileReader } from './glob.js';
import { parseCorefile } from './parser.js';
import { formatProblems } from './problems.js';

function directory(t: TestContext, files: Readonly<Record<string, string>>): string {
  const path = mkdtempSync(join(tmpdir(), 'corefile-'));
  t.after(() => rmSync(path, { recursive: true }));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(path, name, '..'), { recursive: true });
    writeFileSync(join(path, name), text);
  }
  return path;
}

/** Files of this text, `count` of them in every directory. */
function manyFiles(text: string, count = 0): FileReader {
  const names = Array.from({ length: count }, (_, i) => `f${i}`);
  return { read: () => text, list: () => names, exists: () => true };
}

function problemsOf(text: string, files?: FileReader): string[] {
  const options = files === undefined ? { defaultPort: 53 } : { defaultPort: 53, files };
  return formatProblems(parseCorefile(text, 'Corefile', options).problems);
}

test('parser: imports real files, their tokens carry absolute paths', (t) => {
  const path = directory(t, {
    Corefile: '. {\n  import conf.d/*.conf\n}\n',
    'conf.d/b.conf': 'whoami',
    'conf.d/a.conf': '\ufefflog\n',
    'conf.d/sub/c.conf': 'errors\n',
  });
  const file = join(path, 'Corefile');
  const text = '. {\n  import conf.d/*.conf\n  import conf.d/s*\n  import conf.d/nosuch\n}\n';
  const { configuration, problems } = parseCorefile(text, file, { defaultPort: 53 });
  const names = configuration.blocks[0]?.directives.map(({ name }) => name);
  assert.deepEqual(names, [
    { text: 'log', file: join(path, 'conf.d/a.conf'), line: 1 },
    { text: 'whoami', file: join(path, 'conf.d/b.conf'), line: 1 },
  ]);
  assert.deepEqual(formatProblems(problems), [
    `${file}:3: import: "${join(path, 'conf.d/sub')}" is a directory, want a file`,
    `${file}:4: import: no snippet or file "conf.d/nosuch", want a snippet defined above or a file`,
  ]);
});

test('parser: a file that may not be read is told from a missing one', () => {
  const files: FileReader = {
    ...manyFiles(''),
    read: () => {
      throw Object.assign(new Error('no'), { code: 'EACCES' });
    },
  };
  assert.deepEqual(problemsOf('. {\n import /etc/shadow\n}', files), [
    'Corefile:2: import: cannot read "/etc/shadow": EACCES',
  ]);
  const broken = { ...files, read: () => assert.fail('odd') };
  assert.match(
    problemsOf('. {\n import x\n}', broken)[0] ?? '',
    /cannot read "x": AssertionError|ERR_/,
  );
});

test('parser: the environment is that of the process unless given', (t) => {
  process.env.COREFILE_TEST_ZONE = 'a.org';
  t.after(() => delete process.env.COREFILE_TEST_ZONE);
  const zoneOf = (env?: Record<string, string>) =>
    parseCorefile('{$COREFILE_TEST_ZONE} b.org {\n}', 'Corefile', {
      defaultPort: 53,
      ...(env && { env }),
    }).configuration.blocks[0]?.keys[0]?.zones[0];
  assert.equal(zoneOf(), 'a.org.');
  assert.equal(zoneOf({}), 'b.org.');
});

test('parser: known directives are checked when they are given', () => {
  const options = { defaultPort: 53, knownDirectives: ['log', 'cache'] };
  const { problems } = parseCorefile('. {\n  lgo\n  cache\n}\n', 'Corefile', options);
  assert.deepEqual(formatProblems(problems), [
    'Corefile:2: unknown directive "lgo", did you mean "log"?',
  ]);
});

test('parser: a plugin line by path is relative to its own file', (t) => {
  const path = directory(t, { 'conf/plugins': 'plugin ./c.js\n' });
  const text = 'plugin ./a.js\nplugin /opt/b.js\nplugin heimdall-x\nimport conf/plugins\n. {\n}\n';
  const { configuration } = parseCorefile(text, join(path, 'Corefile'), { defaultPort: 53 });
  const seen = configuration.plugins.map(({ specifier, directory }) => [specifier, directory]);
  assert.deepEqual(seen, [
    [pathToFileURL(join(path, 'a.js')).href, path],
    ['file:///opt/b.js', path],
    ['heimdall-x', path],
    [pathToFileURL(join(path, 'conf/c.js')).href, join(path, 'conf')],
  ]);
});

test('parser: snippets that multiply stop at a limit', () => {
  const levels = Array.from({ length: 6 }, (_, i) => {
    const body = i === 0 ? '  log\n' : `  import s${i - 1}\n`.repeat(10);
    return `(s${i}) {\n${body}}\n`;
  });
  assert.deepEqual(problemsOf(`${levels.join('')}. {\n  import s5\n}\n`), [
    'Corefile:14: import: more than 10000 imports of snippets',
  ]);
});

test('parser: tokens that multiply stop at a limit', () => {
  const text = `(s) {\n${'  log\n'.repeat(2000)}}\n. {\n${'  import s\n'.repeat(600)}}\n`;
  assert.match(
    problemsOf(text)[0] ?? '',
    /^Corefile:\d+: import: more than 1000000 tokens imported$/,
  );
});

test('parser: files that multiply stop at a limit', () => {
  assert.match(
    problemsOf('. {\n  import a/*\n}\n', manyFiles('', 100_001))[0] ?? '',
    /import: more than 100000 imports of files/,
  );
});

test('parser: a glob in a directory that does not exist matches nothing', () => {
  const { problems, warnings } = parseCorefile('. {\n  import /nosuch/*\n}', 'Corefile', {
    defaultPort: 53,
  });
  assert.deepEqual(problems, []);
  assert.deepEqual(formatProblems(warnings), ['Corefile:2: import: no file matches "/nosuch/*"']);
});

test('parser: the built-in configuration takes the default port', () => {
  const { configuration } = parseCorefile('# nothing', 'Corefile', { defaultPort: 1053 });
  const [block] = configuration.blocks;
  assert.deepEqual(block?.keys[0]?.port, 1053);
  assert.deepEqual(
    block?.directives.map(({ name }) => name.text),
    ['whoami', 'log'],
  );
});

test('parser: a broken file does not become the built-in configuration', () => {
  const { configuration, problems } = parseCorefile('}', 'Corefile', { defaultPort: 53 });
  assert.equal(configuration.blocks.length, 0);
  assert.equal(problems.length, 1);
});
