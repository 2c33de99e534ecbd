import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BlockSettings } from '../../core/plugin.js';
import { directiveProblems, parseDirective } from '../../core/testing.js';
import debug from './setup.js';

test('debug syntax: stands alone', () => {
  assert.deepEqual(parseDirective(debug, 'debug'), [{}]);
});

test('debug syntax: an argument is refused', () => {
  assert.deepEqual(directiveProblems(debug, 'debug off'), [
    'Corefile:1: debug: unexpected argument "off", want none',
  ]);
});

test('debug: turns debugging on and is no step of the chain', () => {
  const settings: BlockSettings = {
    addresses: [],
    root: '/',
    isDebug: false,
    withStacks: false,
    warnings: [],
  };
  debug.configure?.({}, settings);
  assert.equal(settings.isDebug, true);
  assert.equal(debug.setup, undefined);
});
