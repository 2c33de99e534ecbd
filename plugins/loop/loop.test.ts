import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Ede, parseName, type Query } from '../../core/plugin.js';
import { ask, makeQuery } from '../../core/testing.js';
import { LoopHandler } from './loop.js';
import { allocateWatch, State, Watch } from './watch.js';

const PROBE = 'x1.y2.example.org';

/** A handler before an upstream that counts, and what the control part holds. */
function watched(): {
  readonly watch: Watch;
  readonly passed: () => number;
  readonly query: (name?: string, type?: string) => ReturnType<typeof ask>;
} {
  const memory = allocateWatch();
  const handler = new LoopHandler(new Watch(memory));
  let passed = 0;
  const next = (q: Query) => {
    passed++;
    return q.replyRcode(3);
  };
  const watch = new Watch(memory);
  watch.begin(parseName(PROBE));
  const query = (name = PROBE, type = 'HINFO') =>
    ask(handler, makeQuery(name, type, { do: true }), next);
  return { watch, passed: () => passed, query };
}

test('loop: without a probe under way nothing is counted', async () => {
  const { watch, passed, query } = watched();
  for (let i = 0; i < 5; i++) assert.equal((await query()).rcode, 'NXDOMAIN');
  assert.deepEqual([watch.seen, passed()], [0, 5]);
});

test('loop: a probe is counted whatever its case, and ends here the third time', async () => {
  const { watch, passed, query } = watched();
  watch.state = State.WATCHING;
  assert.equal((await query()).rcode, 'NXDOMAIN');
  assert.equal((await query(PROBE.toUpperCase())).rcode, 'NXDOMAIN');
  assert.equal((await query()).rcode, 'REFUSED');
  assert.deepEqual([watch.seen, passed()], [3, 2]);
});

test('loop: other names and types are no probe', async () => {
  const { watch, passed, query } = watched();
  watch.state = State.WATCHING;
  await query(PROBE, 'A');
  await query('x1.y2.example.net');
  await query(`a.${PROBE}`);
  assert.deepEqual([watch.seen, passed()], [0, 3]);
});

test('loop: while there is one, queries are answered here and probes go on', async () => {
  const { watch, passed, query } = watched();
  watch.state = State.LOOPING;
  const reply = await query('www.example.org', 'A');
  assert.equal(reply.rcode, 'SERVFAIL');
  assert.equal(passed(), 0);
  await query();
  assert.deepEqual([watch.seen, passed()], [1, 1]);
  assert.equal(Ede.NO_REACHABLE_AUTHORITY, 22);
});
