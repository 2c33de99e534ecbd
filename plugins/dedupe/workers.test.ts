// Several workers over one memory, in one thread: mail is taken when the test says so.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Answer, type Query, type Reply, whenDone } from '../../core/plugin.js';
import { ask } from '../../core/testing.js';
import {
  addressOf,
  asked,
  type DedupeBench,
  dedupeWorkers,
  exchange,
  FAILURE,
  sumOf,
  withAddress,
} from '../../test/lib/dedupe-bench.js';

type Three = [DedupeBench, DedupeBench, DedupeBench];

test('dedupe: 1,000 clients spread over three workers cause one query, and each gets its own reply', async () => {
  const workers = dedupeWorkers(3);
  const replies = Array.from({ length: 1000 }, (_, id) => {
    const b = workers[id % 3] as DedupeBench;
    return b.ask(b.query(id % 2 ? 'example.org' : 'EXAMPLE.org', { id }));
  });
  assert.deepEqual(asked(workers), [1, 0, 0]);
  assert.equal(sumOf(workers, 'waiters'), 999);
  workers[0]?.answer('192.0.2.77');
  exchange(workers);
  for (const [id, reply] of (await Promise.all(replies)).entries()) {
    assert.equal(reply.id, id);
    assert.equal(reply.questions?.[0]?.name, id % 2 ? 'example.org' : 'EXAMPLE.org');
    assert.equal(addressOf(reply), '192.0.2.77');
  }
  assert.deepEqual(asked(workers), [1, 0, 0]);
  assert.equal(sumOf(workers, 'joined_total', { leader: 'local' }), 333);
  assert.equal(sumOf(workers, 'joined_total', { leader: 'remote' }), 666);
  assert.equal(sumOf(workers, 'waiters'), 0);
  for (const { timers } of workers) assert.equal(timers.size, 0);
});

test('dedupe: the next query after the reply asks again, in any worker', async () => {
  const workers = dedupeWorkers(2) as [DedupeBench, DedupeBench];
  const [a, b] = workers;
  void a.ask();
  const first = b.ask();
  a.answer('192.0.2.1');
  exchange(workers);
  assert.equal(addressOf(await first), '192.0.2.1');
  const second = b.ask();
  const third = a.ask();
  b.answer('192.0.2.2');
  exchange(workers);
  for (const reply of await Promise.all([second, third])) {
    assert.equal(addressOf(reply), '192.0.2.2');
  }
  assert.deepEqual(asked(workers), [1, 1]);
});

test('dedupe: other questions, flags and transports of another worker are not joined', () => {
  const [a, b] = dedupeWorkers(2) as [DedupeBench, DedupeBench];
  void a.ask();
  for (const options of [
    { do: true },
    { cd: true },
    { rd: false },
    { zone: 1 },
    { transport: 1 },
  ] as const) {
    void b.ask(b.query('example.org', options));
  }
  void b.ask(b.query('example.org', {}, 'AAAA'));
  void b.ask(b.query('example.net'));
  assert.equal(b.asked, 7);
});

test('dedupe: when a leader fails one of all that wait asks again for all', async () => {
  const workers = dedupeWorkers(3) as Three;
  const [a, b, c] = workers;
  const replies = [a, b, b, c, c].map((worker) => worker.ask());
  a.fail();
  exchange(workers);
  assert.equal((await replies[0])?.rcode, 'SERVFAIL');
  assert.deepEqual(asked(workers), [1, 1, 0]);
  b.answer('192.0.2.5');
  exchange(workers);
  for (const reply of await Promise.all(replies.slice(1))) {
    assert.equal(addressOf(reply), '192.0.2.5');
  }
  assert.deepEqual(asked(workers), [1, 1, 0]);
  assert.equal(sumOf(workers, 'retries_total'), 1);
});

test('dedupe: the worker whose leader failed keeps the question when somebody waits there', async () => {
  const workers = dedupeWorkers(2) as [DedupeBench, DedupeBench];
  const [a, b] = workers;
  const replies = [a, a, b].map((worker) => worker.ask());
  a.fail();
  exchange(workers);
  assert.deepEqual(asked(workers), [2, 0]);
  a.answer('192.0.2.6');
  exchange(workers);
  for (const reply of await Promise.all(replies.slice(1))) {
    assert.equal(addressOf(reply), '192.0.2.6');
  }
});

test('dedupe: who hears of a failure when the second try has succeeded too does not ask', async () => {
  const workers = dedupeWorkers(2) as [DedupeBench, DedupeBench];
  const [a, b] = workers;
  const replies = [a, a, b, b].map((worker) => worker.ask());
  a.fail();
  a.answer('192.0.2.20');
  exchange(workers);
  for (const reply of await Promise.all(replies.slice(1))) {
    assert.equal(addressOf(reply), '192.0.2.20');
  }
  assert.deepEqual(asked(workers), [2, 0]);
  assert.equal(sumOf(workers, 'waiters'), 0);
});

test('dedupe: whom two leaders let down gets the error, in any worker', async () => {
  const workers = dedupeWorkers(2) as [DedupeBench, DedupeBench];
  const [a, b] = workers;
  const codes: (string | undefined)[] = [];
  const noted = (answer: Answer): Answer =>
    whenDone(answer, (reply: Reply) => {
      codes.push(reply.error?.code);
      return reply;
    });
  const early = [a, a, b, b].map((worker) =>
    ask(
      (q) => noted(worker.handler.serve(q, worker.next)),
      worker.query('example.org', { udpSize: 1232 }),
    ),
  );
  a.fail();
  exchange(workers);
  const late = b.ask();
  a.fail();
  exchange(workers);
  for (const reply of await Promise.all(early)) {
    assert.equal(reply.rcode, 'SERVFAIL');
    const [opt] = reply.additionals ?? [];
    const [ede] = opt?.type === 'OPT' ? opt.options : [];
    assert.equal(ede?.data?.toString('latin1').slice(2), 'upstream timed out');
  }
  assert.deepEqual(codes, Array(4).fill(FAILURE.code));
  assert.deepEqual(asked(workers), [2, 1]);
  b.answer('192.0.2.7');
  assert.equal(addressOf(await late), '192.0.2.7');
  assert.equal(sumOf(workers, 'waiters'), 0);
});

test('dedupe: a leader that ends in a fault is replaced by another worker', async () => {
  const workers = dedupeWorkers(2) as [DedupeBench, DedupeBench];
  const [a, b] = workers;
  const first = a.ask();
  const second = b.ask();
  (a.upstream.shift() as Query).fail(new Error('broken'));
  await assert.rejects(first, /broken/);
  exchange(workers);
  assert.deepEqual(asked(workers), [1, 1]);
  b.answer('192.0.2.8');
  assert.equal(addressOf(await second), '192.0.2.8');
});

test('dedupe: a plugin that throws at once leaves no claim behind', () => {
  const [a, b] = dedupeWorkers(2) as [DedupeBench, DedupeBench];
  assert.throws(
    () =>
      a.handler.serve(a.query(), () => {
        throw new Error('broken');
      }),
    /broken/,
  );
  void b.ask();
  assert.equal(b.asked, 1);
});

test('dedupe: an answer that is there at once is handed to who waits elsewhere', async () => {
  const workers = dedupeWorkers(2) as [DedupeBench, DedupeBench];
  const [a, b] = workers;
  let waiting: ReturnType<DedupeBench['ask']> | undefined;
  const got = await a.ask(a.query(), (q) => {
    waiting = b.ask();
    return withAddress(q, '192.0.2.9');
  });
  exchange(workers);
  assert.equal(addressOf(got), '192.0.2.9');
  assert.equal(addressOf((await waiting) as Awaited<typeof got>), '192.0.2.9');
  assert.equal(b.asked, 0);
});

test('dedupe: only the first of those that wait shows its reply as one to keep', async () => {
  const workers = dedupeWorkers(2) as [DedupeBench, DedupeBench];
  const [a, b] = workers;
  const shared: boolean[] = [];
  const asks = [a, a, a, b, b, b].map((worker) =>
    ask(
      (q) =>
        whenDone(worker.handler.serve(q, worker.next), (reply: Reply) => {
          shared.push(reply.isShared);
          return reply;
        }),
      worker.query(),
    ),
  );
  a.answer();
  exchange(workers);
  await Promise.all(asks);
  // Two that wait and the leader here, three there.
  assert.deepEqual(shared, [false, true, false, false, true, true]);
});

test('dedupe: an open handler takes its mail by itself and leaves no timer when it stops', async (t) => {
  const workers = dedupeWorkers(2) as [DedupeBench, DedupeBench];
  const [a, b] = workers;
  for (const { handler } of workers) {
    handler.onStart();
    t.after(() => handler.onStop());
  }
  void a.ask();
  const waiting = b.ask();
  assert.equal(b.timers.size, 1);
  a.answer('192.0.2.19');
  assert.equal(addressOf(await waiting), '192.0.2.19');
  void a.ask();
  void b.ask();
  b.handler.onStop();
  assert.equal(b.timers.size, 0);
});

test('dedupe: an error that is final is shared too', async () => {
  const workers = dedupeWorkers(2) as [DedupeBench, DedupeBench];
  const [a, b] = workers;
  const shared: boolean[] = [];
  const asks = [a, b, b].map((worker) =>
    ask(
      (q) =>
        whenDone(worker.handler.serve(q, worker.next), (reply: Reply) => {
          shared.push(reply.isShared);
          return reply;
        }),
      worker.query(),
    ),
  );
  a.fail();
  exchange(workers);
  b.fail();
  await Promise.all(asks);
  // Two leaders, and one whom both let down.
  assert.deepEqual(shared.sort(), [false, false, true]);
});

test('dedupe: mail finds the time up to date', (t) => {
  const [a] = dedupeWorkers(2) as [DedupeBench, DedupeBench];
  const refresh = t.mock.method(a.clock, 'refresh');
  a.handler.onMail();
  assert.equal(refresh.mock.callCount(), 1);
});
