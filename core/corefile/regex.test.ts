// Expressions in Go notation: what they match here, and which are refused.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compileRegex } from './regex.js';
import { ValueError } from './value-error.js';

const matches: { re: string; yes: string[]; no?: string[] }[] = [
  { re: '^exact$', yes: ['exact'], no: ['exactly'] },
  { re: '.* i/o timeout$', yes: ['read: i/o timeout'], no: ['timeout'] },
  { re: '(?i)abc', yes: ['ABC'] },
  { re: '(?s)a.b', yes: ['a\nb'] },
  { re: '(?P<name>a+)(?P<rest>b)', yes: ['aab'] },
  { re: '\\Aa\\z', yes: ['a'], no: ['a\n', 'ba'] },
  { re: '[[:alpha:]]+[[:digit:]]', yes: ['ab1'], no: ['1'] },
  { re: '^[[:punct:]_]+$', yes: ['!-]_'], no: ['a'] },
  { re: '^[^[:space:]]+$', yes: ['ab'], no: ['a b'] },
  { re: '^[[a]+$', yes: ['[a'], no: ['b'] },
  { re: '^[]a]+$', yes: [']a'], no: ['b'] },
  { re: '^[^]a]+$', yes: ['b'], no: [']'] },
  { re: '^[\\-a\\]]+$', yes: ['-a]'], no: ['b'] },
  { re: '^a{2}$', yes: ['aa'], no: ['a{2}'] },
  { re: '^a{2,}b{1,2}$', yes: ['aaabb'], no: ['ab'] },
  { re: '^{a}$', yes: ['{a}'] },
  { re: '^a{,2}$', yes: ['a{,2}'] },
  { re: '^\\{2}$', yes: ['{2}'] },
  { re: '^a]$', yes: ['a]'] },
  { re: '^\\_\\-\\"\\ \\@$', yes: ['_-" @'] },
  { re: '^\\Qa.b*\\E+$', yes: ['a.b**'], no: ['axb'] },
  { re: '\\Qa.b', yes: ['a.b'], no: ['axb'] },
  { re: '^[\\Q^-]\\E]+$', yes: ['^-]'], no: ['a'] },
  { re: '^\\x41\\x{1F600}$', yes: ['A\u{1f600}'] },
  { re: '^.$', yes: ['\u{1f600}'] },
  { re: '^\\pL\\p{Greek}\\PN\\p{^Lu}$', yes: ['éαxy'], no: ['1αxy', 'éα1y'] },
  { re: '^\\a\\t\\d\\w\\s$', yes: ['\x07\t1a '] },
  { re: '\\bword\\b', yes: ['a word.'], no: ['swords'] },
];

for (const { re, yes, no = [] } of matches) {
  test(`regex: ${re}`, () => {
    for (const text of yes) assert.ok(compileRegex(re).test(text), `matches ${text}`);
    for (const text of no) assert.ok(!compileRegex(re).test(text), `does not match ${text}`);
  });
}

test('regex: flags are added to those of the expression', () => {
  assert.equal(compileRegex('(?im)a', 'gi').flags, 'gimu');
});

const refused = [
  { re: 'a(?i)b', error: 'is not a regular expression here: flags must stand at its start' },
  { re: 'a(?i:b)', error: 'is not a regular expression here: flags must stand at its start' },
  { re: '())', error: "is not a regular expression: unmatched ')'" },
  { re: 'a\\', error: 'is not a regular expression: escape "\\" is unknown' },
  { re: '\\C', error: 'is not a regular expression: escape "\\C" is unknown' },
  { re: '(a)\\1', error: 'is not a regular expression: escape "\\1" is unknown' },
  { re: '[a', error: 'is not a regular expression: unterminated character class' },
  { re: '*', error: 'is not a regular expression: nothing to repeat' },
  { re: '\\p{Nosuch}', error: 'is not a regular expression: invalid property name' },
];

for (const { re, error } of refused) {
  test(`regex: ${re} is refused`, () => {
    assert.throws(() => compileRegex(re), new ValueError('', error));
  });
}
