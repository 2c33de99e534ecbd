import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ask, makeQuery, TestSink } from '../testing.js';
import { Rcode } from '../wire/constants.js';
import { Chain } from './chain.js';
import type { Handler, Next } from './handler.js';
import { whenDone } from './pending.js';
import type { Query } from './query.js';

function chainOf(...handlers: Handler[]): Chain {
  return new Chain(
    handlers.map((handler, i) => ({ plugin: `p${i}`, handler, servesAllClasses: false })),
  );
}

const pass: Handler = { serve: (q, next) => next(q) };

/** Defers every query; `settle` answers the oldest with an rcode. */
class Slow implements Handler {
  readonly waiting: Query[] = [];
  serve(q: Query): ReturnType<Handler['serve']> {
    this.waiting.push(q);
    return q.defer();
  }
  settle(rcode: number): void {
    const q = this.waiting.shift() as Query;
    q.settle(q.replyRcode(rcode));
  }
}

test('chain: handlers are entered front to back and the end refuses', async () => {
  const seen: string[] = [];
  const note = (name: string): Handler => ({
    serve: (q, next) => {
      seen.push(name);
      return next(q);
    },
  });
  const q = makeQuery('example.org', 'A');
  const reply = await ask(chainOf(note('a'), note('b')).run, q);
  assert.deepEqual(seen, ['a', 'b']);
  assert.equal(reply.rcode, 'REFUSED');
});

test('chain: depth names the handler that made the reply', async () => {
  const q = makeQuery('example.org', 'A');
  const answer: Handler = { serve: (query) => query.replyRcode(Rcode.NXDOMAIN) };
  const reply = await ask(chainOf(pass, answer, pass).run, q);
  assert.equal(reply.rcode, 'NXDOMAIN');
  assert.equal(q.depth, 1);
});

test('chain: calling next twice throws', () => {
  const twice: Handler = {
    serve: (q, next) => {
      void next(q);
      return next(q);
    },
  };
  assert.throws(
    () => chainOf(twice, pass).run(makeQuery('example.org', 'A')),
    /next called twice for one query/,
  );
});

test('chain: what waits on a deferred query runs innermost first', async () => {
  const order: string[] = [];
  const after = (name: string): Handler => ({
    serve: (q, next) =>
      whenDone(next(q), (reply) => {
        order.push(name);
        return reply;
      }),
  });
  const slow = new Slow();
  const reply = ask(chainOf(after('outer'), after('inner'), slow).run, makeQuery('a.org', 'A'));
  slow.settle(Rcode.NOERROR);
  assert.equal((await reply).rcode, 'NOERROR');
  assert.deepEqual(order, ['inner', 'outer']);
});

test('chain: a continuation may wait again, and what waited before it still runs after it', async () => {
  const order: string[] = [];
  const slow = new Slow();
  const retry: Handler = {
    serve: (q, next) =>
      whenDone(next(q), (reply, query) => {
        if (reply.rcode !== Rcode.SERVFAIL) return reply;
        order.push('retry');
        return whenDone(slow.serve(query), (second) => {
          order.push('second');
          return second;
        });
      }),
  };
  const outer: Handler = {
    serve: (q, next) =>
      whenDone(next(q), (reply) => {
        order.push('outer');
        return reply;
      }),
  };
  const reply = ask(chainOf(outer, retry, slow).run, makeQuery('a.org', 'A'));
  slow.settle(Rcode.SERVFAIL);
  slow.settle(Rcode.NXDOMAIN);
  assert.equal((await reply).rcode, 'NXDOMAIN');
  assert.deepEqual(order, ['retry', 'second', 'outer']);
});

test('chain: an async handler may await a deferred reply and change a copy', async () => {
  const slow = new Slow();
  const impatient: Handler = {
    async serve(q, next) {
      const reply = await next(q);
      assert.equal(reply.rcode, Rcode.NXDOMAIN);
      return q.replyRcode(Rcode.REFUSED);
    },
  };
  const reply = ask(chainOf(impatient, slow).run, makeQuery('a.org', 'A'));
  await Promise.resolve();
  slow.settle(Rcode.NXDOMAIN);
  assert.equal((await reply).rcode, 'REFUSED');
});

test('chain: whenDone takes a reply, a pending reply and a promise alike', async () => {
  const upper: Handler = {
    serve: (q, next) => whenDone(next(q), (_reply, query) => query.replyRcode(Rcode.YXDOMAIN)),
  };
  const slow = new Slow();
  const tails: Handler[] = [
    { serve: (q) => q.replyRcode(0) },
    { serve: async (q) => q.replyRcode(0) },
    slow,
  ];
  for (const tail of tails) {
    const reply = ask(chainOf(upper, tail).run, makeQuery('a.org', 'A'));
    if (tail === slow) slow.settle(0);
    assert.equal((await reply).rcode, 'YXDOMAIN');
  }
});

test('chain: a continuation that throws is a fault of that query only', async () => {
  const slow = new Slow();
  const broken: Handler = {
    serve: (q, next) =>
      whenDone(next(q), () => {
        throw new Error('broken');
      }),
  };
  const sink = new TestSink();
  const reply = ask(chainOf(broken, slow).run, makeQuery('a.org', 'A', {}, sink));
  slow.settle(0);
  await assert.rejects(reply, /broken/);
  assert.equal(sink.faults.length, 1);
});

test('chain: observers hear of every reply, filters of every query', () => {
  const seen: number[] = [];
  const chain = chainOf(
    { ...pass, observe: (q) => void seen.push(q.id) },
    { ...pass, filter: (q) => q.id === 7 },
  );
  const q = makeQuery('a.org', 'A', { id: 7 });
  chain.observe(q, q.replyRcode(0));
  assert.deepEqual(seen, [7]);
  assert.equal(chain.takes(q), true);
  assert.equal(chain.takes(makeQuery('a.org', 'A', { id: 8 })), false);
});

test('query: one object keeps its shape through use', () => {
  const q = makeQuery('example.org', 'A', { udpSize: 1232 });
  const before = Object.keys(q);
  q.replyRcode(Rcode.NXDOMAIN);
  q.retain();
  q.defer();
  q.settle(q.replyRcode(0));
  q.reset();
  assert.deepEqual(Object.keys(q), before);
});

test('query: a retained query outlives the slots it came from', () => {
  const q = makeQuery('example.org', 'A', { client: '192.0.2.1' });
  const { wire, peer } = q;
  q.retain();
  wire.fill(0);
  peer.fill(0);
  assert.equal(q.qname, 'example.org.');
  assert.equal(q.clientAddress, '192.0.2.1');
});

test('reply: handed to another query it says the same, and who made it keeps it', () => {
  const reply = makeQuery('example.org', 'A').replyRcode(Rcode.NXDOMAIN, 3, 'old').copy();
  reply.isShared = true;
  const other = makeQuery('EXAMPLE.org', 'A');
  const same = reply.handTo(other);
  assert.equal(same.query, other);
  assert.equal(same.wire, reply.wire);
  assert.deepEqual(
    [same.rcode, same.length, same.optOffset, same.ede, same.edeText, same.isShared],
    [Rcode.NXDOMAIN, reply.length, 0, 3, 'old', true],
  );
  assert.equal(reply.copy().isShared, false);
  assert.equal(other.replyRcode(Rcode.NOERROR).isShared, false);
});

test('chain: a handler may keep the rest of the chain for queries of its own', async () => {
  let rest: Next | undefined;
  const asks: Handler = {
    serve: (q, next) => next(q),
    onLink: (next) => {
      rest = next;
    },
  };
  const answer: Handler = { serve: (q) => q.replyRcode(Rcode.NXDOMAIN) };
  const chain = chainOf(pass, asks, answer);
  const own = makeQuery('example.org', 'A');
  assert.equal((await ask(rest as Next, own)).rcode, 'NXDOMAIN');
  assert.equal(own.depth, 2);
  assert.equal((await ask(chain.run, makeQuery('example.net', 'A'))).rcode, 'NXDOMAIN');
});

test('chain: a reply handed to another query tells where it came from', () => {
  const [q, other] = [makeQuery('example.org', 'A'), makeQuery('example.org', 'A')];
  q.origin = 7;
  q.replyRcode(Rcode.NOERROR).handTo(other);
  assert.equal(other.origin, 7);
  other.reset();
  assert.equal(other.origin, 0);
});
