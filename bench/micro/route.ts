// What finding the server block and the zone of a query costs: by how many zones are served and how many labels the name has.
import { Chain } from '../../core/chain/chain.js';
import { ZoneSet } from '../../core/chain/zone-set.js';
import { Router } from '../../core/server/router.js';
import { makeQuery } from '../../core/testing.js';
import { measure } from './rounds.js';

const CALLS = 1_000_000;

const zones = (count: number): string[] =>
  Array.from({ length: count }, (_, i) => `zone${i}.${'sub.'.repeat(i % 4)}example.org.`);

const NAMES = ['www.zone7.sub.sub.sub.example.org', 'a.b.c.d.e.f.g.h.example.net'];

for (const [name, served] of [
  ['the root alone', ['.']],
  ['10 zones', zones(10)],
  ['1000 zones and the root', ['.', ...zones(1000)]],
] as const) {
  const chain = new Chain([]);
  const router = new Router();
  for (const [block, zone] of served.entries()) router.add(zone, { chain, block, zone: 0 });
  for (const qname of NAMES) {
    const q = makeQuery(qname, 'A');
    measure(`route: ${name}, ${qname.split('.').length} labels`, CALLS, (calls) => {
      let sum = 1;
      for (let i = 0; i < calls; i++) sum += router.find(q)?.block ?? 0;
      return sum;
    });
  }
}

for (const count of [1, 10]) {
  const set = new ZoneSet(zones(count));
  for (const qname of NAMES) {
    const q = makeQuery(qname, 'A');
    measure(`zone set: ${count}, ${qname.split('.').length} labels`, CALLS, (calls) => {
      let sum = 1;
      for (let i = 0; i < calls; i++) sum += set.covers(q) ? 1 : 0;
      return sum;
    });
  }
}
