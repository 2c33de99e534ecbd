import assert from 'node:assert/strict';
import { test } from 'node:test';
import { directiveProblems, parseDirective } from '../../core/testing.js';
import negative from './setup.js';

const DEFAULTS = {
  capacity: undefined,
  ttl: undefined,
  cut: 'validated',
  failures: undefined,
  zone_limit: 1000,
};

const cases = [
  { name: 'alone it leaves everything to the defaults', text: 'negative', want: {} },
  { name: 'a capacity', text: 'negative 50000', want: { capacity: 50_000 } },
  { name: 'TTLs', text: 'negative {\n ttl 0 3h\n}', want: { ttl: [0, 10_800_000] } },
  {
    name: 'the first failure, the longest by default',
    text: 'negative {\n failures 5s\n}',
    want: { failures: { minMs: 5000, maxMs: 300_000 } },
  },
  {
    name: 'all failures for the same time',
    text: 'negative {\n failures 5s 5s\n}',
    want: { failures: { minMs: 5000, maxMs: 5000 } },
  },
  { name: 'a trusted upstream', text: 'negative {\n cut ON\n}', want: { cut: 'on' } },
  { name: 'a limit', text: 'negative {\n zone_limit 50\n}', want: { zone_limit: 50 } },
  { name: 'no limit', text: 'negative {\n zone_limit off\n}', want: { zone_limit: null } },
  { name: 'no failures', text: 'negative {\n failures off\n}', want: { failures: null } },
];
for (const c of cases) {
  test(`negative syntax: ${c.name}`, () => {
    assert.deepEqual(parseDirective(negative, c.text), [{ ...DEFAULTS, ...c.want }]);
  });
}

const refused = [
  {
    text: 'negative {\n zone_limit 0\n}',
    error: 'Corefile:2: negative: "0" is no limit, want off or 1..1000000',
  },
  {
    text: 'negative {\n cut always\n}',
    error: 'Corefile:2: negative: "always" is not accepted, want validated, on or off',
  },
  {
    text: 'negative\nnegative',
    error: 'Corefile:2: negative: already set on line 1, allowed once per server block',
  },
  {
    text: 'negative 6000000',
    error: 'Corefile:1: negative: CAPACITY 6000000 is out of range, want 0..5000000',
  },
  {
    text: 'negative {\n ttl 5s\n}',
    error:
      'Corefile:2: negative: missing argument MAX for ttl, want a duration such as 30s or 250ms',
  },
  {
    text: 'negative {\n ttl 5s 2d\n}',
    error: 'Corefile:2: negative: "2d" is not a duration, want one such as 30s or 250ms',
  },
  {
    text: 'negative {\n failures\n}',
    error: 'Corefile:2: negative: "failures" is missing arguments, want off or MIN [MAX]',
  },
  {
    text: 'negative {\n failures 100ms\n}',
    error: 'Corefile:2: negative: "100ms" is no time to keep a failure, want 1s..5m',
  },
  {
    text: 'negative {\n failures 10s 5s\n}',
    error: 'Corefile:2: negative: "5s" is too short, want MAX no shorter than MIN',
  },
  {
    text: 'negative {\n failures off 5s\n}',
    error: 'Corefile:2: negative: "5s" is not accepted, want nothing behind off',
  },
  {
    text: 'negative {\n failures 1s 5s 9s\n}',
    error: 'Corefile:2: negative: "9s" is not accepted, want nothing behind MAX',
  },
];
for (const c of refused) {
  test(`negative syntax: "${c.text.replaceAll('\n', ';')}" is refused`, () => {
    assert.deepEqual(directiveProblems(negative, c.text), [c.error]);
  });
}
