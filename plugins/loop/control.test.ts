import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type TestContext, test } from 'node:test';
import { PROCESS, type Signal, UPSTREAM_CHANGES } from '../../core/plugin.js';
import { FakeUpstream, fakeServices, makeQuery } from '../../core/testing.js';
import { LoopControl } from './control.js';
import { doorOf } from './probe.js';
import { State, Watch } from './watch.js';

const TIMES = { timeoutMs: 2000, retryMs: 1, limitMs: 30_000, againMs: 1 };

/** A server behind one door: each probe comes by `rounds` times before it is answered. */
async function rig(t: TestContext, rounds: number) {
  const heard = new EventTarget();
  const listeners = new Set<() => void>();
  const changes: Signal = {
    raise: () => {
      for (const listener of listeners) listener();
    },
    listen: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
  const state = { rounds, failure: '' };
  const server = await FakeUpstream.start(({ questions }) => {
    const name = questions?.[0]?.name ?? '';
    for (let i = 0; i < state.rounds; i++) {
      new Watch(control.published).count(makeQuery(name, 'HINFO'));
    }
    return {};
  });
  const services = fakeServices({
    servers: [`dns://127.0.0.1:${server.port}`],
    tokens: [
      [UPSTREAM_CHANGES, changes],
      [
        PROCESS,
        {
          fail: (reason: string) => {
            state.failure = reason;
            heard.dispatchEvent(new Event('failed'));
          },
        },
      ],
    ],
  });
  const control = new LoopControl(services, TIMES);
  t.after(async () => {
    control.onStop();
    await server.stop();
  });
  const watch = new Watch(control.published);
  const until = async (wanted: State): Promise<void> => {
    while (watch.state !== wanted) await new Promise((resolve) => setTimeout(resolve, 1));
  };
  return { server, services, control, changes, heard, state, until };
}

test('loop: a probe that is answered at once ends the watch', async (t) => {
  const { control, server, state, until } = await rig(t, 1);
  control.onStart();
  await until(State.WATCHING);
  await until(State.QUIET);
  assert.equal(server.queries.length, 1);
  assert.equal(server.queries[0]?.type, 'HINFO');
  assert.equal(state.failure, '');
});

test('loop: one at start is a reason not to run, and says what to do', async (t) => {
  const { control, heard, state, server } = await rig(t, 3);
  const failed = once(heard, 'failed');
  control.onStart();
  await failed;
  assert.ok(
    state.failure.startsWith(
      `loop: queries for "." that are forwarded come back to this server (127.0.0.1:${server.port}). `,
    ),
  );
  assert.match(state.failure, /\/run\/systemd\/resolve\/resolv\.conf/);
});

test('loop: one that comes with other upstreams is logged once, and forgotten when it is gone', async (t) => {
  const { control, changes, state, services, until } = await rig(t, 1);
  control.onStart();
  await until(State.WATCHING);
  await until(State.QUIET);
  state.rounds = 3;
  changes.raise();
  await until(State.LOOPING);
  state.rounds = 1;
  await until(State.QUIET);
  assert.equal(state.failure, '');
  assert.equal(services.lines.length, 2, services.lines.join('\n'));
  assert.match(services.lines[0] ?? '', /^error queries for "\." .*; answering SERVFAIL$/);
  assert.equal(services.lines[1], 'info no loop for "." any more');
  assert.equal(services.metrics.value('detected'), 0);
});

const doors = [
  ['dns://:53', { address: '127.0.0.1', port: 53 }],
  ['dns://192.0.2.1:1053', { address: '192.0.2.1', port: 1053 }],
  ['dns://[::1]:53', { address: '::1', port: 53 }],
  ['dns://[::]:53', { address: '::1', port: 53 }],
  ['tls://:853', undefined],
] as const;

for (const [listener, door] of doors) {
  test(`loop: the door of ${listener}`, () => {
    assert.deepEqual(doorOf(listener), door);
  });
}
