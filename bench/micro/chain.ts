// What the way to a block and through its chain costs: routing by zone, and plugins that look at the query and pass it on.
import { Chain } from '../../core/chain/chain.js';
import type { Handler, Query } from '../../core/plugin.js';
import { Router } from '../../core/server/router.js';
import { makeQuery } from '../../core/testing/query.js';
import { measure } from './rounds.js';

const CALLS = 2_000_000;

const answer: Handler = { serve: (q) => q.replyRcode(0) };

function chainOf(passing: number): Chain {
  const handlers: Handler[] = Array.from({ length: passing }, () => ({
    serve: (q, next) => next(q),
  }));
  return new Chain(
    [...handlers, answer].map((handler) => ({ plugin: 'x', handler, servesAllClasses: false })),
  );
}

const q = makeQuery('www.eu.example.org.', 'A');

for (const passing of [0, 1, 10]) {
  const chain = chainOf(passing);
  measure(`chain: ${passing} plugins and one that answers`, CALLS, (calls) => {
    let sum = 0;
    for (let i = 0; i < calls; i++) {
      // As the server does for each query.
      q.depth = -1;
      sum += (chain.run(q) as ReturnType<Query['replyRcode']>).rcode + 1;
    }
    return sum;
  });
}

for (const zones of [1, 10, 1000]) {
  const router = new Router();
  const chain = chainOf(0);
  for (let i = 1; i < zones; i++) router.add(`zone${i}.example.org.`, { chain, block: i, zone: 0 });
  router.add('.', { chain, block: 0, zone: 0 });
  measure(`route: ${zones} zones, the root's`, CALLS, (calls) => {
    let sum = 0;
    for (let i = 0; i < calls; i++) sum += router.find(q) === undefined ? 0 : 1;
    return sum;
  });
}
