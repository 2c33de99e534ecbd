import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fakeServices } from '../testing.js';
import { buildChains, stepInfo } from './build.js';
import type { Plugin } from './handler.js';
import type { BlockPlan, Plan } from './plan.js';

const block: BlockPlan = {
  zones: ['example.org.'],
  view: '',
  root: '/srv',
  listeners: [0],
  directives: [],
  steps: [
    { plugin: 'first', instance: 0 },
    { plugin: 'second', instance: 0 },
  ],
  fingerprints: [11, 22],
};

function plugin(name: string, setup: Plugin<unknown>['setup']): [string, Plugin<unknown>] {
  const syntax = { occurrence: 'each' as const, properties: [], parse: () => [undefined] };
  return [name, setup === undefined ? { name, syntax } : { name, syntax, setup }];
}

function chainsOf(...plugins: [string, Plugin<unknown>][]): ReturnType<typeof buildChains> {
  const plan = { blocks: [block], listeners: [], modules: {}, isDebug: false } as unknown as Plan;
  return buildChains(plan, new Map(plugins), () => fakeServices());
}

test('build: a chain has the steps of its block in order', () => {
  const pass = { serve: (q: never, next: (q: never) => never) => next(q) };
  const [chain] = chainsOf(
    plugin('first', () => pass as never),
    plugin('second', () => pass as never),
  );
  assert.deepEqual(
    chain?.steps.map((step) => step.plugin),
    ['first', 'second'],
  );
});

test('build: a step is told its block and the fingerprint of what is below it', () => {
  const info = stepInfo(block, block.steps[1] as BlockPlan['steps'][0], new Map());
  assert.equal(info.fingerprint, 22);
  assert.deepEqual(info.plugins, ['first', 'second']);
  assert.equal(info.root, '/srv');
});

test('build: what setup throws names its plugin', () => {
  const broken = plugin('first', () => {
    throw new Error('no such table');
  });
  assert.throws(() => chainsOf(broken), /^Error: first: no such table$/);
});

test('build: a directive without a data part is no step', () => {
  assert.throws(() => chainsOf(plugin('first', undefined)), /first is not a handler/);
});
