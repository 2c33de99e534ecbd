// Upstreams by host name: looked up before the first query, at the servers that *resolver* names.
import assert from 'node:assert/strict';
import test from 'node:test';
import { FakeUpstream } from '../../core/testing.js';
import {
  answering,
  forwardRig,
  octetOf,
  refusing,
  upstreamFor,
} from '../../test/lib/forward-rig.js';

const LIMIT = { timeout: 30_000 };

test('forward: a host name stands for all its addresses', LIMIT, async (t) => {
  const names = await upstreamFor(t, (query) => {
    const { name = '', type = '' } = query.questions?.[0] ?? {};
    const addresses = type === 'A' ? ['127.0.0.2', '127.0.0.1'] : [];
    return { answers: addresses.map((data) => ({ name, type: 'A' as const, ttl: 5, data })) };
  });
  const first = await upstreamFor(t, answering(1));
  const second = await FakeUpstream.start(answering(2), '127.0.0.2', first.port);
  t.after(() => second.stop());
  const text = `forward . dns.example.net:${first.port} {\nresolver ${names.address}\npolicy round_robin\n}`;
  const r = await forwardRig(t, text);
  const octets = [];
  for (let i = 0; i < 4; i++) octets.push(octetOf(await r.ask('www.example.org')));
  assert.deepEqual(octets, [1, 2, 1, 2]);
  assert.equal(names.queries[0]?.name, 'dns.example.net');
});

test('forward: a host name without an address stops the start', LIMIT, async (t) => {
  const names = await upstreamFor(t, refusing(3));
  const text = `forward . dns.example.net {\nresolver ${names.address}\n}`;
  await assert.rejects(
    forwardRig(t, text),
    /cannot look up upstream dns\.example\.net: .*ENOTFOUND/,
  );
});

test('forward: localhost is looked up by the system', LIMIT, async (t) => {
  const server = await upstreamFor(t, answering());
  const r = await forwardRig(t, `forward . localhost:${server.port} {\nmax_fails 0\n}`);
  assert.equal(octetOf(await r.ask('www.example.org')), 1);
});
