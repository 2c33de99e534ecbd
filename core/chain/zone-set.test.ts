import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeQuery } from '../testing.js';
import { ZoneSet } from './zone-set.js';

const cases = [
  {
    name: 'the zone itself',
    zones: ['example.org.'],
    qname: 'example.org',
    covers: true,
    has: true,
  },
  {
    name: 'a name below',
    zones: ['example.org.'],
    qname: 'a.b.example.org',
    covers: true,
    has: false,
  },
  { name: 'a name above', zones: ['example.org.'], qname: 'org', covers: false, has: false },
  {
    name: 'the end of a label',
    zones: ['example.org.'],
    qname: 'xexample.org',
    covers: false,
    has: false,
  },
  {
    name: 'a length octet inside a label',
    zones: ['b.'],
    qname: 'a\\001b',
    covers: false,
    has: false,
  },
  {
    name: 'case of query and zone',
    zones: ['Example.ORG.'],
    qname: 'WWW.eXample.org',
    covers: true,
    has: false,
  },
  { name: 'the root', zones: ['.'], qname: 'anything.example', covers: true, has: false },
  {
    name: 'the second of two',
    zones: ['example.net.', 'example.org.'],
    qname: 'www.example.org',
    covers: true,
    has: false,
  },
  {
    name: 'none of two',
    zones: ['example.net.', 'example.org.'],
    qname: 'example.com',
    covers: false,
    has: false,
  },
  { name: 'no zone', zones: [], qname: 'example.org', covers: false, has: false },
];
for (const c of cases) {
  test(`zone set: ${c.name}`, () => {
    const set = new ZoneSet(c.zones);
    const q = makeQuery(c.qname, 'A');
    assert.equal(set.covers(q), c.covers);
    assert.equal(set.has(q), c.has);
    assert.equal(set.size, c.zones.length);
  });
}

test('zone set: zones that every query is in need no comparison', () => {
  const set = new ZoneSet(['example.org.', 'example.net.'], ['example.org.']);
  assert.equal(set.covers(makeQuery('elsewhere.example', 'A')), true);
});
