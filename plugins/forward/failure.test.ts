// *forward* when upstreams fail: who pays for it and who is asked instead.
import assert from 'node:assert/strict';
import test from 'node:test';
import { Ede, Rcode } from '../../core/plugin.js';
import {
  answering,
  asked,
  closedAddress,
  edeOf,
  forwardRig,
  LIMIT,
  nextRcode,
  octetOf,
  refusing,
  until,
  upstreamFor,
  WITH_EDE,
} from '../../test/lib/forward-rig.js';

for (const force of ['mmsg', 'dgram'] as const) {
  test(
    `failure: ${force}: a black hole costs one read_timeout, then the client gets SERVFAIL`,
    LIMIT,
    async (t) => {
      const hole = await upstreamFor(t, () => undefined);
      const r = await forwardRig(t, `forward . ${hole.address} {\nread_timeout 700ms\n}`, {
        force,
      });
      const reply = r.ask('www.example.org', 'A', WITH_EDE);
      await until(() => hole.queries.length === 1);
      r.clock.advance(699);
      await until(() => hole.queries.length === 1);
      r.clock.advance(1);
      const { rcode, flag_ra, ...rest } = await reply;
      assert.equal(rcode, 'SERVFAIL');
      assert.equal(flag_ra, true);
      assert.equal(edeOf(rest), Ede.NO_REACHABLE_AUTHORITY);
      assert.deepEqual(asked(hole), ['www.example.org']);
    },
  );

  test(`failure: ${force}: a closed port is SERVFAIL at once`, LIMIT, async (t) => {
    const r = await forwardRig(t, `forward . ${await closedAddress()}`, { force });
    const reply = await r.ask('www.example.org', 'A', WITH_EDE);
    assert.equal(reply.rcode, 'SERVFAIL');
    assert.equal(edeOf(reply), Ede.NETWORK_ERROR);
  });

  test(
    `failure: ${force}: a closed port costs a client nothing while another upstream answers`,
    LIMIT,
    async (t) => {
      const good = await upstreamFor(t, answering());
      const text = `forward . ${await closedAddress()} ${good.address} {\npolicy sequential\n}`;
      const r = await forwardRig(t, text, { force });
      for (let i = 0; i < 5; i++) assert.equal(octetOf(await r.ask(`n${i}.example.org`)), 1);
      assert.equal(asked(good).length, 5);
    },
  );
}

test(
  'failure: a dead upstream costs the first client a read_timeout and the next ones nothing',
  LIMIT,
  async (t) => {
    const hole = await upstreamFor(t, () => undefined);
    const good = await upstreamFor(t, answering());
    const text = `forward . ${hole.address} ${good.address} {\npolicy sequential\n}`;
    const r = await forwardRig(t, text);
    const first = r.ask('first.example.org');
    await until(() => hole.queries.length === 1);
    r.clock.advance(2000);
    assert.equal(octetOf(await first), 1);
    for (let i = 0; i < 10; i++) assert.equal(octetOf(await r.ask(`n${i}.example.org`)), 1);
    assert.deepEqual(asked(hole), ['first.example.org']);
  },
);

test('failure: a query never takes longer than five seconds', LIMIT, async (t) => {
  const holes = await Promise.all([1, 2, 3, 4].map(() => upstreamFor(t, () => undefined)));
  const text = `forward . ${holes.map((h) => h.address).join(' ')} {\npolicy sequential\nmax_fails 0\n}`;
  const r = await forwardRig(t, text);
  const tried = (): number => holes.filter((hole) => hole.queries.length > 0).length;
  const reply = r.ask('www.example.org');
  for (const [tries, ms] of [
    [1, 2000],
    [2, 2000],
    [3, 999],
  ] as const) {
    await until(() => tried() === tries);
    r.clock.advance(ms);
  }
  assert.equal(r.services.metrics.value('in_flight'), 1);
  r.clock.advance(1);
  assert.equal((await reply).rcode, 'SERVFAIL');
  assert.equal(tried(), 3);
});

test('failure: max_connect_attempts limits how many upstreams are tried', LIMIT, async (t) => {
  const good = await upstreamFor(t, answering());
  const closed = [await closedAddress(), await closedAddress()];
  for (const [attempts, want] of [
    [2, 'SERVFAIL'],
    [3, 'NOERROR'],
  ] as const) {
    const text = `forward . ${closed.join(' ')} ${good.address} {\npolicy sequential\nmax_connect_attempts ${attempts}\n}`;
    const r = await forwardRig(t, text);
    assert.equal((await r.ask('www.example.org')).rcode, want, String(attempts));
  }
});

test(
  'failure: without a limit of attempts the rounds go on, with pauses, until an upstream is there',
  LIMIT,
  async (t) => {
    const address = await closedAddress();
    const text = `forward . ${address} {\nmax_connect_attempts 0\nmax_fails 0\nforce_tcp\n}`;
    const r = await forwardRig(t, text);
    const reply = r.ask('www.example.org');
    for (let round = 0; round < 5; round++) {
      await until(() => r.timers.size === 1);
      r.clock.advance(100);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    assert.equal(r.services.metrics.value('in_flight'), 1);
    for (let i = 0; i < 60 && r.services.metrics.value('in_flight') > 0; i++) {
      r.clock.advance(100);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    assert.equal((await reply).rcode, 'SERVFAIL');
  },
);

test(
  'failure: an upstream over TCP that resets in the middle of an answer is passed over',
  LIMIT,
  async (t) => {
    const { createServer } = await import('node:net');
    const broken = createServer((socket) => {
      socket.on('error', () => {});
      socket.on('data', () => socket.write(Uint8Array.of(0, 40, 1, 2, 3), () => socket.destroy()));
    });
    await new Promise<void>((resolve) => broken.listen(0, '127.0.0.1', resolve));
    t.after(() => broken.close());
    const { port } = broken.address() as { port: number };
    const good = await upstreamFor(t, answering());
    const text = `forward . 127.0.0.1:${port} ${good.address} {\npolicy sequential\nforce_tcp\n}`;
    const r = await forwardRig(t, text);
    assert.equal(octetOf(await r.ask('www.example.org')), 1);
  },
);

test('failure: an answer that cannot be read is the upstream’s failure', LIMIT, async (t) => {
  const server = await upstreamFor(t, (_query, _transport, raw) => {
    const reply = Buffer.from(raw);
    reply[2] = 0x81;
    reply[7] = 3;
    return reply;
  });
  const r = await forwardRig(t, `forward . ${server.address} {\nmax_connect_attempts 1\n}`);
  const reply = await r.ask('www.example.org', 'A', WITH_EDE);
  assert.equal(reply.rcode, 'SERVFAIL');
  assert.equal(edeOf(reply), Ede.INVALID_DATA);
});

for (const [text, want] of [
  ['failover SERVFAIL REFUSED', 2],
  ['failover REFUSED\nfailover SERVFAIL', 2],
  ['failover NXDOMAIN', 0],
] as const) {
  test(`failure: ${text.replace('\n', ', ')}: SERVFAIL of the first upstream`, LIMIT, async (t) => {
    const first = await upstreamFor(t, refusing(Rcode.SERVFAIL));
    const second = await upstreamFor(t, answering(2));
    const r = await forwardRig(
      t,
      `forward . ${first.address} ${second.address} {\npolicy sequential\n${text}\n}`,
    );
    assert.equal(octetOf(await r.ask('www.example.org')), want);
    assert.equal(first.queries.length, 1);
    // The reply says nothing about the upstream's health.
    assert.equal(octetOf(await r.ask('mail.example.org')), want);
    assert.equal(first.queries.length, 2);
  });
}

test('failure: failover ends with the reply of the last upstream', LIMIT, async (t) => {
  const servers = await Promise.all(
    [Rcode.SERVFAIL, Rcode.REFUSED].map((rcode) => upstreamFor(t, refusing(rcode))),
  );
  const text = `forward . ${servers.map((s) => s.address).join(' ')} {\npolicy sequential\nfailover SERVFAIL REFUSED\n}`;
  const r = await forwardRig(t, text);
  assert.equal((await r.ask('www.example.org')).rcode, 'REFUSED');
  assert.deepEqual(
    servers.map((s) => s.queries.length),
    [1, 1],
  );
});

test('failure: next does not apply to an error of this server', LIMIT, async (t) => {
  const text = `forward . ${await closedAddress()} {\nnext SERVFAIL\n}`;
  const r = await forwardRig(t, text, { plugins: ['forward'] });
  const reply = await r.ask('www.example.org', 'A', {}, nextRcode(Rcode.YXDOMAIN));
  assert.equal(reply.rcode, 'SERVFAIL');
});

test(
  'failure: TCP that does not answer where UDP was truncated costs one read_timeout',
  LIMIT,
  async (t) => {
    const server = await upstreamFor(t, (query, transport) =>
      transport === 'udp' ? { flags: 0x0200, questions: query.questions ?? [] } : undefined,
    );
    const r = await forwardRig(t, `forward . ${server.address} {\nmax_fails 0\n}`);
    const reply = r.ask('www.example.org');
    await until(() => server.queries.length === 2);
    r.clock.advance(2000);
    assert.equal((await reply).rcode, 'SERVFAIL');
    assert.equal(server.queries.length, 2);
  },
);
