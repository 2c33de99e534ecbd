// More than one message for a query: hedges, messages taken for lost, upstreams raced, and what the losers are good for.
import assert from 'node:assert/strict';
import test from 'node:test';
import { Rcode } from '../../core/plugin.js';
import { LIMIT, octetOf, refusing } from '../../test/lib/forward-rig.js';
import { type Asked, Scene } from '../../test/lib/forward-scene.js';

const octet = ({ reply }: Asked): number => (reply === undefined ? -1 : octetOf(reply));

/** Makes both known: the first answers within 1 ms, the second within 3. */
async function acquaint(scene: Scene): Promise<void> {
  const [first, second] = scene.upstreams;
  if (first !== undefined) first.delayMs = 1;
  if (second !== undefined) second.delayMs = 3;
  await scene.load(2200, 10);
}

test(
  'race: a query that takes longer than the upstream usually does goes to another one as well',
  LIMIT,
  async (t) => {
    const scene = await Scene.start(t, 2);
    await acquaint(scene);
    const [first, second] = scene.upstreams;
    assert.ok(first !== undefined && second !== undefined);
    const before = second.asked;
    first.delayMs = 400;
    const asked = scene.ask();
    await scene.pass(19, 1);
    assert.equal(second.asked, before);
    await scene.pass(5, 1);
    assert.equal(octet(asked), 2);
    assert.equal(second.asked, before + 1);
    assert.equal(scene.metric('hedges_total'), 1);
    assert.equal(scene.metric('hedge_wins_total'), 1);
    assert.equal(scene.metric('in_flight'), 0);
    // The first one's reply comes later, is counted as its time, and nobody else gets it.
    const replies = scene.metric('/proxy_request_duration_seconds');
    await scene.pass(400, 10);
    assert.equal(scene.metric('/proxy_request_duration_seconds'), replies + 1);
    assert.equal(scene.metric('unexpected_replies_total'), 0);
    // What it took makes the other one the faster of the two: no further query waits for a hedge.
    const next = await scene.askAndWait(1);
    assert.equal(octet(next), 2);
    assert.ok((next.tookMs as number) < 19, String(next.tookMs));
    assert.equal(scene.metric('hedges_total'), 1);
  },
);

test('race: hedges are a share of the queries, and none with hedge 0', LIMIT, async (t) => {
  for (const [property, most] of [
    ['hedge 5', 16 + 0.05 * 200],
    ['hedge 0', 0],
  ] as const) {
    const scene = await Scene.start(t, 2, `policy round_robin\nmax_fails 0\n${property}`);
    await acquaint(scene);
    const [first] = scene.upstreams;
    assert.ok(first !== undefined);
    first.delayMs = 90;
    const before = scene.metric('hedges_total') + scene.metric('explorations_total');
    await scene.load(1000, 5);
    await scene.pass(100, 10);
    const sent = scene.metric('hedges_total') + scene.metric('explorations_total') - before;
    assert.ok(sent <= most && sent >= most / 2, `${property}: ${sent}`);
  }
});

test(
  'race: with one upstream a datagram that was lost is sent once more, in time',
  LIMIT,
  async (t) => {
    const scene = await Scene.start(t, 1);
    const [only] = scene.upstreams;
    assert.ok(only !== undefined);
    await acquaint(scene);
    const lost = only.asked;
    only.loses = (n) => n === lost;
    const asked = await scene.askAndWait();
    assert.equal(octet(asked), 1);
    assert.ok((asked.tookMs as number) <= 150, String(asked.tookMs));
    assert.equal(only.asked, lost + 2);
    assert.equal(scene.metric('repeats_total'), 1);
  },
);

test(
  'race: repetitions end when an upstream answers nothing, and need replies to go on',
  LIMIT,
  async (t) => {
    const scene = await Scene.start(t, 1, 'max_fails 0');
    const [only] = scene.upstreams;
    assert.ok(only !== undefined);
    only.die();
    await scene.load(2000, 10);
    await scene.pass(5000, 100);
    assert.equal(scene.metric('repeats_total'), 64);
    assert.ok(scene.queries.every(({ reply }) => reply?.rcode === 'SERVFAIL'));
    assert.equal(scene.metric('in_flight'), 0);
  },
);

test('race: sequential keeps to its order when a datagram is lost', LIMIT, async (t) => {
  const scene = await Scene.start(t, 2, 'policy sequential');
  const [first, second] = scene.upstreams;
  assert.ok(first !== undefined && second !== undefined);
  await scene.load(300, 10);
  const lost = first.asked;
  first.loses = (n) => n === lost;
  assert.equal(octet(await scene.askAndWait()), 1);
  assert.equal(second.asked, 0);
});

test('race: over TCP nothing is repeated', LIMIT, async (t) => {
  const scene = await Scene.start(t, 1, 'force_tcp');
  const [only] = scene.upstreams;
  assert.ok(only !== undefined);
  only.die();
  assert.equal((await scene.askAndWait(100)).reply?.rcode, 'SERVFAIL');
  assert.equal(only.asked, 1);
});

test('race: parallel asks several at once and takes the first reply', LIMIT, async (t) => {
  const scene = await Scene.start(t, 3, 'parallel 2\npolicy sequential');
  const [first, second, third] = scene.upstreams;
  assert.ok(first !== undefined && second !== undefined && third !== undefined);
  first.delayMs = 50;
  second.delayMs = 10;
  const asked = await scene.askAndWait();
  assert.equal(octet(asked), 2);
  await scene.pass(100, 10);
  assert.deepEqual([first.asked, second.asked, third.asked], [1, 1, 0]);
});

test('race: an error does not win while another upstream may answer', LIMIT, async (t) => {
  const scene = await Scene.start(t, 2, 'parallel 2\npolicy sequential');
  const [first, second] = scene.upstreams;
  assert.ok(first !== undefined && second !== undefined);
  first.script = refusing(Rcode.SERVFAIL);
  second.delayMs = 30;
  assert.equal(octet(await scene.askAndWait()), 2);
  second.script = refusing(Rcode.REFUSED);
  assert.equal((await scene.askAndWait()).reply?.rcode, 'REFUSED');
});

test('race: NXDOMAIN against data is counted, and logged if wanted', LIMIT, async (t) => {
  const scene = await Scene.start(t, 2, 'parallel 2\npolicy sequential\nlog_disagreements');
  const [first, second] = scene.upstreams;
  assert.ok(first !== undefined && second !== undefined);
  second.delayMs = 10;
  await scene.askAndWait();
  await scene.pass(20, 10);
  assert.equal(scene.metric('disagreements_total'), 0);
  second.script = refusing(Rcode.NXDOMAIN);
  await scene.askAndWait();
  await scene.pass(20, 10);
  assert.equal(scene.metric('disagreements_total'), 1);
  const [a, b] = [first.server.address, second.server.address];
  assert.deepEqual(scene.rig.services.lines, [
    `warning upstreams disagree on n1.example.org.: ${a} has data, ${b} has NXDOMAIN`,
  ]);
});

test('race: a lame reply is the last choice', LIMIT, async (t) => {
  const scene = await Scene.start(t, 2, 'policy sequential');
  const [first, second] = scene.upstreams;
  assert.ok(first !== undefined && second !== undefined);
  // RD, neither RA nor AA, and a referral.
  first.script = (query) => ({
    flags: 0x0100,
    questions: query.questions ?? [],
    authorities: [{ name: 'org', type: 'NS', ttl: 60, data: 'ns.example.net' }],
  });
  assert.equal(octet(await scene.askAndWait()), 2);
  assert.equal(scene.metric('lame_replies_total'), 1);
  second.die();
  const { reply } = await scene.askAndWait(100);
  assert.equal(reply?.rcode, 'NOERROR');
  assert.equal(reply?.authorities?.length, 1);
});

test(
  'race: an upstream that was not asked lately gets a copy, and no client waits for it',
  LIMIT,
  async (t) => {
    const scene = await Scene.start(t, 2);
    const [first, second] = scene.upstreams;
    assert.ok(first !== undefined && second !== undefined);
    first.delayMs = 1;
    second.delayMs = 500;
    const asked = await scene.load(6000, 20);
    await scene.pass(1000, 10);
    const copies = scene.metric('explorations_total');
    assert.ok(copies >= 4 && copies <= 8, String(copies));
    // Until the second one was known.
    const slow = asked.filter(({ tookMs }) => (tookMs ?? 9999) > 40);
    assert.ok(slow.length <= 1, slow.map(({ tookMs }) => tookMs).join());
    // It has become fast: it is found, and used.
    second.delayMs = 1;
    first.delayMs = 30;
    const later = await scene.load(6000, 20);
    await scene.pass(100, 10);
    const [change] = later as [Asked];
    const found = later.filter(({ atMs }) => atMs >= change.atMs + 4000);
    assert.ok(found.length > 0 && found.every((each) => octet(each) === 2));
  },
);
