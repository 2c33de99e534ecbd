// EDNS Client Subnet (RFC 7871) through a whole server, seen through dig, kdig and an upstream that answers by network.
import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import type { DecodedPacket } from 'dns-packet';
import { FakeUpstream, type Script } from '../../core/testing.js';
import { digWith, exchange, queryBytes } from '../lib/client.js';
import { networkOf, optRecord } from '../lib/ecs.js';
import { startHeimdall } from '../lib/heimdall.js';
import { freePort } from '../lib/ports.js';
import { needTools } from '../lib/tools.js';

const need = needTools('dig', 'kdig');

/** REFUSED. */
const REFUSED = 5;

/** Answers with the network it was told, `10.0.0.0` for none. The first label says how: the scope, `none` for no option, `refused`. */
const byNetwork: Script = (query) => {
  const name = query.questions?.[0]?.name ?? '';
  const how = name.split('.')[0] ?? '';
  const network = networkOf(query);
  if (how === 'refused' && network !== undefined) return { flags: REFUSED };
  const octets = network === undefined ? [10] : [...network.subarray(4)];
  const data = [0, 0, 0, 0].map((zero, i) => octets[i] ?? zero).join('.');
  const answers = [{ name, type: 'A', ttl: 300, data } as const];
  if (network === undefined || !/^\d/.test(how)) return { answers };
  const scoped = Uint8Array.from(network);
  scoped[3] = Number(how);
  return { answers, additionals: [optRecord(scoped)] };
};

interface Rig {
  readonly port: number;
  readonly upstream: FakeUpstream;
  /** The networks that the upstream was told, as hexadecimal; `-` for none. */
  readonly told: () => string[];
}

async function start(t: TestContext, ecs = ''): Promise<Rig> {
  const upstream = await FakeUpstream.start((query, transport, raw) => {
    networks.push(networkText(query));
    return byNetwork(query, transport, raw);
  });
  const networks: string[] = [];
  t.after(() => upstream.stop());
  const port = await freePort();
  const heimdall = await startHeimdall(
    `.:${port} {
    bind 127.0.0.1
    errors
    ${ecs}
    cache
    dedupe
    forward . ${upstream.address}
}
`,
    { args: ['-workers', '2'] },
  );
  t.after(() => heimdall.stop());
  return { port, upstream, told: () => networks.splice(0) };
}

function networkText(query: DecodedPacket): string {
  return networkOf(query)?.toString('hex') ?? '-';
}

for (const transport of ['+notcp', '+tcp']) {
  test(`ecs: dig and kdig get answers for their networks, ${transport}`, need, async (t) => {
    const { port, told } = await start(t);
    const ask = async (tool: 'dig' | 'kdig', network: string, name: string): Promise<string> => {
      const text = await digWith(tool, port, transport, `+subnet=${network}`, name, 'A');
      assert.match(text, /status: NOERROR/);
      assert.doesNotMatch(text, /malformed|mismatch/i);
      const [, address] = /\bIN\s+A\s+([\d.]+)/.exec(text) ?? [];
      const [, scope] = /CLIENT-SUBNET: ([\d./]+)/i.exec(text) ?? [];
      return `${address} ${scope}`;
    };
    for (const tool of ['dig', 'kdig'] as const) {
      assert.equal(await ask(tool, '192.0.2.0/24', '24.example.org'), '192.0.2.0 192.0.2.0/24/24');
      assert.equal(
        await ask(tool, '198.51.100.0/24', '24.example.org'),
        '198.51.100.0 198.51.100.0/24/24',
      );
    }
    assert.deepEqual(told(), ['00011800c00002', '00011800c63364']);
    for (const tool of ['dig', 'kdig'] as const) {
      assert.equal(await ask(tool, '192.0.2.0/24', '16.example.org'), '192.0.2.0 192.0.2.0/24/16');
      assert.equal(
        await ask(tool, '192.0.77.0/24', '16.example.org'),
        '192.0.2.0 192.0.77.0/24/16',
      );
      assert.equal(await ask(tool, '192.0.2.0/24', '0.example.org'), '192.0.2.0 192.0.2.0/24/0');
      assert.equal(await ask(tool, '1.1.1.0/24', '0.example.org'), '192.0.2.0 1.1.1.0/24/0');
    }
    assert.equal(told().length, 2);
    for (const tool of ['dig', 'kdig'] as const) {
      assert.equal(
        await ask(tool, '192.0.2.0/24', 'refused.example.org'),
        '10.0.0.0 192.0.2.0/24/0',
      );
    }
    assert.deepEqual(told(), ['00011800c00002', '-']);
    // A private network and one of 0 bits are asked for none.
    assert.equal(await ask('dig', '192.168.1.0/24', '24.example.org'), '10.0.0.0 192.168.1.0/24/0');
    assert.deepEqual(told(), ['-']);
    const declined = await digWith('dig', port, transport, '+subnet=0', '24.example.org', 'A');
    assert.match(declined, /CLIENT-SUBNET: 0(\.0\.0\.0)?\/0\/0/);
    assert.deepEqual(told(), []);
    const plain = await digWith('dig', port, transport, '0.example.org', 'A');
    assert.match(plain, /192\.0\.2\.0/);
    assert.doesNotMatch(plain, /CLIENT-SUBNET/);
  });
}

test('ecs: the modes of the directive', need, async (t) => {
  const rows = [
    { ecs: 'ecs', told: '00011800c00002', echo: /CLIENT-SUBNET: 192\.0\.2\.77\/32\/24/ },
    { ecs: 'ecs coarse', told: '00011000c000', echo: /CLIENT-SUBNET: 192\.0\.2\.77\/32\/24/ },
    { ecs: 'ecs off', told: '-', echo: undefined },
  ];
  for (const row of rows) {
    await t.test(row.ecs, async (t) => {
      const { port, told } = await start(t, row.ecs);
      const text = await digWith('dig', port, '+subnet=192.0.2.77/32', '24.example.org', 'A');
      assert.deepEqual(told(), [row.told]);
      if (row.echo === undefined) assert.doesNotMatch(text, /CLIENT-SUBNET/);
      else assert.match(text, row.echo);
    });
  }
});

test('ecs: a malformed option is FORMERR, over UDP and TCP, whatever is cached', async (t) => {
  const { port, upstream } = await start(t);
  const good = withOption('00011800c00002');
  assert.equal(rcodeOf(await exchange(port, good)), 0);
  const malformed = {
    'an unknown family': '00031800c00002',
    'too few octets': '00011800c000',
    'too many octets': '00011800c0000200',
    'bits beyond the prefix': '00011700c00003',
    'a prefix too long': '00012100c000020100',
    'an IPv6 prefix too long': `00028100${'20'.repeat(17)}`,
    'a scope': '00011818c00002',
    'half an option': '0001',
    'no family but a prefix': '00001800c00002',
  };
  for (const [name, data] of Object.entries(malformed)) {
    for (const tcp of [false, true]) {
      assert.equal(rcodeOf(await exchange(port, withOption(data), { tcp })), 1, name);
    }
  }
  assert.equal(upstream.queries.length, 1);
});

/** A query for 24.example.org with a client subnet of these bytes. */
function withOption(data: string): Buffer {
  const bytes = queryBytes('24.example.org', 'A', { udpSize: 1232 });
  const option = Buffer.from(
    `0008${(data.length / 2).toString(16).padStart(4, '0')}${data}`,
    'hex',
  );
  const query = Buffer.concat([bytes, option]);
  query.writeUInt16BE(option.length, bytes.length - 2);
  return query;
}

function rcodeOf({ raw }: { readonly raw: Buffer }): number {
  return (raw[3] as number) & 15;
}
