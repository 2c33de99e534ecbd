// Messages: their shape, their order, and the words they suggest.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { either, formatProblem, formatProblems, placeOf, quote } from './problems.js';
import { hint, suggest } from './suggest.js';

const at = (file: string, line: number, message = 'm', directive = '') => ({
  file,
  line,
  directive,
  message,
});

test('problems: file, line, directive and message', () => {
  assert.equal(formatProblem(at('Corefile', 3, 'bad', 'cache')), 'Corefile:3: cache: bad');
  assert.equal(formatProblem(at('Corefile', 3, 'bad')), 'Corefile:3: bad');
  assert.equal(formatProblem(at('c.json: blocks[0]', 0, 'bad')), 'c.json: blocks[0]: bad');
});

test('problems: a message is one line whatever the user wrote', () => {
  assert.equal(formatProblem(at('f', 1, 'a\nb\rc\td\x1b')), 'f:1: a\\nb\\rc\\td\\x1b');
});

test('problems: sorted within files, each once', () => {
  const problems = [at('b', 9), at('a', 2), at('b', 1), at('b', 9), at('b', 9, 'other')];
  assert.deepEqual(formatProblems(problems), ['b:1: m', 'b:9: m', 'b:9: other', 'a:2: m']);
});

test('problems: long user text is cut', () => {
  assert.equal(quote('short'), '"short"');
  assert.equal(quote('x'.repeat(200)), `"${'x'.repeat(120)}..."`);
});

test('problems: another place is named by line, by file and line, or by path', () => {
  const from = { text: '', file: 'Corefile', line: 9 };
  assert.equal(placeOf({ text: '', file: 'Corefile', line: 8 }, from), 'line 8');
  assert.equal(placeOf({ text: '', file: '/etc/a', line: 8 }, from), '/etc/a:8');
  assert.equal(placeOf({ text: '', file: 'c.ts: blocks[1]', line: 0 }, from), 'blocks[1]');
});

test('problems: alternatives are listed in words', () => {
  assert.equal(either([]), '');
  assert.equal(either(['a']), 'a');
  assert.equal(either(['a', 'b', 'c']), 'a, b or c');
});

const known = ['cache', 'prefetch', 'serve_stale', 'log', 'ready'];
const suggestions: [string, string | undefined][] = [
  ['cahe', 'cache'],
  ['cacheee', 'cache'],
  ['prefech', 'prefetch'],
  ['perfetch', 'prefetch'],
  ['PREFETCH', 'prefetch'],
  ['serve-stale', 'serve_stale'],
  ['lgo', 'log'],
  ['g', undefined],
  ['', undefined],
  ['kubernetes', undefined],
];
for (const [word, want] of suggestions) {
  test(`suggest: "${word}" gives ${want ?? 'nothing'}`, () => {
    assert.equal(suggest(word, known), want);
  });
}

test('suggest: the nearest of several wins, the first of equals', () => {
  assert.equal(suggest('abcdef', ['abcxyf', 'abcdeg', 'abcdex']), 'abcdeg');
});

test('suggest: a hint completes a message', () => {
  assert.equal(hint('cahe', known), ', did you mean "cache"?');
  assert.equal(hint('zzzz', known), '');
});
