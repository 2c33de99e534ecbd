// What every source file keeps to: length, name, opening comment, no loose ends.
import assert from 'node:assert/strict';
import test from 'node:test';
import { readText, sourceFiles } from '../lib/repository.js';

const LINE_LIMIT = 400;

const files = sourceFiles();

test('files: none is longer than the limit', () => {
  const long = files.filter((file) => readText(file).split('\n').length - 1 > LINE_LIMIT);
  assert.deepEqual(long, []);
});

test('files: names are kebab-case', () => {
  const wrong = files.filter(
    (file) => !/^([a-z0-9]+(-[a-z0-9]+)*\/)*[a-z0-9]+(-[a-z0-9]+)*(\.test|\.d)?\.ts$/.test(file),
  );
  assert.deepEqual(wrong, []);
});

test('files: each opens by saying what it is for; tests say it in their names', () => {
  const silent = files.filter((file) => {
    if (file.endsWith('.test.ts')) return false;
    const lines = readText(file).split('\n');
    const first = lines[0]?.startsWith('#!') === true ? lines[1] : lines[0];
    return first === undefined || !/^(\/\/ \S|\/\*\*?)/.test(first);
  });
  assert.deepEqual(silent, []);
});

test('files: no test is left out or left alone', () => {
  const wrong = files.filter((file) =>
    /\b(test|it|describe|suite)\.(only|skip|todo)\(/.test(readText(file)),
  );
  assert.deepEqual(wrong, []);
});

test('files: nothing is left to do later', () => {
  const marks = new RegExp(`\\b(${['TO' + 'DO', 'FIX' + 'ME', 'X' + 'XX'].join('|')})\\b`);
  assert.deepEqual(matching(marks), []);
});

test('files: the compiler is not told to look away', () => {
  assert.deepEqual(
    matching(new RegExp(`@ts-${'ignore'}|@ts-${'expect-error'}|@ts-${'nocheck'}`)),
    [],
  );
  assert.deepEqual(matching(/(:|\bas|<) ?any\b(?![.(]| [a-z])/), []);
});

test("files: only a plugin's setup has a default export", () => {
  const wrong = files.filter(
    (file) =>
      /^(core|plugins)\//.test(file) &&
      !file.endsWith('.test.ts') &&
      /^export default /m.test(readText(file)) &&
      !/^plugins\/[^/]+\/setup\.ts$/.test(file),
  );
  assert.deepEqual(wrong, []);
});

/** Lines outside of comments and strings that match, as `FILE:LINE`. */
function matching(what: RegExp): readonly string[] {
  return files.flatMap((file) =>
    readText(file)
      .split('\n')
      .flatMap((line, index) =>
        what.test(code(line)) ? [`${file}:${index + 1}: ${line.trim()}`] : [],
      ),
  );
}

function code(line: string): string {
  return line.replace(/'[^']*'|`[^`]*`/g, "''").replace(/^\s*\*.*$/, '');
}
