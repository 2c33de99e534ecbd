import assert from 'node:assert/strict';
import { test } from 'node:test';
import { directiveProblems, parseDirective } from '../../core/testing.js';
import loop from './setup.js';

test('loop syntax: stands alone', () => {
  assert.deepEqual(parseDirective(loop, 'loop'), [{}]);
});

const errors = [
  {
    name: 'an argument',
    text: 'loop argument',
    error: 'Corefile:1: loop: unexpected argument "argument", want none',
  },
  {
    name: 'a second one',
    text: 'loop\nloop',
    error: 'Corefile:2: loop: already set on line 1, allowed once per server block',
  },
];
for (const c of errors) {
  test(`loop syntax: ${c.name} is refused`, () => {
    assert.deepEqual(directiveProblems(loop, c.text), [c.error]);
  });
}
