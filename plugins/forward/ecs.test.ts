import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type DecodedPacket, decode } from 'dns-packet';
import { EdnsOption } from '../../core/plugin.js';
import type { QueryOptions, Script } from '../../core/testing.js';
import { networkOf, optionsOf, optRecord } from '../../test/lib/ecs.js';
import {
  answering,
  forwardRig,
  LIMIT,
  octetOf,
  refusing,
  upstreamFor,
} from '../../test/lib/forward-rig.js';

const SUBNET = '00011800c63364';

function withSubnet(data = SUBNET): QueryOptions {
  return { options: [[EdnsOption.ECS, Uint8Array.from(Buffer.from(data, 'hex'))]] };
}

/** The client subnet of a message as hexadecimal, undefined without one; null without OPT. */
function subnetOf(message: DecodedPacket): string | undefined | null {
  return optionsOf(message) === undefined ? null : networkOf(message)?.toString('hex');
}

/** Answers messages without client subnet, and others in `how`. */
function rejecting(how: Script): Script {
  return (query, transport, raw) =>
    typeof subnetOf(query) === 'string'
      ? how(query, transport, raw)
      : answering(7)(query, transport, raw);
}

const badvers: Script = () => ({ additionals: [optRecord(undefined, 1)] });
const otherNetwork: Script = (query, transport, raw) => ({
  ...(answering(9)(query, transport, raw) as object),
  additionals: [optRecord(Buffer.from('00011818c63365', 'hex'))],
});

const rejections = [
  { name: 'FORMERR', how: refusing(1) },
  { name: 'NOTIMP', how: refusing(4) },
  { name: 'REFUSED', how: refusing(5) },
  { name: 'BADVERS', how: badvers },
  { name: 'another network', how: otherNetwork },
];
for (const { name, how } of rejections) {
  test(
    `forward: after ${name} an upstream is asked again without client subnet`,
    LIMIT,
    async (t) => {
      const server = await upstreamFor(t, rejecting(how));
      const r = await forwardRig(t, `forward . ${server.address}`);
      const reply = await r.ask('www.example.org', 'A', withSubnet());
      assert.equal(octetOf(reply), 7);
      const asked = server.queries.map(({ raw }) => subnetOf(decode(raw)));
      assert.deepEqual(asked, [SUBNET, undefined]);
      assert.equal(subnetOf(reply), SUBNET);
    },
  );
}

test('forward: an upstream that knows no EDNS at all is asked a third time', LIMIT, async (t) => {
  const server = await upstreamFor(t, (query, transport, raw) =>
    subnetOf(query) === null ? answering(7)(query, transport, raw) : { flags: 1 },
  );
  const r = await forwardRig(t, `forward . ${server.address}`);
  assert.equal(octetOf(await r.ask('www.example.org', 'A', withSubnet())), 7);
  const asked = server.queries.map(({ raw }) => subnetOf(decode(raw)));
  assert.deepEqual(asked, [SUBNET, undefined, null]);
});

test('forward: REFUSED without client subnet stands', LIMIT, async (t) => {
  const server = await upstreamFor(t, refusing(5));
  const r = await forwardRig(t, `forward . ${server.address}`);
  assert.equal((await r.ask('www.example.org', 'A', withSubnet())).rcode, 'REFUSED');
  assert.equal(server.queries.length, 2);
  assert.equal((await r.ask('www.example.org')).rcode, 'REFUSED');
  assert.equal(server.queries.length, 3);
});

const told = [
  { name: "the client's own", data: SUBNET, want: SUBNET },
  { name: 'none for a private network', data: '000118000a0000', want: undefined },
  { name: '0 bits when the client wants none told', data: '00010000', want: '00010000' },
  {
    name: 'an IPv6 network without the host',
    data: '0002800020010db8000000010000000000000001',
    want: '0002400020010db800000001',
  },
];
for (const { name, data, want } of told) {
  test(`forward: an upstream is told ${name}`, LIMIT, async (t) => {
    const server = await upstreamFor(t, answering());
    const r = await forwardRig(t, `forward . ${server.address}`);
    await r.ask('www.example.org', 'A', withSubnet(data));
    assert.deepEqual(
      server.queries.map(({ raw }) => subnetOf(decode(raw))),
      [want],
    );
  });
}

test('forward: an upstream is told a client subnet over TCP as well', LIMIT, async (t) => {
  const server = await upstreamFor(t, rejecting(refusing(5)));
  const r = await forwardRig(t, `forward . ${server.address} {\n  force_tcp\n}`);
  assert.equal(octetOf(await r.ask('www.example.org', 'A', withSubnet())), 7);
  assert.deepEqual(
    server.queries.map(({ transport }) => transport),
    ['tcp', 'tcp'],
  );
});
