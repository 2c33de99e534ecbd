import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BlockSettings } from '../../core/plugin.js';
import { directiveProblems, parseDirective } from '../../core/testing.js';
import errors from './setup.js';

const DEFAULTS = { output: undefined, stacktrace: false, consolidate: [], repeats: 10_000 };

/** One `consolidate` line as config. */
function rule(periodMs: number, text: string, regex: RegExp, level = 'error', first?: string) {
  return [periodMs, { text, regex }, level, first];
}

const cases = [
  { name: 'alone it has defaults', text: 'errors', want: {} },
  { name: 'stdout', text: 'errors stdout', want: { output: 'stdout' } },
  { name: 'stacktrace', text: 'errors {\n stacktrace\n}', want: { stacktrace: true } },
  { name: 'repeats', text: 'errors {\n repeats 1m\n}', want: { repeats: 60_000 } },
  { name: 'no repeats', text: 'errors {\n repeats 0\n}', want: { repeats: 0 } },
  {
    name: 'consolidate with defaults',
    text: 'errors {\n consolidate 1m ^exact$\n}',
    want: { consolidate: [rule(60_000, '^exact$', /^exact$/u)] },
  },
  {
    name: 'consolidate with a level',
    text: 'errors {\n consolidate 1m "format error" warning\n}',
    want: { consolidate: [rule(60_000, 'format error', /format error/u, 'warning')] },
  },
  {
    name: 'consolidate with show_first alone',
    text: 'errors {\n consolidate 1m x show_first\n}',
    want: { consolidate: [rule(60_000, 'x', /x/u, 'error', 'show_first')] },
  },
  {
    name: 'consolidate with everything, and flags as in Go',
    text: 'errors {\n consolidate 500ms (?i)x debug show_first\n}',
    want: { consolidate: [rule(500, '(?i)x', /x/iu, 'debug', 'show_first')] },
  },
  {
    name: 'several consolidate lines keep their order',
    text: 'errors {\n consolidate 1m error1\n consolidate 5s error2\n}',
    want: { consolidate: [rule(60_000, 'error1', /error1/u), rule(5000, 'error2', /error2/u)] },
  },
];
for (const c of cases) {
  test(`errors syntax: ${c.name}`, () => {
    assert.deepEqual(parseDirective(errors, c.text), [{ ...DEFAULTS, ...c.want }]);
  });
}

const refused = [
  {
    name: 'another output',
    text: 'errors visible',
    error: 'Corefile:1: errors: "visible" is not accepted, want stdout',
  },
  {
    name: 'two arguments',
    text: 'errors stdout b',
    error: 'Corefile:1: errors: unexpected argument "b", want at most 1',
  },
  {
    name: 'a second line',
    text: 'errors\nerrors',
    error: 'Corefile:2: errors: already set on line 1, allowed once per server block',
  },
  {
    name: 'consolidate without a pattern',
    text: 'errors {\n consolidate 1m\n}',
    error: 'Corefile:2: errors: missing argument REGEXP for consolidate, want a regular expression',
  },
  {
    name: 'consolidate without a period',
    text: 'errors {\n consolidate 0s x\n}',
    error: 'Corefile:2: errors: consolidate DURATION 0s is out of range, want 1ms..24h',
  },
  {
    name: 'a pattern that does not compile',
    text: 'errors {\n consolidate 1m ())\n}',
    error: 'Corefile:2: errors: "())" is not a regular expression: unmatched \')\'',
  },
  {
    name: 'an unknown level',
    text: 'errors {\n consolidate 1m error fatal\n}',
    error: 'Corefile:2: errors: "fatal" is not accepted, want error, warning, info or debug',
  },
  {
    name: 'a level after show_first',
    text: 'errors {\n consolidate 1m x show_first warning\n}',
    error:
      'Corefile:2: errors: unexpected argument "warning" for consolidate, want at most 4, in their order',
  },
  {
    name: 'an unknown property',
    text: 'errors {\n consolidat 1m x\n}',
    error: 'Corefile:2: errors: unknown property "consolidat", did you mean "consolidate"?',
  },
];
for (const c of refused) {
  test(`errors syntax: ${c.name} is refused`, () => {
    assert.deepEqual(directiveProblems(errors, c.text), [c.error]);
  });
}

test('errors: stacktrace asks the server for stacks', () => {
  for (const withStacks of [false, true]) {
    const settings: BlockSettings = {
      addresses: [],
      root: '/',
      isDebug: false,
      withStacks: false,
      warnings: [],
    };
    const [config] = parseDirective(errors, withStacks ? 'errors {\n stacktrace\n}' : 'errors');
    if (config !== undefined) errors.configure?.(config, settings);
    assert.equal(settings.withStacks, withStacks);
  }
});
