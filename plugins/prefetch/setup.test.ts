import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { directiveProblems, parseDirective } from '../../core/testing.js';
import prefetch from './setup.js';

const DEFAULTS = {
  amount: undefined,
  pause: undefined,
  percentage: undefined,
  timer: 50,
  names: 10_000,
  budget: 100,
  persist: undefined,
};

const cases = [
  { name: 'alone it has defaults', text: 'prefetch', want: {} },
  { name: 'an amount', text: 'prefetch 3', want: { amount: 3 } },
  { name: 'nothing on hits', text: 'prefetch 0', want: { amount: 0 } },
  {
    name: 'all that CoreDNS has',
    text: 'prefetch 10 2m 20%',
    want: { amount: 10, pause: 120_000, percentage: 20 },
  },
  { name: 'a share', text: 'prefetch {\n timer 75%\n}', want: { timer: 75 } },
  { name: 'no timer', text: 'prefetch {\n timer off\n}', want: { timer: null } },
  { name: 'names', text: 'prefetch {\n names 500\n}', want: { names: 500 } },
  { name: 'a budget', text: 'prefetch {\n budget 5\n}', want: { budget: 5 } },
  { name: 'no limit', text: 'prefetch {\n budget off\n}', want: { budget: null } },
  {
    name: 'a file, every five minutes',
    text: 'prefetch {\n persist /x\n}',
    want: { persist: ['/x', 300_000] },
  },
  {
    name: 'a file below root, at the stop alone',
    text: 'prefetch {\n persist x 0\n}',
    want: { persist: [join(process.cwd(), 'x'), 0] },
  },
];
for (const c of cases) {
  test(`prefetch syntax: ${c.name}`, () => {
    assert.deepEqual(parseDirective(prefetch, c.text), [{ ...DEFAULTS, ...c.want }]);
  });
}

const refused = [
  {
    text: 'prefetch often',
    error: 'Corefile:1: prefetch: "often" is not a whole number, want 0 or more',
  },
  {
    text: 'prefetch 1 soon',
    error: 'Corefile:1: prefetch: "soon" is not a duration, want one such as 30s or 250ms',
  },
  {
    text: 'prefetch 1 1m 95%',
    error: 'Corefile:1: prefetch: "95%" is not a percentage in range, want 10%..90%',
  },
  {
    text: 'prefetch {\n timer 4%\n}',
    error: 'Corefile:2: prefetch: "4%" is no share, want off or 5%..100%',
  },
  {
    text: 'prefetch {\n timer on\n}',
    error: 'Corefile:2: prefetch: "on" is no share, want off or 5%..100%',
  },
  {
    text: 'prefetch {\n names 99\n}',
    error: 'Corefile:2: prefetch: names 99 is out of range, want 100..100000',
  },
  {
    text: 'prefetch {\n budget 0\n}',
    error: 'Corefile:2: prefetch: "0" is no budget, want off or 1..100000',
  },
  {
    text: 'prefetch {\n persist\n}',
    error: 'Corefile:2: prefetch: missing argument PATH for persist, want a file name',
  },
  {
    text: 'prefetch {\n persist /x 10ms\n}',
    error: 'Corefile:2: prefetch: "10ms" is out of range, want 0 or 1s..24h',
  },
  {
    text: 'prefetch {\n timer off\n persist /x\n}',
    error: 'Corefile:3: prefetch: persist has nothing to keep with timer off',
  },
  {
    text: 'prefetch\nprefetch',
    error: 'Corefile:2: prefetch: already set on line 1, allowed once per server block',
  },
];
for (const c of refused) {
  test(`prefetch syntax: "${c.text.replaceAll('\n', ';')}" is refused`, () => {
    assert.deepEqual(directiveProblems(prefetch, c.text), [c.error]);
  });
}
