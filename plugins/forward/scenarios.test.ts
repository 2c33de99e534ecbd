// What clients notice of upstreams that lose messages, become slow, fail, die and return.
import assert from 'node:assert/strict';
import test from 'node:test';
import { Ede, Rcode } from '../../core/plugin.js';
import {
  closedAddress,
  edeOf,
  forwardRig,
  LIMIT,
  octetOf,
  refusing,
  WITH_EDE,
} from '../../test/lib/forward-rig.js';
import { type Asked, Scene, type Scripted } from '../../test/lib/forward-scene.js';

const octet = ({ reply }: Asked): number => (reply === undefined ? -1 : octetOf(reply));
const took = ({ tookMs }: Asked): number => tookMs ?? Number.POSITIVE_INFINITY;

/** The upstreams of a scene with two. */
function both(scene: Scene): [Scripted, Scripted] {
  return scene.upstreams as unknown as [Scripted, Scripted];
}

/** Loses this share of the queries, in an order that looks random and is always the same. */
function losing(share: number): (n: number) => boolean {
  let state = 12_345;
  return () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return state / 2 ** 32 < share;
  };
}

for (const { share, upstreams, late } of [
  { share: 0.01, upstreams: 1, late: 100 },
  { share: 0.1, upstreams: 1, late: 700 },
  { share: 0.01, upstreams: 2, late: 100 },
  { share: 0.1, upstreams: 2, late: 300 },
]) {
  test(
    `scenario: ${share * 100} % loss, ${upstreams} upstream(s): every client is answered, within ${late} ms`,
    LIMIT,
    async (t) => {
      const scene = await Scene.start(t, upstreams);
      for (const upstream of scene.upstreams) upstream.delayMs = 2;
      await scene.load(500, 5);
      for (const upstream of scene.upstreams) upstream.loses = losing(share);
      const asked = await scene.load(2000, 10);
      await scene.pass(3000, 20);
      const worst = Math.max(...asked.map(took));
      assert.ok(asked.every((a) => octet(a) > 0));
      assert.ok(worst <= late + 20, String(worst));
    },
  );
}

for (const upstreams of [1, 2]) {
  test(
    `scenario: 50 % loss, ${upstreams} upstream(s): nine in ten clients are answered all the same`,
    LIMIT,
    async (t) => {
      const scene = await Scene.start(t, upstreams);
      for (const upstream of scene.upstreams) upstream.loses = losing(0.5);
      const asked = await scene.load(2000, 10);
      await scene.pass(5000, 50);
      const answered = asked.filter((a) => octet(a) > 0).length;
      assert.ok(answered >= 180, String(answered));
    },
  );
}

for (const { over, properties, everyMs } of [
  { over: 'UDP', properties: '', everyMs: 10 },
  { over: 'UDP, and is busy', properties: '', everyMs: 2 },
  { over: 'TCP', properties: 'force_tcp', everyMs: 10 },
]) {
  test(
    `scenario: one of two turns from 1 ms to 1 s over ${over}: few clients wait, and it is asked no more`,
    LIMIT,
    async (t) => {
      const scene = await Scene.start(t, 2, properties);
      const [first, second] = both(scene);
      first.delayMs = 1;
      second.delayMs = 5;
      await scene.load(2000, everyMs);
      first.delayMs = 1000;
      const asked = await scene.load(4000, everyMs);
      await scene.pass(2000, 20);
      const slow = asked.filter((a) => took(a) >= 1000);
      assert.ok(slow.length <= 3, String(slow.length));
      const late = asked.filter((a) => a.atMs >= (asked[0] as Asked).atMs + 2000);
      assert.ok(late.length >= 100);
      assert.ok(late.every((a) => octet(a) === 2 && took(a) < 50));
    },
  );
}

for (const { over, properties } of [
  { over: 'UDP', properties: '' },
  { over: 'TCP', properties: 'force_tcp' },
]) {
  test(
    `scenario: one of two goes silent over ${over}: no client waits for its time-out`,
    LIMIT,
    async (t) => {
      const scene = await Scene.start(t, 2, properties);
      const [first, second] = both(scene);
      first.delayMs = 1;
      second.delayMs = 5;
      await scene.load(2000, 10);
      first.die();
      const asked = await scene.load(3000, 10);
      await scene.pass(500, 10);
      assert.ok(asked.every((a) => octet(a) === 2));
      assert.ok(Math.max(...asked.map(took)) <= 300, String(Math.max(...asked.map(took))));
      const [to] = [first.server.address];
      assert.equal(scene.metric('state_changes_total', { to, state: 'suspected' }), 1);
    },
  );
}

for (const policy of ['random', 'round_robin', 'hash', 'random\nforce_tcp'] as const) {
  test(
    `scenario: one of two goes silent under ${policy.replace('\n', ', ')}: no client waits longer than one attempt`,
    LIMIT,
    async (t) => {
      const scene = await Scene.start(t, 2, `policy ${policy}`);
      const [first] = both(scene);
      await scene.load(1000, 10);
      first.die();
      const asked = await scene.load(4000, 20);
      await scene.pass(2000, 20);
      assert.ok(asked.every((a) => octet(a) === 2));
      assert.ok(Math.max(...asked.map(took)) <= 2020);
      assert.ok(
        asked.filter((a) => a.atMs > (asked[0] as Asked).atMs + 3000).every((a) => took(a) < 50),
      );
    },
  );
}

test('scenario: a closed port costs clients nothing', LIMIT, async (t) => {
  const scene = await Scene.start(t, 1);
  const [good] = scene.upstreams;
  assert.ok(good !== undefined);
  const rig = await forwardRig(t, `forward . ${await closedAddress()} ${good.server.address}`);
  for (let i = 0; i < 20; i++) {
    assert.equal(octetOf(await rig.ask(`c${i}.example.org`)), 1);
  }
});

for (const rcode of [Rcode.SERVFAIL, Rcode.REFUSED, Rcode.FORMERR]) {
  test(
    `scenario: an upstream that answers everything with rcode ${rcode} is found out`,
    LIMIT,
    async (t) => {
      const scene = await Scene.start(t, 2);
      const [first, second] = both(scene);
      first.delayMs = 1;
      second.delayMs = 5;
      await scene.load(1000, 10);
      first.script = refusing(rcode);
      const asked = await scene.load(5000, 10);
      await scene.pass(100, 10);
      const refused = asked.filter((a) => octet(a) !== 2).length;
      assert.ok(refused <= 6, String(refused));
      // One more client finds out whether it is better, every 10 s.
      first.script = second.script;
      await scene.load(8000, 20);
      const later = await scene.load(4000, 20);
      await scene.pass(100, 10);
      assert.ok(later.every((a) => octet(a) === 2));
      assert.ok(first.asked > 0);
    },
  );
}

test(
  'scenario: errors about one name do not make its upstreams suspected for long',
  LIMIT,
  async (t) => {
    const scene = await Scene.start(t, 2);
    for (const upstream of scene.upstreams) upstream.script = refusing(Rcode.SERVFAIL);
    const bad = await scene.load(500, 10);
    await scene.pass(50, 10);
    assert.ok(bad.every(({ reply }) => reply?.rcode === 'SERVFAIL'));
    const [first, second] = both(scene);
    assert.ok(first.asked >= 5 && second.asked >= 5, `${first.asked} ${second.asked}`);
  },
);

test('scenario: an upstream dies, returns, and is used again within 10 s', LIMIT, async (t) => {
  const scene = await Scene.start(t, 2);
  const [first, second] = both(scene);
  first.delayMs = 1;
  second.delayMs = 30;
  await scene.load(2000, 20);
  first.die();
  const during = await scene.load(30_000, 100);
  assert.ok(during.slice(0, -1).every((a) => octet(a) === 2));
  first.revive();
  const after = await scene.load(12_000, 50);
  await scene.pass(100, 10);
  const used = after.filter((a) => octet(a) === 1);
  assert.ok(used.length > 0);
  assert.ok((used[0] as Asked).atMs - (after[0] as Asked).atMs <= 10_000);
  const to = first.server.address;
  for (const state of ['suspected', 'down', 'trusted']) {
    assert.equal(scene.metric('state_changes_total', { to, state }), 1, state);
  }
  assert.deepEqual(
    scene.rig.services.lines.filter((line) => line.includes(to)),
    [
      `info upstream ${to} is suspected: timed out`,
      `warning upstream ${to} is down`,
      `info upstream ${to} is up again`,
    ],
  );
});

test(
  'scenario: all die: SERVFAIL at once, but for one query at a time; all return',
  LIMIT,
  async (t) => {
    const scene = await Scene.start(t, 2);
    for (const upstream of scene.upstreams) upstream.delayMs = 1;
    await scene.load(500, 10);
    for (const upstream of scene.upstreams) upstream.die();
    await scene.load(12_000, 200);
    const asked = await scene.load(4000, 50);
    await scene.pass(3000, 50);
    assert.ok(asked.every(({ reply }) => reply?.rcode === 'SERVFAIL'));
    const waited = asked.filter((a) => took(a) > 0).length;
    assert.ok(waited >= 1 && waited <= 3, String(waited));
    // This one tries, the next one hears at once.
    scene.ask();
    const reply = await scene.rig.ask('www.example.org', 'A', WITH_EDE);
    assert.equal(edeOf(reply), Ede.NO_REACHABLE_AUTHORITY);
    for (const upstream of scene.upstreams) upstream.revive();
    await scene.load(10_000, 100);
    const after = await scene.load(500, 10);
    await scene.pass(50, 10);
    assert.ok(after.every((a) => octet(a) > 0));
  },
);
