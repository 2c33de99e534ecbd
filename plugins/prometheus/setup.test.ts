import assert from 'node:assert/strict';
import { test } from 'node:test';
import { directiveProblems, parseDirective } from '../../core/testing.js';
import prometheus from './setup.js';

const plain = {
  address: { host: 'localhost', port: 9153 },
  namespace: undefined,
  runtime_metrics: false,
  tls: undefined,
};

const cases = [
  { name: 'no arguments', text: 'prometheus', want: plain },
  {
    name: 'an address',
    text: 'prometheus :9253',
    want: { ...plain, address: { host: '', port: 9253 } },
  },
  {
    name: 'every property but tls',
    text: 'prometheus {\n namespace heimdall\n runtime_metrics\n}',
    want: { ...plain, namespace: 'heimdall', runtime_metrics: true },
  },
];

for (const { name, text, want } of cases) {
  test(`prometheus syntax: ${name}`, () => {
    assert.deepEqual(parseDirective(prometheus, text), [want]);
  });
}

const faults = [
  {
    text: 'prometheus localhost',
    want: 'Corefile:1: prometheus: "localhost" is not an address with a port, want HOST:PORT',
  },
  {
    text: 'prometheus {\n namespace a-b\n}',
    want: 'Corefile:2: prometheus: "a-b" is no namespace, want letters, digits and underscores',
  },
  {
    text: 'prometheus {\n runtime_metrics yes\n}',
    want: 'Corefile:2: prometheus: unexpected argument "yes" for runtime_metrics, want none',
  },
  {
    text: 'prometheus {\n tls /nowhere/web.yml\n}',
    want: 'Corefile:2: prometheus: web configuration "/nowhere/web.yml": cannot read "/nowhere/web.yml": ENOENT',
  },
];

for (const { text, want } of faults) {
  test(`prometheus syntax: ${want}`, () => {
    assert.deepEqual(directiveProblems(prometheus, text), [want]);
  });
}
