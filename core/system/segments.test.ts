import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { type TestContext, test } from 'node:test';
import { needIpv6, needNamespaces } from '../../test/lib/tools.js';
import { encodeAddress, SOCKADDR_BYTES, SOCKADDR4_BYTES } from './address.js';
import type { MmsgBatch } from './batch.js';
import { createSocketLayer, isBatchedIo } from './layer.js';
import type { Batch, Endpoint, SocketLayer } from './sockets.js';

const options = { skip: isBatchedIo() ? false : 'no system calls here', timeout: 20_000 };
const LOOPBACK: Endpoint = { address: '127.0.0.1', port: 0 };
const A = { address: '192.0.2.1', port: 1000 };
const B = { address: '192.0.2.1', port: 1001 };
const C = { address: '198.51.100.7', port: 1000 };
const D = { address: '2001:db8::1', port: 1000 };
const E = { address: '2001:db8:1::1', port: 1000 };

interface Row {
  readonly name: string;
  /** Peer and length of each slot. */
  readonly slots: readonly (readonly [Endpoint, number])[];
  readonly groups: readonly (readonly number[])[];
}

const rows: Row[] = [
  {
    name: 'one peer and one length are one group',
    slots: [
      [A, 50],
      [A, 50],
      [A, 50],
    ],
    groups: [[0, 1, 2]],
  },
  {
    name: 'lengths are kept apart',
    slots: [
      [A, 50],
      [A, 51],
      [A, 50],
    ],
    groups: [[0, 2], [1]],
  },
  {
    name: 'ports are kept apart',
    slots: [
      [A, 50],
      [B, 50],
      [A, 50],
      [B, 50],
    ],
    groups: [
      [0, 2],
      [1, 3],
    ],
  },
  {
    name: 'addresses are kept apart',
    slots: [
      [A, 50],
      [C, 50],
      [C, 50],
    ],
    groups: [[0], [1, 2]],
  },
  {
    name: 'IPv6 addresses are kept apart',
    slots: [
      [D, 50],
      [E, 50],
      [D, 50],
    ],
    groups: [[0, 2], [1]],
  },
  {
    name: 'what may not fit the path goes alone',
    slots: [
      [A, 1233],
      [A, 1233],
      [A, 1232],
      [A, 1232],
    ],
    groups: [[0], [1], [2, 3]],
  },
  {
    name: 'empty and bad lengths go alone',
    slots: [
      [A, 0],
      [A, 0],
      [A, -1],
      [A, -1],
    ],
    groups: [[0], [1], [2], [3]],
  },
];
for (const { name, slots, groups } of rows) {
  test(`grouping: ${name}`, options, (t) => {
    const batch = layerOf(t).createBatch(slots.length, 1500) as MmsgBatch;
    for (const [i, [peer, length]] of slots.entries()) address(batch, i, peer, length);
    const isFour = !slots[0]?.[0].address.includes(':');
    assert.deepEqual(groupsOf(batch, 0, slots.length, isFour), groups);
  });
}

test('grouping: a group is full at 64 and another one begins', options, (t) => {
  const batch = layerOf(t).createBatch(200, 64) as MmsgBatch;
  for (let i = 0; i < 200; i++) address(batch, i, A, 20);
  const sizes = groupsOf(batch, 0, 200, true).map((group) => group.length);
  assert.deepEqual(sizes, [64, 64, 64, 8]);
});

test('grouping: every slot is in one group, whatever the peers and lengths', options, (t) => {
  const batch = layerOf(t).createBatch(256, 64) as MmsgBatch;
  for (let round = 0; round < 50; round++) {
    for (let i = 0; i < 256; i++) {
      const peer = {
        address: `192.0.2.${(i * 7 + round) % 11}`,
        port: 1 + ((i * 13) % (1 + round)),
      };
      address(batch, i, peer, 20 + ((i * 5) % 3));
    }
    const first = round % 7;
    const groups = groupsOf(batch, first, 256 - first, true);
    const members = groups.flat().sort((a, b) => a - b);
    assert.deepEqual(
      members,
      Array.from({ length: 256 - first }, (_, i) => first + i),
    );
    for (const group of groups) {
      const kinds = group.map((i) => `${batch.lengths[i]} ${batch.peers[i]?.subarray(0, 8)}`);
      assert.equal(new Set(kinds).size, 1);
    }
  }
});

for (const to of ['127.0.0.1', '::1']) {
  const need = { ...options, ...(to === '::1' ? needIpv6() : {}) };
  test(`grouped datagrams to ${to} arrive whole, each at its peer`, need, async (t) => {
    const layer = layerOf(t);
    const server = await layer.listen(undefined, { address: to, port: 0 }, () => undefined);
    t.after(() => server.close());
    const clients = [await clientOf(t, to), await clientOf(t, to)];
    const batch = layer.createBatch(100, 256);
    const wanted: string[][] = [[], []];
    for (let i = 0; i < 100; i++) {
      // Three lengths, two peers, in no particular order.
      const who = (i * 3) % 2;
      const text = `${String(i).padStart(3, '0')}${'x'.repeat(i % 3)}`;
      put(batch, i, text, clients[who]?.address() as Endpoint);
      wanted[who]?.push(text);
    }
    const received = clients.map((client, who) => textsFrom(client, wanted[who]?.length ?? 0));
    assert.equal(server.send(batch, 0, 100), 100);
    assert.deepEqual(
      (await Promise.all(received)).map((texts) => texts.sort()),
      wanted,
    );
  });
}

test(
  'a group for a peer that cannot be sent to does not keep the others from it',
  options,
  async (t) => {
    const layer = layerOf(t);
    const server = await layer.listen(undefined, LOOPBACK, () => undefined);
    t.after(() => server.close());
    const client = await clientOf(t, '127.0.0.1');
    const batch = layer.createBatch(20, 64);
    for (let i = 0; i < 20; i++) {
      put(batch, i, `${10 + i}`, i % 2 === 0 ? client.address() : LOOPBACK);
    }
    const received = textsFrom(client, 10);
    assert.equal(server.send(batch, 0, 20), 10);
    assert.deepEqual((await received).sort(), [
      '10',
      '12',
      '14',
      '16',
      '18',
      '20',
      '22',
      '24',
      '26',
      '28',
    ]);
  },
);

test('where the way out cannot segment, datagrams go alone', {
  ...options,
  ...needNamespaces(),
}, () => {
  // A loopback interface of its own, too narrow for a segment of 1,200 bytes, which can be sent in fragments only.
  const script = `
    const { createSocketLayer } = await import(${JSON.stringify(new URL('./layer.js', import.meta.url).href)});
    const { createSocket } = await import('node:dgram');
    const { encodeAddress } = await import(${JSON.stringify(new URL('./address.js', import.meta.url).href)});
    const layer = createSocketLayer({ force: 'mmsg' });
    const server = await layer.listen(undefined, { address: '127.0.0.1', port: 0 }, () => {});
    const client = createSocket('udp4').bind(0, '127.0.0.1');
    await new Promise((resolve) => client.once('listening', resolve));
    const batch = layer.createBatch(16, 2048);
    let received = 0;
    const done = new Promise((resolve) => client.on('message', (bytes) => {
      if (bytes.length === 1200 && ++received === 320) resolve();
    }));
    for (let round = 0; round < 20; round++) {
      for (let i = 0; i < 16; i++) {
        batch.lengths[i] = 1200;
        encodeAddress(client.address(), batch.peers[i]);
      }
      if (server.send(batch, 0, 16) !== 16) throw new Error('not all sent');
      await new Promise((resolve) => setImmediate(resolve));
    }
    await done;
    client.close();
    server.close();
    await layer.stop();
    console.log(received);
  `;
  const command = 'ip link set lo up mtu 1000 && exec "$0" --input-type=module -e "$1"';
  const run = spawnSync('unshare', ['-n', 'sh', '-c', command, process.execPath, script], {
    encoding: 'utf8',
    timeout: 15_000,
  });
  assert.equal(run.stdout.trim(), '320', run.stderr);
});

function layerOf(t: TestContext): SocketLayer {
  const layer = createSocketLayer({ force: 'mmsg' });
  t.after(() => layer.stop());
  return layer;
}

function address(batch: Batch, slot: number, peer: Endpoint, length: number): void {
  encodeAddress(peer, batch.peers[slot] as Uint8Array);
  batch.lengths[slot] = length;
}

function put(batch: Batch, slot: number, text: string, peer: Endpoint): void {
  (batch.data[slot] as Uint8Array).set(Buffer.from(text));
  address(batch, slot, peer, text.length);
}

function groupsOf(batch: MmsgBatch, first: number, count: number, isFour: boolean): number[][] {
  const { segments } = batch;
  const groups = segments.group(first, count, isFour ? SOCKADDR4_BYTES : SOCKADDR_BYTES);
  return Array.from({ length: groups }, (_, group) =>
    Array.from({ length: segments.sizeOf(group) }, (_, i) => segments.memberOf(group, i)),
  );
}

async function clientOf(t: TestContext, address: string): Promise<Socket> {
  const client = createSocket(address.includes(':') ? 'udp6' : 'udp4');
  t.after(() => client.close());
  client.bind(0, address);
  await once(client, 'listening');
  return client;
}

function textsFrom(socket: Socket, count: number): Promise<string[]> {
  const texts: string[] = [];
  return new Promise((resolve) => {
    socket.on('message', (bytes) => {
      if (texts.push(bytes.toString()) === count) resolve(texts);
    });
  });
}
