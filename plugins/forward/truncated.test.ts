// Truncated answers: asked for again over TCP, and elsewhere when that does not help.
import assert from 'node:assert/strict';
import test from 'node:test';
import { answering, forwardRig, LIMIT, octetOf, upstreamFor } from '../../test/lib/forward-rig.js';

const SEQUENTIAL = 'policy sequential\nmax_fails 0';

test('truncated: an upstream that says TC over TCP, too, is passed over', LIMIT, async (t) => {
  const first = await upstreamFor(t, () => ({ flags: 0x200 }));
  const second = await upstreamFor(t, answering(2));
  const text = `forward . ${first.address} ${second.address} {\n${SEQUENTIAL}\n}`;
  const r = await forwardRig(t, text);
  const reply = await r.ask('www.example.org');
  assert.deepEqual([octetOf(reply), reply.flag_tc], [2, false]);
  // Each once over each transport: there is no loop.
  assert.deepEqual(
    [...first.queries, ...second.queries].map(({ transport }) => transport),
    ['udp', 'tcp', 'tcp'],
  );
});

test(
  'truncated: where all say TC over TCP, the client hears it from the last one',
  LIMIT,
  async (t) => {
    const upstreams = await Promise.all(
      [1, 2, 3].map(() => upstreamFor(t, () => ({ flags: 0x200 }))),
    );
    const to = upstreams.map(({ address }) => address).join(' ');
    const r = await forwardRig(t, `forward . ${to} {\n${SEQUENTIAL}\n}`);
    const reply = await r.ask('www.example.org');
    assert.deepEqual([reply.rcode, reply.flag_tc], ['NOERROR', true]);
    assert.equal(
      upstreams.reduce((sum, { queries }) => sum + queries.length, 0),
      4,
    );
  },
);

test('truncated: TC with an error is passed over as the error is', LIMIT, async (t) => {
  const first = await upstreamFor(t, () => ({ flags: 0x202 }));
  const second = await upstreamFor(t, answering(2));
  const text = `forward . ${first.address} ${second.address} {\n${SEQUENTIAL}\n}`;
  const r = await forwardRig(t, text);
  assert.equal(octetOf(await r.ask('www.example.org')), 2);
});

test(
  'truncated: an upstream whose answer over TCP is of no use is passed over at once',
  LIMIT,
  async (t) => {
    const first = await upstreamFor(t, (_query, transport, raw) => {
      const reply = Buffer.from(raw);
      reply[2] = 0x83;
      if (transport === 'tcp') reply.write('xxx', 13);
      return reply;
    });
    const second = await upstreamFor(t, answering(2));
    const text = `forward . ${first.address} ${second.address} {\n${SEQUENTIAL}\n}`;
    const r = await forwardRig(t, text);
    assert.equal(octetOf(await r.ask('www.example.org')), 2);
    assert.equal(first.queries.length, 2);
  },
);
