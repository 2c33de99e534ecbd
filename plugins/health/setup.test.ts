import assert from 'node:assert/strict';
import { test } from 'node:test';
import { directiveProblems, parseDirective } from '../../core/testing.js';
import health from './setup.js';

const cases = [
  {
    name: 'no arguments',
    text: 'health',
    want: { address: { host: '', port: 8080 }, lameduck: 0 },
  },
  {
    name: 'an address',
    text: 'health localhost:8091',
    want: { address: { host: 'localhost', port: 8091 }, lameduck: 0 },
  },
  {
    name: 'lameduck',
    text: 'health :8091 {\n lameduck 1m30s\n}',
    want: { address: { host: '', port: 8091 }, lameduck: 90_000 },
  },
];

for (const { name, text, want } of cases) {
  test(`health syntax: ${name}`, () => assert.deepEqual(parseDirective(health, text), [want]));
}

const faults = [
  {
    text: 'health 8080',
    want: 'Corefile:1: health: "8080" is not an address with a port, want HOST:PORT',
  },
  {
    text: 'health :8080 more',
    want: 'Corefile:1: health: unexpected argument "more", want at most 1',
  },
  {
    text: 'health {\n lameduck 5\n}',
    want: 'Corefile:2: health: "5" is not a duration, want one such as 30s or 250ms',
  },
  {
    text: 'health {\n lameduck 2h\n}',
    want: 'Corefile:2: health: lameduck 2h is out of range, want 0s..1h',
  },
  {
    text: 'health {\n lameduk 5s\n}',
    want: 'Corefile:2: health: unknown property "lameduk", did you mean "lameduck"?',
  },
];

for (const { text, want } of faults) {
  test(`health syntax: ${want}`, () => assert.deepEqual(directiveProblems(health, text), [want]));
}
