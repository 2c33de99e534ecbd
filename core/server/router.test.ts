import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Chain } from '../chain/chain.js';
import type { Handler } from '../chain/handler.js';
import { makeQuery } from '../testing.js';
import { Router } from './router.js';

const pass: Handler = { serve: (q, next) => next(q) };

function chainOf(handler: Handler): Chain {
  return new Chain([{ plugin: 'test', handler, servesAllClasses: false }]);
}

/** Routes numbered by position; gives the number a query finds. */
function find(zones: readonly string[], name: string, type = 'A'): number | undefined {
  const router = new Router();
  zones.forEach((zone, block) => {
    router.add(zone, { chain: chainOf(pass), block, zone: 0 });
  });
  return router.find(makeQuery(name, type))?.block;
}

const cases = [
  { name: 'the root takes everything', zones: ['.'], qname: 'www.example.org', want: 0 },
  { name: 'the root takes the root', zones: ['.'], qname: '.', want: 0 },
  {
    name: 'the longest match wins',
    zones: ['.', 'org.', 'example.org.'],
    qname: 'www.example.org',
    want: 2,
  },
  {
    name: 'order does not matter',
    zones: ['example.org.', 'org.', '.'],
    qname: 'www.example.org',
    want: 0,
  },
  { name: 'a zone takes its apex', zones: ['example.org.'], qname: 'example.org', want: 0 },
  { name: 'case is folded', zones: ['example.org.'], qname: 'WWW.ExAmPlE.oRg', want: 0 },
  { name: 'labels are not split', zones: ['ample.org.'], qname: 'example.org', want: undefined },
  { name: 'no zone matches', zones: ['example.org.'], qname: 'example.net', want: undefined },
  {
    name: 'equal lengths are told apart',
    zones: ['aa.org.', 'bb.org.', 'cc.org.'],
    qname: 'x.bb.org',
    want: 1,
  },
  {
    name: 'DS at an apex goes to the parent',
    zones: ['org.', 'example.org.'],
    qname: 'example.org',
    type: 'DS',
    want: 0,
  },
  {
    name: 'DS below an apex stays',
    zones: ['org.', 'example.org.'],
    qname: 'sub.example.org',
    type: 'DS',
    want: 1,
  },
  {
    name: 'DS without a parent here stays',
    zones: ['example.org.', 'net.'],
    qname: 'example.org',
    type: 'DS',
    want: 0,
  },
];
for (const c of cases) {
  test(`router: ${c.name}`, () => {
    assert.equal(find(c.zones, c.qname, c.type), c.want);
  });
}

test('router: a class other than IN needs a block that serves all classes', () => {
  const router = new Router();
  router.add('org.', { chain: chainOf(pass), block: 0, zone: 0 });
  router.add('net.', {
    chain: new Chain([{ plugin: 'test', handler: pass, servesAllClasses: true }]),
    block: 1,
    zone: 0,
  });
  assert.equal(router.find(makeQuery('example.org', 'TXT', { class: 'CH' })), undefined);
  assert.equal(router.find(makeQuery('example.net', 'TXT', { class: 'CH' }))?.block, 1);
});

test('router: of two blocks for one zone the first whose filter agrees is taken', () => {
  const router = new Router();
  const odd = chainOf({ ...pass, filter: (q) => (q.id & 1) === 1 });
  router.add('.', { chain: odd, block: 0, zone: 0 });
  router.add('.', { chain: chainOf(pass), block: 1, zone: 0 });
  assert.equal(router.find(makeQuery('example.org', 'A', { id: 3 }))?.block, 0);
  assert.equal(router.find(makeQuery('example.org', 'A', { id: 4 }))?.block, 1);
});

test('router: where no filter agrees the next shorter zone answers', () => {
  const router = new Router();
  router.add('example.org.', {
    chain: chainOf({ ...pass, filter: () => false }),
    block: 0,
    zone: 0,
  });
  router.add('.', { chain: chainOf(pass), block: 1, zone: 0 });
  assert.equal(router.find(makeQuery('www.example.org', 'A'))?.block, 1);
});
