// How many queries may wait for upstreams, and what the one too many gets.
import assert from 'node:assert/strict';
import test from 'node:test';
import { Ede } from '../../core/plugin.js';
import type { DecodedReply } from '../../core/testing.js';
import {
  answering,
  edeOf,
  type ForwardRig,
  forwardRig,
  LIMIT,
  octetOf,
  until,
  upstreamFor,
  WITH_EDE,
} from '../../test/lib/forward-rig.js';

/** As the README says. */
const MOST_QUERIES = 16_384;

for (const { over, properties } of [
  { over: 'UDP', properties: '' },
  { over: 'TCP', properties: 'force_tcp' },
]) {
  test(`limits: ${MOST_QUERIES} queries wait over ${over}, further ones are SERVFAIL at once`, {
    timeout: 60_000,
  }, async (t) => {
    let isSilent = true;
    const server = await upstreamFor(t, (query, transport, raw) =>
      isSilent ? undefined : answering()(query, transport, raw),
    );
    const text = `forward . ${server.address} {\nmax_fails 0\nmax_connect_attempts 1\n${properties}\n}`;
    const r = await forwardRig(t, text);
    const waiting = Array.from({ length: MOST_QUERIES }, () => r.ask('www.example.org'));
    assert.equal(r.services.metrics.value('in_flight'), MOST_QUERIES);
    for (let i = 1; i <= 5; i++) {
      const reply = await r.ask('more.example.org', 'A', WITH_EDE);
      assert.deepEqual([reply.rcode, edeOf(reply)], ['SERVFAIL', Ede.OTHER]);
      assert.equal(r.services.metrics.value('overload_total'), i);
    }
    r.clock.advance(2000);
    for (const reply of await Promise.all(waiting)) assert.equal(reply.rcode, 'SERVFAIL');
    assert.equal(r.services.metrics.value('in_flight'), 0);
    // There is room again; the upstream may still be busy with what came before.
    isSilent = false;
    let octet = 0;
    while (octet !== 1) octet = octetOf(await askWhile(r));
  });
}

/** Asks, and lets time pass until there is a reply. */
async function askWhile(r: ForwardRig): Promise<DecodedReply> {
  let reply: DecodedReply | undefined;
  void r.ask('again.example.org').then((got) => {
    reply = got;
  });
  await until(() => {
    r.clock.advance(10);
    return reply !== undefined;
  });
  return reply as unknown as DecodedReply;
}

test('limits: at most eight sockets and eight connections are open', LIMIT, async (t) => {
  for (const [proto, properties] of [
    ['udp', ''],
    ['tcp', 'force_tcp'],
  ] as const) {
    const server = await upstreamFor(t, answering());
    const r = await forwardRig(t, `forward . ${server.address} {\n${properties}\n}`);
    const open = (): number => r.services.metrics.value('connections', { proto });
    for (let round = 0; round < 30; round++) {
      const replies = Array.from({ length: 20 }, (_, i) => r.ask(`n${i}.example.org`));
      assert.ok(open() >= 1 && open() <= 8, `${proto}: ${open()}`);
      for (const reply of await Promise.all(replies)) assert.equal(octetOf(reply), 1);
    }
    assert.ok(open() <= 8);
    await r.handler.onStop?.();
    assert.equal(open(), 0, proto);
  }
});
