import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Query } from '../../core/plugin.js';
import { a, CacheBench, FAILURE, withPrefetch } from '../../test/lib/cache-bench.js';
import { withNetwork } from '../../test/lib/ecs.js';

const TTL = 60;

/** Upstreams of a query by the end of its name. */
const isOther = (q: Query): boolean => q.qname.endsWith('.net.');

/** Names of two sets of upstreams; refreshes that reached each are counted. */
class TwoUpstreams {
  readonly b: CacheBench;
  readonly asked = { org: 0, net: 0 };
  /** Sets that fail. */
  readonly down = new Set<'org' | 'net'>();

  constructor(text: string) {
    this.b = new CacheBench('cache', withPrefetch(text));
    this.b.says = (q) => {
      const which = isOther(q) ? 'net' : 'org';
      q.origin = isOther(q) ? 222 : 111;
      this.asked[which]++;
      if (this.down.has(which)) return q.replyError(FAILURE);
      return { answers: [a(q.qname, TTL)] };
    };
    this.b.handler.onStart();
  }

  async live(seconds: number, names: readonly string[]): Promise<void> {
    for (let i = 0; i < seconds; i++) {
      if (i % 20 === 0) for (const name of names) await this.b.ask(name);
      this.b.advance(1);
    }
  }

  /** Queries that reached each while so many seconds pass in which nobody asks. */
  pass(seconds: number): { org: number; net: number } {
    const before = { ...this.asked };
    for (let i = 0; i < seconds; i++) this.b.advance(1);
    return { org: this.asked.org - before.org, net: this.asked.net - before.net };
  }

  count(name: string, reason: string): number {
    return this.b.metrics.value(`/prefetch_${name}_total`, { reason });
  }
}

function namesOf(zone: string, count: number): string[] {
  return Array.from({ length: count }, (_, i) => `n${i}.example.${zone}`);
}

test('prefetch: the names of one upstream do not use up the budget of those of another', async () => {
  const two = new TwoUpstreams('prefetch 0 {\n budget 4\n}');
  const many = namesOf('org', 100);
  const few = namesOf('net', 8);
  await two.live(6 * TTL, [...many, ...few]);
  const missesBefore = { ...two.asked };
  for (let time = 0; time < 6; time++) {
    for (let second = 0; second < TTL; second++) {
      const before = { ...two.asked };
      two.b.advance(1);
      const begun = two.asked.org - before.org + two.asked.net - before.net;
      assert.ok(begun <= 4, `${begun}`);
    }
    for (const name of few) await two.b.ask(name);
  }
  // Those of the few were all refreshed, each time; of the many what the budget left.
  assert.ok(two.asked.net - missesBefore.net >= 5 * few.length, `${two.asked.net}`);
  assert.ok(two.asked.net - missesBefore.net <= 7 * few.length, `${two.asked.net}`);
  assert.ok(two.count('refused', 'budget') > 0);
});

test('prefetch: an upstream that fails is left alone, and tried at growing intervals', async () => {
  const two = new TwoUpstreams('prefetch 0 {\n timer 20%\n}');
  const names = [...namesOf('org', 40), ...namesOf('net', 10)];
  await two.live(6 * TTL, names);
  two.down.add('org');
  const while40 = two.pass(40 + TTL);
  // Five that failed, then one after 1, 2, 4, 8, 16 and 32 seconds at most; a name fails three times at most.
  assert.ok(while40.org >= 5 && while40.org <= 40, `${while40.org}`);
  assert.ok(while40.net >= 10, `${while40.net}`);
  assert.ok(two.count('refused', 'upstream') > 0);
});

test('prefetch: an answer to a client ends the pause', async () => {
  const two = new TwoUpstreams('prefetch 1 1m 90%');
  const names = namesOf('org', 20);
  await two.live(TTL, names);
  two.down.add('org');
  for (const name of names) await two.b.ask(name);
  two.b.advance(10);
  for (const name of names) await two.b.ask(name);
  const spared = two.count('refused', 'upstream');
  assert.ok(spared > 0);
  two.down.clear();
  await two.b.ask('another.example.org');
  two.b.advance(2);
  for (const name of names) await two.b.ask(name);
  assert.equal(two.count('refused', 'upstream'), spared);
});

test('prefetch: refreshes on hits are within the budget, too, and a client gets what there is', async () => {
  const two = new TwoUpstreams('prefetch 1 1m 50% {\n timer off\n budget 3\n}');
  const names = namesOf('org', 10);
  for (const name of names) await two.b.ask(name);
  two.b.advance(40);
  const before = two.asked.org;
  for (let i = 0; i < 5; i++) {
    for (const name of names) assert.equal((await two.b.ask(name)).answers?.length, 1);
  }
  assert.equal(two.asked.org - before, 3);
  assert.equal(two.count('refreshes', 'hit'), 3);
  // One that was refused is not tried again before a second is over.
  assert.equal(two.count('refused', 'budget'), 7);
  two.b.advance(1);
  for (const name of names) await two.b.ask(name);
  assert.equal(two.asked.org - before, 6);
});

test('prefetch: the property of cache alone has no budget and no timer', async () => {
  const b = new CacheBench('cache {\n prefetch 1 1m 50%\n}');
  b.handler.onStart();
  assert.equal(b.timers.size, 0);
  for (let i = 0; i < 200; i++) await b.ask(`n${i}.example.org`);
  b.advance(200);
  for (let i = 0; i < 200; i++) await b.ask(`n${i}.example.org`);
  assert.equal(b.count('prefetch_total'), 200);
  assert.equal(b.asked, 400);
});

test('prefetch: what networks ask for is refreshed on hits alone, and for them', async () => {
  const b = new CacheBench('cache', withPrefetch('prefetch 1 1m 50%'));
  const sources: number[] = [];
  b.says = (q) => {
    sources.push(q.ecsFamily === 0 ? 0 : q.ecsSource);
    return { answers: [a(q.qname, TTL)] };
  };
  b.handler.onStart();
  const network = withNetwork('198.51.100.0/24');
  for (let i = 0; i < 8 * TTL; i++) {
    if (i % 15 === 0) await b.ask('example.org', 'A', network);
    b.advance(1);
  }
  assert.ok(b.metrics.value('/prefetch_refreshes_total', { reason: 'hit' }) > 0);
  assert.equal(b.metrics.value('/prefetch_refreshes_total', { reason: 'timer' }), 0);
  assert.deepEqual([...new Set(sources)], [24]);
});

test('prefetch: an answer that all networks share is not asked for without one', async () => {
  const b = new CacheBench('cache', withPrefetch('prefetch 0'));
  b.says = (q) => ({ answers: [a(q.qname, TTL)] });
  b.handler.onStart();
  const network = withNetwork('198.51.100.0/24');
  // One asks first, for the network; others ask for none and get the same.
  for (let i = 0; i < 8 * TTL; i++) {
    if (i % 15 === 0) {
      await b.ask('example.org', 'A', network);
      await b.ask('example.org');
    }
    b.advance(1);
  }
  const asked = b.asked;
  for (let i = 0; i < 2 * TTL; i++) b.advance(1);
  assert.equal(b.asked, asked);
});
