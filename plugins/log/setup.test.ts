import assert from 'node:assert/strict';
import { test } from 'node:test';
import { directiveProblems, fakeServices, parseDirective } from '../../core/testing.js';
import log from './setup.js';

const cases = [
  {
    name: 'alone it writes everything in the common format',
    text: 'log',
    want: [{ what: { names: ['.'], format: '{common}' }, class: ['all'] }],
  },
  {
    name: 'one argument is a name',
    text: 'log Example.ORG',
    want: [{ what: { names: ['example.org.'], format: '{common}' }, class: ['all'] }],
  },
  {
    name: 'the last of two arguments is the format when it has a brace',
    text: 'log example.org {combined}',
    want: [{ what: { names: ['example.org.'], format: '{combined}' }, class: ['all'] }],
  },
  {
    name: 'several names without a format',
    text: 'log example.org example.net',
    want: [
      { what: { names: ['example.org.', 'example.net.'], format: '{common}' }, class: ['all'] },
    ],
  },
  {
    name: 'one argument with a brace is a name, as in CoreDNS',
    text: 'log {combined}',
    want: [{ what: { names: ['{combined}.'], format: '{common}' }, class: ['all'] }],
  },
  {
    name: 'classes on several lines add up',
    text: 'log . "{name} {type}" {\n class denial\n class error success\n}',
    want: [
      { what: { names: ['.'], format: '{name} {type}' }, class: ['denial', 'error', 'success'] },
    ],
  },
  {
    name: 'several lines are rules of one handler',
    text: 'log example.org\nlog . {\n class error\n}',
    want: [
      { what: { names: ['example.org.'], format: '{common}' }, class: ['all'] },
      { what: { names: ['.'], format: '{common}' }, class: ['error'] },
    ],
  },
];
for (const c of cases) {
  test(`log syntax: ${c.name}`, () => assert.deepEqual(parseDirective(log, c.text), [c.want]));
}

const errors = [
  {
    name: 'a bad name',
    text: 'log example.org a..b',
    error: 'Corefile:1: log: "a..b" is not a domain name, want a name such as example.org',
  },
  {
    name: 'an unknown class',
    text: 'log {\n class denials\n}',
    error: 'Corefile:2: log: "denials" is not accepted, want success, denial, error or all',
  },
  {
    name: 'class without a class',
    text: 'log {\n class\n}',
    error: 'Corefile:2: log: missing argument for class, want success, denial, error or all',
  },
  {
    name: 'an unknown property',
    text: 'log {\n unknown\n}',
    error: 'Corefile:2: log: unknown property "unknown", want class',
  },
];
for (const c of errors) {
  test(`log syntax: ${c.name} is refused`, () => {
    assert.deepEqual(directiveProblems(log, c.text), [c.error]);
  });
}

test('log: a lone format that is taken as a name is warned of', () => {
  const services = fakeServices();
  for (const config of parseDirective(log, 'log {combined}')) log.setup?.(config, services);
  assert.deepEqual(services.lines, [
    'warning "{combined}." is a name here, a format needs a name before it',
  ]);
});
