import assert from 'node:assert/strict';
import { test } from 'node:test';
import { a, CacheBench, MIDNIGHT_MS, withPrefetch } from '../../test/lib/cache-bench.js';
import { type PrefetchRig, prefetchControl } from '../../test/lib/prefetch-kit.js';

async function popular(): Promise<PrefetchRig> {
  const b = new CacheBench('cache', withPrefetch('prefetch 0'));
  b.says = (q) => ({ answers: [a(q.qname, 60)] });
  b.handler.onStart();
  for (let i = 0; i < 600; i++) {
    if (i % 20 === 0) await b.ask('www.example.org', 'A', { do: true });
    if (i % 240 === 0) await b.ask('mail.example.org', 'A');
    b.advance(1);
  }
  return prefetchControl(b, () => MIDNIGHT_MS + 600_000);
}

test('prefetch list: the most popular names come first, each with what is known of it', async () => {
  const { services } = await popular();
  const rows = await services.commands.run('prefetch', 'list');
  assert.deepEqual(
    rows.map(({ name, type, flags }) => `${name} ${type} ${flags}`),
    ['www.example.org. A DO RD', 'mail.example.org. A RD'],
  );
  const [first, second] = rows;
  assert.ok((first?.popularity as number) > 80 && (second?.popularity as number) < 50);
  assert.equal(first?.late, first?.popularity);
  assert.equal(first?.day, '0 0 0 0 0 0 0 0');
  assert.ok(Math.abs((first?.lifetime as number) - 60) <= 3);
  assert.ok((first?.refresh as number) >= 0 && (first?.refresh as number) <= 60);
  assert.equal(second?.refresh, null);
  assert.equal((await services.commands.run('prefetch', 'list', '1')).length, 1);
});

test('prefetch list: what is not understood is told', async () => {
  const { services } = await popular();
  for (const [args, message] of [
    [[], 'prefetch: want list [N]'],
    [['drop'], 'prefetch: want list [N]'],
    [['list', '0'], 'prefetch list: want a number of names, not "0"'],
    [['list', '5', 'more'], 'prefetch: unexpected "more"'],
  ] as const) {
    await assert.rejects(services.commands.run('prefetch', ...args), { message });
  }
});
