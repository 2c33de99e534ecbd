import assert from 'node:assert/strict';
import { test } from 'node:test';
import { directiveProblems, parseDirective } from '../../core/testing.js';
import dedupe from './setup.js';

const cases = [
  { name: 'alone it has defaults', text: 'dedupe', want: { waiters: 10_000, timeout: 6000 } },
  { name: 'waiters', text: 'dedupe {\n waiters 500\n}', want: { waiters: 500, timeout: 6000 } },
  { name: 'timeout', text: 'dedupe {\n timeout 2s\n}', want: { waiters: 10_000, timeout: 2000 } },
];
for (const c of cases) {
  test(`dedupe syntax: ${c.name}`, () => {
    assert.deepEqual(parseDirective(dedupe, c.text), [c.want]);
  });
}

const errors = [
  {
    name: 'an argument',
    text: 'dedupe 500',
    error: 'Corefile:1: dedupe: unexpected argument "500", want none',
  },
  {
    name: 'a second line',
    text: 'dedupe\ndedupe',
    error: 'Corefile:2: dedupe: already set on line 1, allowed once per server block',
  },
  {
    name: 'no room for waiters',
    text: 'dedupe {\n waiters 0\n}',
    error: 'Corefile:2: dedupe: waiters 0 is out of range, want 1..16384',
  },
  {
    name: 'more waiters than the server keeps',
    text: 'dedupe {\n waiters 20000\n}',
    error: 'Corefile:2: dedupe: waiters 20000 is out of range, want 1..16384',
  },
  {
    name: 'an unknown property',
    text: 'dedupe {\n waiter 5\n}',
    error: 'Corefile:2: dedupe: unknown property "waiter", did you mean "waiters"?',
  },
];
for (const c of errors) {
  test(`dedupe syntax: ${c.name} is refused`, () => {
    assert.deepEqual(directiveProblems(dedupe, c.text), [c.error]);
  });
}
