// Sets of upstreams that follow one another while queries are under way: each query ends where it began, what stays is kept, what is gone is closed.
import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import type { FakeUpstream, Script } from '../../core/testing.js';
import {
  answering,
  asked,
  type ForwardRig,
  forwardRig,
  LIMIT,
  octetOf,
  publishForward,
  questionName,
  until,
  upstreamFor,
} from '../../test/lib/forward-rig.js';
import { oldestSet } from './health-cells.js';
import type { Published } from './publish.js';

interface Scene {
  readonly rig: ForwardRig;
  readonly cells: Int32Array;
  /** These, by their place in the Corefile, are the upstreams from now on. */
  change(...places: readonly number[]): void;
}

/** `upstreams` are asked first to last; the set begins with the first alone. */
async function scene(
  t: TestContext,
  upstreams: readonly FakeUpstream[],
  more = '',
): Promise<Scene> {
  const to = upstreams.map(({ address }) => address).join(' ');
  const text = `forward . ${to} {\npolicy sequential\n${more}\n}`;
  const all = publishForward(text, 1) as Published;
  const setOf = (set: number, places: readonly number[]): Published => ({
    ...all,
    set,
    targets: places.flatMap((place) => all.targets.slice(place, place + 1)),
  });
  const rig = await forwardRig(t, text, { published: setOf(1, [0]) });
  let set = 1;
  return {
    rig,
    cells: all.cells,
    change(...places) {
      void rig.handler.onPublished?.(setOf(++set, places));
    },
  };
}

/** Answers only when it is let go. */
function held(octet: number): { readonly script: Script; release(): void } {
  let release = (): void => {};
  const gate = new Promise<void>((resolve) => {
    release = resolve;
  });
  const script: Script = async (query) => {
    await gate;
    return answering(octet)(query, 'udp', Buffer.alloc(0)) as never;
  };
  return { script, release: () => release() };
}

test(
  'sets: a query ends with the upstream it began with, the next one goes to the new one',
  LIMIT,
  async (t) => {
    const gate = held(1);
    const [old, fresh] = [await upstreamFor(t, gate.script), await upstreamFor(t, answering(2))];
    const { rig, cells, change } = await scene(t, [old, fresh]);
    const early = rig.ask('early.example.org');
    await until(() => asked(old).length === 1);
    change(1);
    assert.equal(octetOf(await rig.ask('late.example.org')), 2);
    assert.equal(rig.services.metrics.value('earlier_sets'), 1);
    rig.clock.advance(1_000);
    assert.equal(oldestSet(cells), 1, 'it waits');
    gate.release();
    assert.equal(octetOf(await early), 1);
    rig.clock.advance(1_000);
    assert.equal(rig.services.metrics.value('earlier_sets'), 0);
    assert.equal(oldestSet(cells), 2);
    assert.deepEqual(asked(old), ['early.example.org']);
    assert.deepEqual(asked(fresh), ['late.example.org']);
  },
);

test(
  'sets: a query whose upstream fails after the change tries the others of its own set',
  LIMIT,
  async (t) => {
    const silent = await upstreamFor(t, () => undefined);
    const [second, fresh] = [
      await upstreamFor(t, answering(2)),
      await upstreamFor(t, answering(3)),
    ];
    const { rig, change } = await scene(t, [silent, second, fresh], 'read_timeout 1s');
    change(0, 1);
    const early = rig.ask('early.example.org');
    await until(() => asked(silent).length === 1);
    change(2);
    rig.clock.advance(1_000);
    assert.equal(octetOf(await early), 2);
    rig.clock.advance(1_000);
  },
);

for (const force of ['', 'force_tcp']) {
  test(
    `sets: an upstream that stays keeps its ${force === '' ? 'sockets' : 'connections'}`,
    LIMIT,
    async (t) => {
      const servers = [await upstreamFor(t, answering(1)), await upstreamFor(t, answering(2))];
      const { rig, change } = await scene(t, servers, force);
      const opened = (): number =>
        rig.services.metrics.value('/proxy_conn_cache_misses_total', {
          to: servers[0]?.address ?? '',
        });
      // The pool of sockets fills at random; with all of them open none is opened any more.
      for (let i = 0; i < 100; i++) await rig.ask(`n${i}.example.org`);
      const before = opened();
      change(1, 0);
      change(0);
      for (let i = 0; i < 20; i++) assert.equal(octetOf(await rig.ask(`m${i}.example.org`)), 1);
      assert.equal(opened(), before);
      rig.clock.advance(1_000);
      assert.equal(octetOf(await rig.ask('www.example.org')), 1);
      assert.equal(opened(), before);
    },
  );
}

test(
  'sets: connections to an upstream that is gone are closed when nobody waits there',
  LIMIT,
  async (t) => {
    const gate = held(1);
    const [old, fresh] = [await upstreamFor(t, gate.script), await upstreamFor(t, answering(2))];
    const { rig, change } = await scene(t, [old, fresh], 'force_tcp');
    const open = (): number =>
      rig.services.metrics.value('connections', { to: old.address, proto: 'tcp' });
    const early = rig.ask('early.example.org');
    await until(() => asked(old).length === 1);
    change(1);
    rig.clock.advance(1_000);
    assert.equal(open(), 1);
    gate.release();
    assert.equal(octetOf(await early), 1);
    rig.clock.advance(1_000);
    assert.equal(open(), 0);
  },
);

test('sets: one that comes back while it is still waited for is the same', LIMIT, async (t) => {
  const gate = held(1);
  const [old, fresh] = [await upstreamFor(t, gate.script), await upstreamFor(t, answering(2))];
  const { rig, change } = await scene(t, [old, fresh], 'force_tcp');
  const early = rig.ask('early.example.org');
  await until(() => asked(old).length === 1);
  change(1);
  change(0);
  gate.release();
  assert.equal(octetOf(await early), 1);
  rig.clock.advance(1_000);
  assert.equal(octetOf(await rig.ask('late.example.org')), 1);
  assert.equal(
    rig.services.metrics.value('/proxy_conn_cache_misses_total', { to: old.address }),
    0,
  );
  assert.equal(rig.services.metrics.value('connections_ahead_total', { to: old.address }), 1);
});

test('sets: what is known of the health of one that stays is kept', LIMIT, async (t) => {
  const [dead, good] = [await upstreamFor(t, () => undefined), await upstreamFor(t, answering(2))];
  const { rig, change } = await scene(t, [dead, good], 'read_timeout 100ms\nhealth_check 1h');
  change(0, 1);
  const first = rig.ask('a.example.org');
  await until(() => asked(dead).length === 1);
  rig.clock.advance(100);
  assert.equal(octetOf(await first), 2);
  change(1, 0);
  change(0, 1);
  const before = asked(dead).length;
  assert.equal(octetOf(await rig.ask('b.example.org')), 2);
  assert.equal(asked(dead).length, before, 'it is asked last');
});

test('sets: none of many queries is lost while upstreams come and go', LIMIT, async (t) => {
  const delayed =
    (octet: number): Script =>
    async (query) => {
      // Some are answered at once, others several changes later.
      const turns = Number(questionName(query).split('.')[0]?.slice(1)) % 7;
      for (let i = 0; i < turns; i++) await new Promise((resolve) => setImmediate(resolve));
      return answering(octet)(query, 'udp', Buffer.alloc(0)) as never;
    };
  const servers: FakeUpstream[] = [];
  for (const octet of [1, 2, 3, 4]) servers.push(await upstreamFor(t, delayed(octet)));
  for (const force of ['', 'force_tcp']) {
    const { rig, change } = await scene(t, servers, force);
    const answers: Promise<number>[] = [];
    for (let i = 0; i < 2_000; i++) {
      answers.push(rig.ask(`n${i}.example.org`).then(octetOf));
      if (i % 10 === 9) change((i / 10 + 1) & 3, (i / 10) & 3);
      if (i % 100 === 99) {
        await new Promise((resolve) => setImmediate(resolve));
        rig.clock.advance(10);
      }
    }
    const octets = await Promise.all(answers);
    assert.ok(
      octets.every((octet) => octet > 0),
      `${octets.filter((octet) => octet === 0).length} were lost`,
    );
    assert.equal(new Set(octets).size, servers.length);
    rig.clock.advance(1_000);
    assert.equal(rig.services.metrics.value('earlier_sets'), 0);
  }
});

test('sets: at the stop queries of earlier sets get their error, too', LIMIT, async (t) => {
  const servers = [await upstreamFor(t, () => undefined), await upstreamFor(t, answering(2))];
  const { rig, change } = await scene(t, servers);
  const early = rig.ask('early.example.org');
  await until(() => asked(servers[0] as FakeUpstream).length === 1);
  change(1);
  await rig.handler.onStop?.();
  assert.equal((await early).rcode, 'SERVFAIL');
});
