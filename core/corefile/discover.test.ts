// Which configuration is found, how each kind is read, and what is said of one that cannot be.
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type Loaded, loadConfiguration } from './discover.js';
import { formatProblems } from './problems.js';

const COREFILE = 'corefile.example { whoami }\n';
const JSON_TEXT = '{ "blocks": [{ "keys": "json.example", "directives": ["whoami"] }] }';
const YAML_TEXT = 'blocks:\n  - keys: [yaml.example]\n    directives: [whoami]\n';
const MODULE = `export default { blocks: [{ keys: 'module.example', directives: ['whoami'] }] };\n`;
const TYPESCRIPT = `import { defineConfig } from 'heimdall';
const zone: string = 'typescript.example';
export default defineConfig({ blocks: [{ keys: zone, directives: ['whoami'] }] });
`;

function directory(t: TestContext, files: Readonly<Record<string, string>>): string {
  const path = realpathSync(mkdtempSync(join(tmpdir(), 'discover-')));
  t.after(() => rmSync(path, { recursive: true }));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(path, name), text);
  return path;
}

/** The first zone that a configuration serves, or its problems without the directory. */
function outcome({ configuration, problems, path }: Loaded, base = ''): string {
  const text = formatProblems(problems).join('\n');
  if (text !== '') return text.replaceAll(`${base}/`, '');
  return `${configuration.blocks[0]?.keys[0]?.zones[0]}${path === undefined ? '' : ' from a file'}`;
}

const found: { name: string; files: Record<string, string>; want: string }[] = [
  {
    name: 'a Corefile comes first',
    files: { Corefile: COREFILE, 'heimdall.config.json': JSON_TEXT },
    want: 'corefile.example. from a file',
  },
  { name: 'JSON', files: { 'heimdall.config.json': JSON_TEXT }, want: 'json.example. from a file' },
  { name: 'YAML', files: { 'heimdall.config.yaml': YAML_TEXT }, want: 'yaml.example. from a file' },
  {
    name: 'a module',
    files: { 'heimdall.config.mjs': MODULE },
    want: 'module.example. from a file',
  },
  {
    name: 'TypeScript',
    files: { 'heimdall.config.ts': TYPESCRIPT, 'heimdall.config.mjs': MODULE },
    want: 'typescript.example. from a file',
  },
  {
    name: 'CommonJS',
    files: { 'heimdall.config.js': `module.exports = ${JSON_TEXT}` },
    want: 'json.example. from a file',
  },
  {
    name: 'an empty Corefile is the built-in configuration',
    files: { Corefile: '', 'heimdall.config.json': JSON_TEXT },
    want: '. from a file',
  },
  {
    name: 'nothing is the built-in configuration',
    files: { 'Corefile.example': COREFILE },
    want: '.',
  },
];

for (const { name, files, want } of found) {
  test(`discover: ${name}`, async (t) => {
    const loaded = await loadConfiguration({ defaultPort: 53, directory: directory(t, files) });
    assert.equal(outcome(loaded), want);
  });
}

test('discover: a Corefile that cannot be read is not passed over', async (t) => {
  const path = directory(t, { 'heimdall.config.json': JSON_TEXT });
  mkdirSync(join(path, 'Corefile'));
  chmodSync(join(path, 'Corefile'), 0);
  const loaded = await loadConfiguration({ defaultPort: 53, directory: path });
  assert.match(outcome(loaded, path), /Corefile: cannot be read: EISDIR$/);
});

test('discover: the working directory is searched unless another is given', async (t) => {
  const before = process.cwd();
  t.after(() => process.chdir(before));
  process.chdir(directory(t, { Corefile: 'example.org {\n  import nosuch\n}\n' }));
  const loaded = await loadConfiguration({ defaultPort: 53 });
  assert.equal(loaded.file, 'Corefile');
  assert.equal(loaded.path, join(process.cwd(), 'Corefile'));
  assert.match(outcome(loaded), /^Corefile:2: import: no snippet or file "nosuch"/);
});

test('discover: -conf names a file of any name, in messages as it was typed', async (t) => {
  const path = directory(t, {
    'dns.conf': '. {',
    'x.json': JSON_TEXT,
    'x.mts': TYPESCRIPT,
    'x.mjs': TYPESCRIPT.replace(': string', ''),
  });
  const load = (name: string) => loadConfiguration({ defaultPort: 53, conf: join(path, name) });
  const corefile = await load('dns.conf');
  assert.equal(corefile.file, join(path, 'dns.conf'));
  assert.equal(outcome(corefile, path), 'dns.conf:1: "{" is never closed, unexpected EOF');
  assert.equal(outcome(await load('x.json')), 'json.example. from a file');
  assert.equal(outcome(await load('x.mts')), 'typescript.example. from a file');
  assert.equal(outcome(await load('x.mjs')), 'typescript.example. from a file');
  assert.equal(outcome(await load('nosuch'), path), 'nosuch: no such file');
  assert.equal(outcome(await load('nosuch.json'), path), 'nosuch.json: no such file');
  assert.equal(outcome(await load('.'), path), `${path}: cannot be read: EISDIR`);
});

test('discover: standard input is a Corefile', async () => {
  const files = {
    read: (path: string) => (path === '/dev/stdin' ? 'stdin.example { whoami' : ''),
    list: () => [],
    exists: () => true,
  };
  const loaded = await loadConfiguration({ defaultPort: 53, conf: 'stdin', files });
  assert.equal(loaded.path, undefined);
  assert.equal(outcome(loaded), 'stdin:1: "{" is never closed, unexpected EOF');
});

test('discover: a module is read again after a change', async (t) => {
  const path = directory(t, { 'a.mjs': MODULE, 'a.ts': TYPESCRIPT });
  for (const name of ['a.mjs', 'a.ts']) {
    const conf = join(path, name);
    await loadConfiguration({ defaultPort: 53, conf });
    writeFileSync(conf, MODULE.replace('module.', 'changed.'));
    const loaded = await loadConfiguration({ defaultPort: 53, conf });
    assert.equal(outcome(loaded), 'changed.example. from a file', name);
  }
});

const broken: { name: string; text: string; want: RegExp }[] = [
  {
    name: 'a.json',
    text: '{\n "blocks": [}',
    want: /^a\.json:2: cannot be parsed: Unexpected token/,
  },
  { name: 'b.json', text: '', want: /^b\.json: cannot be parsed: Unexpected end of JSON input$/ },
  {
    name: 'c.json',
    text: '{ "blocks": [] // no\n}',
    want: /^c\.json(:1)?: cannot be parsed: Expected ',' or/,
  },
  {
    name: 'a.yaml',
    text: 'a: 1\nb: [\n',
    want: /^a\.yaml:3: cannot be parsed: unexpected end[^()]*$/,
  },
  {
    name: 'a.mjs',
    text: '\nthrow new Error("first\\nsecond");',
    want: /^a\.mjs:2: cannot be loaded: first$/,
  },
  { name: 'b.mjs', text: 'throw 5;', want: /^b\.mjs: cannot be loaded: 5$/ },
  { name: 'c.mjs', text: 'export default {{', want: /^c\.mjs: cannot be loaded: Unexpected token/ },
  {
    name: 'd.mjs',
    text: 'export const a = 1;',
    want: /^d\.mjs: no default export, want defineConfig/,
  },
  {
    name: 'e.mjs',
    text: 'import "./nosuch.js";',
    want: /^e\.mjs: cannot be loaded: Cannot find module/,
  },
  { name: 'a.ts', text: '\n\nthrow new Error("late")', want: /^a\.ts:3: cannot be loaded: late$/ },
  { name: 'b.ts', text: 'export default 5', want: /^b\.ts: want an object, found a number$/ },
];

for (const { name, text, want } of broken) {
  test(`discover: what is wrong with ${name} is one line`, async (t) => {
    const path = directory(t, { [name]: text });
    const loaded = await loadConfiguration({ defaultPort: 53, conf: join(path, name) });
    assert.match(outcome(loaded, path), want);
  });
}
