import assert from 'node:assert/strict';
import { test } from 'node:test';
import { applyOrder, type Placement, sequence } from './sequence.js';

const BUILT_IN = ['errors', 'log', 'cache', 'forward'];

function placed(plugins: Placement[]): string {
  const refused: string[] = [];
  const names = sequence(BUILT_IN, plugins, 'cache', (name, neighbour) =>
    refused.push(`${name}!${neighbour}`),
  );
  return [...names, ...refused].join(' ');
}

const cases = [
  { name: 'none', plugins: [], want: 'errors log cache forward' },
  {
    name: 'without a wish before cache',
    plugins: [{ name: 'a' }],
    want: 'errors log a cache forward',
  },
  {
    name: 'before a plugin',
    plugins: [{ name: 'a', before: 'log' }],
    want: 'errors a log cache forward',
  },
  {
    name: 'after a plugin',
    plugins: [{ name: 'a', after: 'forward' }],
    want: 'errors log cache forward a',
  },
  {
    name: 'several at one place in written order',
    plugins: [
      { name: 'a', before: 'cache' },
      { name: 'b', before: 'cache' },
      { name: 'c', after: 'cache' },
      { name: 'd', after: 'cache' },
    ],
    want: 'errors log a b cache c d forward',
  },
  {
    name: 'beside another third party, whichever is named first',
    plugins: [
      { name: 'a', before: 'b' },
      { name: 'b', before: 'log' },
    ],
    want: 'errors a b log cache forward',
  },
  {
    name: 'a neighbour that does not exist is refused',
    plugins: [{ name: 'a', after: 'dns' }],
    want: 'errors log a cache forward a!dns',
  },
  {
    name: 'two that wait for each other are refused',
    plugins: [
      { name: 'a', before: 'b' },
      { name: 'b', before: 'a' },
    ],
    want: 'errors log a b cache forward a!b b!a',
  },
];

for (const { name, plugins, want } of cases) {
  test(`sequence: third party ${name}`, () => assert.equal(placed(plugins), want));
}

function ordered(chain: string, order: string): string {
  const counts = new Map<string, number>();
  const steps = chain.split(' ').map((plugin) => {
    const instance = counts.get(plugin) ?? 0;
    counts.set(plugin, instance + 1);
    return { plugin, instance };
  });
  const names = order === '' ? [] : order.split(' ');
  return applyOrder(steps, names)
    .map((step) => `${step.plugin}${step.instance}`)
    .join(' ');
}

const orders = [
  { name: 'none keeps the chain', chain: 'a b c', order: '', want: 'a0 b0 c0' },
  { name: 'all of them', chain: 'a b c', order: 'c b a', want: 'c0 b0 a0' },
  { name: 'those not named stay', chain: 'a b c d', order: 'd b', want: 'a0 d0 c0 b0' },
  { name: 'an occurrence each', chain: 'a b b', order: 'b a b', want: 'b0 a0 b1' },
  { name: 'the last mention takes the rest', chain: 'a b b b', order: 'b a', want: 'b0 b1 b2 a0' },
  { name: 'a plugin the block lacks', chain: 'a b', order: 'x b a', want: 'b0 a0' },
];

for (const { name, chain, order, want } of orders) {
  test(`order: ${name}`, () => assert.equal(ordered(chain, order), want));
}
