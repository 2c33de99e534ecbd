// Which addresses are this server's own.
import assert from 'node:assert/strict';
import { networkInterfaces } from 'node:os';
import test from 'node:test';
import { type LocalAddress, OwnAddresses } from './own-addresses.js';
import type { Scheme } from './targets.js';

const LOCAL: readonly LocalAddress[] = [
  { address: '127.0.0.1', zones: ['lo'] },
  { address: '::1', zones: ['lo', '0'] },
  { address: '192.0.2.1', zones: ['eth0'] },
  { address: '2001:db8::1', zones: ['eth0', '0'] },
  { address: 'fe80::1', zones: ['eth0', '2'] },
];

const EVERY = 'dns://:53';
const cases: readonly [listener: string, address: string, isOwn: boolean, port?: number][] = [
  [EVERY, '192.0.2.1', true],
  [EVERY, '192.0.2.1', false, 5353],
  [EVERY, '192.0.2.9', false],
  [EVERY, '127.0.0.53', true],
  [EVERY, '::1', true],
  [EVERY, '2001:DB8:0::1', true],
  [EVERY, '::ffff:192.0.2.1', true],
  [EVERY, '0.0.0.0', true],
  [EVERY, '::', true],
  [EVERY, 'fe80::1%eth0', true],
  [EVERY, 'fe80::1%2', true],
  [EVERY, 'fe80::1%eth1', false],
  ['dns://0.0.0.0:53', '192.0.2.1', true],
  ['dns://0.0.0.0:53', '2001:db8::1', false],
  ['dns://[::]:53', '2001:db8::1', true],
  ['dns://[::]:53', '192.0.2.1', false],
  ['dns://192.0.2.1:53', '192.0.2.1', true],
  ['dns://192.0.2.1:53', '127.0.0.1', false],
  ['dns://127.0.0.1:53', '0.0.0.0', true],
  ['dns://127.0.0.1:53', '127.0.0.53', false],
  ['dns://[::1]:53', '0:0::1', true],
  ['dns://[fe80::1%eth0]:53', 'fe80::1%eth0', true],
  ['dns://[fe80::1%eth0]:53', 'fe80::1%eth1', false],
];
for (const [listener, address, isOwn, port = 53] of cases) {
  test(`own addresses: to ${listener}, ${address} port ${port} is ${isOwn ? '' : 'not '}its own`, () => {
    const own = new OwnAddresses([listener], () => LOCAL);
    assert.equal(own.has(target(address, port)), isOwn);
  });
}

test('own addresses: one that is spoken to in another way is another server', () => {
  const own = new OwnAddresses(['dns://:853'], () => LOCAL);
  assert.equal(own.has(target('192.0.2.1', 853, 'tls')), false);
});

test('own addresses: what the machine has counts at the moment of asking', () => {
  const local: LocalAddress[] = [];
  const own = new OwnAddresses([EVERY], () => local);
  assert.equal(own.has(target('192.0.2.1', 53)), false);
  local.push(...LOCAL);
  assert.equal(own.has(target('192.0.2.1', 53)), true);
});

test('own addresses: those of this machine are found', () => {
  const own = new OwnAddresses([EVERY]);
  for (const addresses of Object.values(networkInterfaces())) {
    for (const { address } of addresses ?? []) assert.ok(own.has(target(address, 53)), address);
  }
});

function target(address: string, port: number, scheme: Scheme = 'dns') {
  return { kind: 'address', scheme, address, port, servername: '' } as const;
}
