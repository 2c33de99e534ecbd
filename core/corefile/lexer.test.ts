// The lexer, rule by rule, with what is odd about it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lex } from './lexer.js';

/** Tokens as `LINE:TEXT`, with `|` before those that start a line. */
function words(text: string): string[] {
  return lex(text, 'Corefile').tokens.map(
    (token) => `${token.startsLine ? '|' : ''}${token.line}:${token.text}`,
  );
}

const cases = [
  { name: 'an empty file has no tokens', text: '', want: [] },
  { name: 'white space alone has no tokens', text: ' \t\n\r\n \v\f', want: [] },
  { name: 'words split at white space', text: 'a b\tc', want: ['|1:a', '1:b', '1:c'] },
  { name: 'line feeds count lines', text: 'a\n\nb c', want: ['|1:a', '|3:b', '3:c'] },
  { name: 'a byte order mark is dropped', text: '\ufeffa', want: ['|1:a'] },
  { name: 'a byte order mark further in is text', text: 'a\ufeff', want: ['|1:a\ufeff'] },
  {
    name: 'a carriage return neither ends nor joins a token visibly',
    text: 'a\rb',
    want: ['|1:ab'],
  },
  { name: 'lines may end in CRLF', text: 'a\r\nb\r\n', want: ['|1:a', '|2:b'] },
  { name: 'a lone carriage return ends no line', text: 'a \r b', want: ['|1:a', '1:b'] },
  { name: 'Unicode white space separates', text: 'a\u00a0b\u3000c', want: ['|1:a', '1:b', '1:c'] },
  {
    name: 'next line (U+0085) separates and ends no line',
    text: 'a\u0085b',
    want: ['|1:a', '1:b'],
  },
  { name: 'a zero-width space is text', text: 'a\u200bb', want: ['|1:a\u200bb'] },
  { name: 'quotes hold white space', text: '"a b" c', want: ['|1:a b', '1:c'] },
  { name: 'quotes may be empty', text: '"" a', want: ['|1:', '1:a'] },
  { name: 'only a quote is escaped in quotes', text: '"\\" \\. \\\\"', want: ['|1:" \\. \\\\'] },
  { name: 'a quote within a word is text', text: 'a"b c"', want: ['|1:a"b', '1:c"'] },
  { name: 'a token follows a closing quote at once', text: '"a"b"c"', want: ['|1:a', '1:b"c"'] },
  { name: 'quotes keep carriage returns', text: '"a\r\nb"', want: ['|1:a\r\nb'] },
  {
    name: 'what follows a quote over lines is on its last line',
    text: '"a\nb" c\nd',
    want: ['|1:a\nb', '2:c', '|3:d'],
  },
  { name: 'a line feed after a backslash counts', text: '"a\\\nb" c', want: ['|1:a\\\nb', '2:c'] },
  {
    name: 'an open quote takes the rest of the file',
    text: 'a "b\nc }',
    want: ['|1:a', '1:b\nc }'],
  },
  { name: 'a backslash at the end of an open quote is dropped', text: '"a\\', want: ['|1:a'] },
  { name: 'an open quote at the very end is no token', text: 'a "', want: ['|1:a'] },
  {
    name: 'a comment goes to the end of the line',
    text: '# a\nb # c d\ne',
    want: ['|2:b', '|3:e'],
  },
  { name: 'a comment without end of line', text: 'a # b', want: ['|1:a'] },
  {
    name: 'a hash within a word drops the rest of the word',
    text: 'foo#bar baz',
    want: ['|1:foo', '1:baz'],
  },
  {
    name: 'a hash within a word ends with the line',
    text: 'foo#bar\nbaz',
    want: ['|1:foo', '|2:baz'],
  },
  { name: 'a quote in a comment quotes nothing', text: '# "\na', want: ['|2:a'] },
  { name: 'a hash in quotes is text', text: '"# a"', want: ['|1:# a'] },
  { name: 'a backslash continues no line', text: 'a \\\nb', want: ['|1:a', '1:\\', '|2:b'] },
];

for (const { name, text, want } of cases) {
  test(`lexer: ${name}`, () => assert.deepEqual(words(text), want));
}

test('lexer: an open quote is pointed out, also an empty one', () => {
  assert.equal(lex('a\n"b\nc', 'f').openQuote?.line, 2);
  assert.equal(lex('a\n"', 'f').openQuote?.line, 2);
  assert.equal(lex('a "b"', 'f').openQuote, undefined);
});
