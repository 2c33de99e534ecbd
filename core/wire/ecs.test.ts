import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  ECS_ADDRESS_BYTES,
  EcsFamily,
  ecsScopeOf,
  isEcsReplyTo,
  isPublic,
  maskAddress,
  writeEcs,
} from './ecs.js';
import { parseAddress } from './sockaddr.js';

const masks = [
  { bits: 32, want: 'c0a8ffff' },
  { bits: 24, want: 'c0a8ff00' },
  { bits: 17, want: 'c0a88000' },
  { bits: 7, want: 'c0000000' },
  { bits: 0, want: '00000000' },
];
for (const { bits, want } of masks) {
  test(`ecs: an address is cut to ${bits} bits`, () => {
    const to = new Uint8Array(ECS_ADDRESS_BYTES).fill(0xee);
    maskAddress(Uint8Array.of(9, 0xc0, 0xa8, 0xff, 0xff), 1, bits, to);
    assert.equal(Buffer.from(to).toString('hex'), want.padEnd(16, '0'));
  });
}

const addresses = [
  { name: 'public', of: ['1.1.1.0', '9.0.0.0', '100.63.0.0', '100.128.0.0', '172.15.0.0'] },
  { name: 'public', of: ['172.32.0.0', '192.167.0.0', '192.0.2.0', '223.255.255.0', '2001:db8::'] },
  { name: 'not public', of: ['0.0.0.0', '10.1.0.0', '100.64.0.0', '100.127.255.0', '127.0.0.0'] },
  { name: 'not public', of: ['169.254.1.0', '172.16.0.0', '172.31.255.0', '192.168.7.0'] },
  { name: 'not public', of: ['224.0.0.0', '255.255.255.255', '::1', '::', 'fe80::1', 'fd00::1'] },
  { name: 'not public', of: ['ff02::1', '::ffff:192.0.2.1', 'fec0::1'] },
];
for (const { name, of } of addresses) {
  for (const address of of) {
    test(`ecs: ${address} is ${name}`, () => {
      const bytes = parseAddress(address);
      const family = bytes.length === 4 ? EcsFamily.IPV4 : EcsFamily.IPV6;
      assert.equal(isPublic(family, bytes), name === 'public');
    });
  }
}

test('ecs: an option has only the octets that its prefix needs', () => {
  const out = new Uint8Array(20).fill(0xee);
  const address = Uint8Array.of(192, 0, 2, 0, 0, 0, 0, 0);
  assert.equal(writeEcs(out, 2, EcsFamily.IPV4, 23, address), 13);
  assert.equal(Buffer.from(out.subarray(2, 14)).toString('hex'), '0008000700011700c00002ee');
});

/** An option for 192.0.2.0/24 as hexadecimal, behind two other bytes. */
function option(data = '00011800c00002'): Uint8Array {
  const length = (data.length / 2).toString(16).padStart(4, '0');
  return Uint8Array.from(Buffer.from(`eeee0008${length}${data}`, 'hex'));
}
const replies = [
  { name: 'the same option', data: '00011800c00002', want: true },
  { name: 'a scope', data: '00011820c00002', want: true },
  { name: 'a scope over 32', data: '00011821c00002', want: false },
  { name: 'another family', data: '00021800c00002', want: false },
  { name: 'another source', data: '00011700c00002', want: false },
  { name: 'another address', data: '00011800c00003', want: false },
  { name: 'a longer address', data: '00011800c0000200', want: false },
  { name: 'half an option', data: '0001', want: false },
];
for (const { name, data, want } of replies) {
  test(`ecs: ${name} ${want ? 'repeats' : 'does not repeat'} that of a query`, () => {
    assert.equal(isEcsReplyTo(option(), 2, option(data), 2), want);
  });
}

test('ecs: what comes back for no network may be any', () => {
  assert.ok(isEcsReplyTo(option('00000000'), 2, option('00011818c00002'), 2));
});

test('ecs: the scope is 0 without OPT, without option and with half an option', () => {
  const opt = (options: string): Uint8Array => {
    const length = (options.length / 2).toString(16).padStart(4, '0');
    return Uint8Array.from(Buffer.from(`ee000029100000000000${length}${options}`, 'hex'));
  };
  assert.equal(ecsScopeOf(opt('0008000700011814c00002'), 0), 0);
  assert.equal(ecsScopeOf(opt('000a0000'), 1), 0);
  assert.equal(ecsScopeOf(opt('0008000300011814'), 1), 0);
  assert.equal(ecsScopeOf(opt('0008000700011814c00002'), 1), 20);
});
