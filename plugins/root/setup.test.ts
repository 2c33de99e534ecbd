import assert from 'node:assert/strict';
import { test } from 'node:test';
import { directiveProblems, parseDirective } from '../../core/testing.js';
import root from './setup.js';

test('root syntax: takes a path', () => {
  assert.deepEqual(parseDirective(root, 'root /etc/heimdall'), [{ path: '/etc/heimdall' }]);
});

const errors = [
  {
    name: 'no path',
    text: 'root',
    error: 'Corefile:1: root: missing argument PATH, want a word',
  },
  {
    name: 'two paths',
    text: 'root /a /b',
    error: 'Corefile:1: root: unexpected argument "/b", want at most 1',
  },
  {
    name: 'a second line',
    text: 'root /a\nroot /b',
    error: 'Corefile:2: root: already set on line 1, allowed once per server block',
  },
];
for (const c of errors) {
  test(`root syntax: ${c.name} is refused`, () => {
    assert.deepEqual(directiveProblems(root, c.text), [c.error]);
  });
}
