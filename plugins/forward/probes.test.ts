// When upstreams are probed: not while they answer, one probe at a time, ever more rarely, and no longer than needed.
import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import { Rcode } from '../../core/plugin.js';
import type { Script } from '../../core/testing.js';
import {
  answering,
  closedAddress,
  forwardRig,
  LIMIT,
  octetOf,
  questionName,
  refusing,
  until,
  upstreamFor,
} from '../../test/lib/forward-rig.js';
import { Scene } from '../../test/lib/forward-scene.js';

/** When probes reached the upstream of a scene, which are lost from now on. */
function deafness({ clock, upstreams }: Scene): number[] {
  const times: number[] = [];
  const [only] = upstreams;
  assert.ok(only !== undefined);
  only.loses = (n) => {
    if (n === -1) times.push(clock.nowMs);
    return true;
  };
  return times;
}

test('probes: an upstream that answers is never probed', LIMIT, async (t) => {
  const scene = await Scene.start(t, 2);
  await scene.load(5000, 50);
  await scene.pass(60_000, 1000);
  await scene.load(1000, 50);
  const probes = scene.upstreams.flatMap(({ server }) =>
    server.queries.filter(({ name }) => name === '.'),
  );
  assert.deepEqual(probes, []);
});

test(
  'probes: at the interval while suspected, then at pauses that vary and grow to 5 s, one at a time',
  LIMIT,
  async (t) => {
    const scene = await Scene.start(t, 1, 'max_fails 3\nread_timeout 500ms');
    const times = deafness(scene);
    await scene.askAndWait(100);
    await scene.pass(120_000, 50);
    // From one probe to the next: a second for its answer, and the pause.
    const pauses = times.slice(1).map((at, i) => at - (times[i] as number) - 1000);
    const [first, second, third, ...down] = pauses as [number, number, number, ...number[]];
    for (const pause of [first, second, third]) assert.ok(pause >= 500 && pause <= 600, `${pause}`);
    assert.ok(down.length >= 20, String(down.length));
    for (const pause of down) assert.ok(pause >= 500 && pause <= 5100, String(pause));
    assert.ok(Math.max(...down) > 3000, down.join());
    // Two in three are the longest. Fewer than three different ones did not come in 300,000 sequences drawn.
    assert.ok(new Set(down).size >= 3, down.join());
    // The last one may still be waited for.
    const failed = scene.metric('/proxy_healthcheck_failures_total');
    assert.ok(failed === times.length || failed === times.length - 1);
  },
);

test('probes: they end when a query is answered', LIMIT, async (t) => {
  const scene = await Scene.start(t, 1, 'read_timeout 500ms');
  const times = deafness(scene);
  await scene.askAndWait(100);
  await scene.pass(1000, 100);
  const [only] = scene.upstreams;
  assert.ok(only !== undefined && times.length >= 1);
  only.revive();
  const { reply } = await scene.askAndWait(10);
  assert.ok(reply !== undefined && octetOf(reply) === 1);
  const before = only.server.queries.length;
  await scene.pass(30_000, 500);
  // One may have been on its way.
  assert.ok(only.server.queries.length <= before + 1);
  assert.equal(scene.metric('state_changes_total', { state: 'trusted' }), 1);
});

const unreadable: Script = (_query, _transport, raw) => {
  const reply = Buffer.from(raw);
  reply[2] = 0x81;
  reply[7] = 3;
  return reply;
};

for (const { name, address, why } of [
  {
    name: 'replies that cannot be read',
    address: async (t) => (await upstreamFor(t, unreadable)).address,
    why: 'unusable replies',
  },
  { name: 'a closed port', address: closedAddress, why: 'not reachable' },
] as const satisfies readonly {
  name: string;
  address: (t: TestContext) => Promise<string>;
  why: string;
}[]) {
  test(
    `probes: ${name} make an upstream suspected, with one line that says why`,
    LIMIT,
    async (t) => {
      const bad = await address(t);
      const good = await upstreamFor(t, answering(2));
      const text = `forward . ${bad} ${good.address} {\npolicy sequential\n}`;
      const r = await forwardRig(t, text);
      for (let i = 0; i < 5; i++) assert.equal(octetOf(await r.ask(`n${i}.example.org`)), 2);
      assert.equal(r.services.lines[0], `info upstream ${bad} is suspected: ${why}`);
      const labels = { to: bad, state: 'suspected' };
      assert.ok(r.services.metrics.value('state_changes_total', labels) >= 1);
    },
  );
}

for (const rcode of [Rcode.SERVFAIL, Rcode.REFUSED, Rcode.NXDOMAIN]) {
  test(`probes: any reply is a success, rcode ${rcode} too`, LIMIT, async (t) => {
    let isDead = true;
    const server = await upstreamFor(t, (query, transport, raw) => {
      if (isDead) return undefined;
      const script = questionName(query) === '.' ? refusing(rcode) : answering(1);
      return script(query, transport, raw);
    });
    const r = await forwardRig(t, `forward . ${server.address} {\nread_timeout 300ms\n}`);
    const first = r.ask('first.example.org');
    await until(() => server.queries.length === 1);
    r.clock.advance(300);
    assert.equal((await first).rcode, 'SERVFAIL');
    await until(() => server.queries.length === 2);
    isDead = false;
    r.clock.advance(1000);
    r.clock.advance(500);
    const trusted = (): number =>
      r.services.metrics.value('state_changes_total', { state: 'trusted' });
    await until(() => trusted() === 1);
    assert.equal(octetOf(await r.ask('second.example.org')), 1);
  });
}
