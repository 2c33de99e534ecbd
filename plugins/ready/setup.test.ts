import assert from 'node:assert/strict';
import { test } from 'node:test';
import { directiveProblems, parseDirective } from '../../core/testing.js';
import ready from './setup.js';

const cases = [
  {
    name: 'no arguments',
    text: 'ready',
    want: { address: { host: '', port: 8181 }, monitor: 'until-ready' },
  },
  {
    name: 'an address',
    text: 'ready [::1]:8182',
    want: { address: { host: '::1', port: 8182 }, monitor: 'until-ready' },
  },
  {
    name: 'monitor',
    text: 'ready {\n monitor continuously\n}',
    want: { address: { host: '', port: 8181 }, monitor: 'continuously' },
  },
];

for (const { name, text, want } of cases) {
  test(`ready syntax: ${name}`, () => assert.deepEqual(parseDirective(ready, text), [want]));
}

const faults = [
  {
    text: 'ready\nready :8182',
    want: 'Corefile:2: ready: already set on line 1, allowed once per server block',
  },
  {
    text: 'ready {\n monitor sometimes\n}',
    want: 'Corefile:2: ready: "sometimes" is not accepted, want until-ready or continuously',
  },
  {
    text: 'ready localhost',
    want: 'Corefile:1: ready: "localhost" is not an address with a port, want HOST:PORT',
  },
];

for (const { text, want } of faults) {
  test(`ready syntax: ${want}`, () => {
    const found = directiveProblems(ready, text).map((line) => line.replace(/line \d/, 'line 1'));
    assert.deepEqual(found, [want]);
  });
}
