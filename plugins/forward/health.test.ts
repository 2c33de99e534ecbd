// What *forward* knows of an upstream that failed: probes, being down, coming back, and that workers agree.
import assert from 'node:assert/strict';
import test from 'node:test';
import { decode } from 'dns-packet';
import { Ede, Transport } from '../../core/plugin.js';
import { FakeClock } from '../../core/testing.js';
import {
  answering,
  asked,
  closedAddress,
  edeOf,
  forwardRig,
  LIMIT,
  octetOf,
  publishForward,
  questionName,
  until,
  upstreamFor,
  WITH_EDE,
} from '../../test/lib/forward-rig.js';

test(
  'health: an upstream that failed is first again once a probe is answered',
  LIMIT,
  async (t) => {
    let isDead = true;
    const first = await upstreamFor(t, (query, transport, raw) =>
      isDead ? undefined : answering(1)(query, transport, raw),
    );
    const second = await upstreamFor(t, answering(2));
    const text = `forward . ${first.address} ${second.address} {\npolicy sequential\n}`;
    const r = await forwardRig(t, text);
    const paying = r.ask('a.example.org');
    await until(() => first.queries.length === 1);
    r.clock.advance(2000);
    assert.equal(octetOf(await paying), 2);
    await until(() => first.queries.length === 2, 'no probe was sent');
    assert.equal(first.queries[1]?.name, '.');
    assert.equal(first.queries[1]?.type, 'NS');
    assert.equal(decode(first.queries[1]?.raw as Buffer).flag_rd, true);

    // The probe goes unanswered for 1 s, the next one follows half a second later.
    r.clock.advance(1000);
    assert.equal(octetOf(await r.ask('b.example.org')), 2);
    isDead = false;
    r.clock.advance(500);
    await until(() => first.queries.length === 3);
    await until(() => r.timers.size <= 3);
    for (let i = 0; i < 100 && asked(first).length < 2; i++) await r.ask(`n${i}.example.org`);
    assert.equal(octetOf(await r.ask('c.example.org')), 1);
  },
);

test('health: probes ask what health_check says, at its interval', LIMIT, async (t) => {
  const hole = await upstreamFor(t, () => undefined);
  const text = `forward . ${hole.address} {\nhealth_check 2s no_rec domain probe.example.net\nmax_fails 2\n}`;
  const r = await forwardRig(t, text);
  const reply = r.ask('www.example.org');
  await until(() => hole.queries.length === 1);
  r.clock.advance(2000);
  assert.equal((await reply).rcode, 'SERVFAIL');
  for (let probes = 1; probes <= 3; probes++) {
    await until(() => hole.queries.length === 1 + probes);
    r.clock.advance(1000);
    r.clock.advance(1999);
    assert.equal(hole.queries.length, 1 + probes);
    r.clock.advance(1);
  }
  const { name, raw } = hole.queries[1] as { name: string; raw: Buffer };
  assert.equal(name, 'probe.example.net');
  assert.equal(decode(raw).flag_rd, false);
  const to = { proxy_name: 'forward', to: hole.address };
  assert.equal(r.services.metrics.value('/proxy_healthcheck_failures_total', to), 3);
  assert.deepEqual(r.services.lines, [
    `info upstream ${hole.address} is suspected: timed out`,
    `warning upstream ${hole.address} is down`,
  ]);
});

test(
  'health: with every upstream down one is tried all the same, and counted',
  LIMIT,
  async (t) => {
    const r = await forwardRig(
      t,
      `forward . ${await closedAddress()} ${await closedAddress()} {\nmax_fails 1\n}`,
    );
    await failUntilDown(r);
    const reply = await r.ask('www.example.org', 'A', WITH_EDE);
    assert.equal(reply.rcode, 'SERVFAIL');
    assert.equal(edeOf(reply), Ede.NETWORK_ERROR);
    assert.ok(r.services.metrics.value('healthcheck_broken_total') > 0);
  },
);

test(
  'health: failfast_all_unhealthy_upstreams answers at once with every upstream down',
  LIMIT,
  async (t) => {
    const hole = await upstreamFor(t, () => undefined);
    const text = `forward . ${hole.address} {\nmax_fails 1\nfailfast_all_unhealthy_upstreams\n}`;
    const r = await forwardRig(t, text);
    const first = r.ask('first.example.org');
    await until(() => hole.queries.length === 1);
    r.clock.advance(2000);
    assert.equal((await first).rcode, 'SERVFAIL');
    for (let i = 0; i < 6; i++) r.clock.advance(1000);
    const before = asked(hole).length;
    const reply = await r.ask('www.example.org', 'A', WITH_EDE);
    assert.equal(reply.rcode, 'SERVFAIL');
    assert.equal(edeOf(reply), Ede.NO_REACHABLE_AUTHORITY);
    assert.equal(asked(hole).length, before);
  },
);

test('health: an answer brings an upstream back that its probes call down', LIMIT, async (t) => {
  let isDead = true;
  const server = await upstreamFor(t, (query, transport, raw) =>
    isDead || questionName(query) === '.' ? undefined : answering()(query, transport, raw),
  );
  const r = await forwardRig(t, `forward . ${server.address} {\nmax_fails 1\n}`);
  const first = r.ask('first.example.org');
  await until(() => server.queries.length === 1);
  r.clock.advance(2000);
  assert.equal((await first).rcode, 'SERVFAIL');
  for (let i = 0; i < 6; i++) r.clock.advance(1000);
  isDead = false;
  assert.equal(octetOf(await r.ask('second.example.org')), 1);
  assert.match(r.services.lines.join('\n'), /is down\ninfo upstream .* is up again/);
  const broken = r.services.metrics.value('healthcheck_broken_total');
  assert.equal(octetOf(await r.ask('third.example.org')), 1);
  assert.equal(r.services.metrics.value('healthcheck_broken_total'), broken);
});

test(
  'health: with max_fails 0 there are no probes, and a failed upstream is trusted again in time',
  LIMIT,
  async (t) => {
    const hole = await upstreamFor(t, () => undefined);
    const good = await upstreamFor(t, answering());
    const text = `forward . ${hole.address} ${good.address} {\npolicy sequential\nmax_fails 0\n}`;
    const r = await forwardRig(t, text);
    const ask = async (name: string, isPaying: boolean): Promise<void> => {
      const before = hole.queries.length;
      const reply = r.ask(name);
      if (isPaying) {
        await until(() => hole.queries.length === before + 1);
        r.clock.advance(2000);
      }
      assert.equal(octetOf(await reply), 1);
    };
    await ask('a.example.org', true);
    await ask('b.example.org', false);
    r.clock.advance(9900);
    await ask('c.example.org', false);
    r.clock.advance(200);
    await ask('d.example.org', true);
    assert.deepEqual(asked(hole), ['a.example.org', 'd.example.org']);
    assert.equal(hole.queries.length, 2);
  },
);

test('health: workers share what they know, and one of them probes', LIMIT, async (t) => {
  const hole = await upstreamFor(t, () => undefined);
  const good = await upstreamFor(t, answering());
  const text = `forward . ${hole.address} ${good.address} {\npolicy sequential\n}`;
  const published = publishForward(text, 2);
  const clock = new FakeClock();
  const a = await forwardRig(t, text, { published, worker: 0, workers: 2, clock });
  const b = await forwardRig(t, text, { published, worker: 1, workers: 2, clock });
  const paying = a.ask('first.example.org');
  await until(() => hole.queries.length === 1);
  clock.advance(2000);
  assert.equal(octetOf(await paying), 1);
  await until(() => hole.queries.length === 2);
  assert.equal(octetOf(await b.ask('second.example.org')), 1);
  assert.deepEqual(asked(hole), ['first.example.org']);
  clock.advance(1000);
  clock.advance(500);
  await until(() => hole.queries.length === 3);
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(hole.queries.length, 3);

  // The worker that probes is gone; the one in its place goes on.
  await a.handler.onStop?.();
  const again = await forwardRig(t, text, { published, worker: 0, workers: 2, clock });
  assert.equal(octetOf(await again.ask('third.example.org')), 1);
  await until(() => hole.queries.length === 4);
  assert.deepEqual(asked(hole), ['first.example.org']);
});

test('health: max_concurrent counts the queries of all workers', LIMIT, async (t) => {
  const hole = await upstreamFor(t, () => undefined);
  const text = `forward . ${hole.address} {\nmax_concurrent 2\n}`;
  const published = publishForward(text, 2);
  const a = await forwardRig(t, text, { published, worker: 0, workers: 2 });
  const b = await forwardRig(t, text, { published, worker: 1, workers: 2 });
  const waiting = [a.ask('a.example.org'), b.ask('b.example.org')];
  await until(() => hole.queries.length === 2);
  assert.equal((await a.ask('c.example.org')).rcode, 'REFUSED');
  // A worker that takes the place of another has nothing in flight.
  await forwardRig(t, text, { published, worker: 1, workers: 2 });
  const more = a.ask('d.example.org', 'A', { transport: Transport.TCP });
  await until(() => hole.queries.length === 3);
  a.clock.advance(2000);
  b.clock.advance(2000);
  for (const reply of await Promise.all([...waiting, more])) assert.equal(reply.rcode, 'SERVFAIL');
});

async function failUntilDown(r: Awaited<ReturnType<typeof forwardRig>>): Promise<void> {
  const down = (): number => r.services.lines.filter((line) => line.endsWith('is down')).length;
  for (let i = 0; i < 20 && down() < 2; i++) {
    await r.ask(`n${i}.example.org`);
    await new Promise((resolve) => setTimeout(resolve, 10));
    r.clock.advance(500);
  }
  assert.equal(down(), 2, 'not all went down');
}
