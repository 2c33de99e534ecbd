import assert from 'node:assert/strict';
import { test } from 'node:test';
import { directiveProblems, parseDirective } from '../../core/testing.js';
import whoami from './setup.js';

test('whoami syntax: stands alone', () => {
  assert.deepEqual(parseDirective(whoami, 'whoami'), [{}]);
});

const errors = [
  {
    name: 'an argument',
    text: 'whoami example.org',
    error: 'Corefile:1: whoami: unexpected argument "example.org", want none',
  },
  {
    name: 'a property',
    text: 'whoami {\n  ttl 5\n}',
    error: 'Corefile:2: whoami: unknown property "ttl", want none',
  },
];
for (const c of errors) {
  test(`whoami syntax: ${c.name} is refused`, () => {
    assert.deepEqual(directiveProblems(whoami, c.text), [c.error]);
  });
}
