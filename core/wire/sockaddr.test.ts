import assert from 'node:assert/strict';
import { isIPv6 } from 'node:net';
import { test } from 'node:test';
import fc from 'fast-check';
import ipaddr from 'ipaddr.js';
import {
  AddressError,
  addressOffset,
  addressText,
  familyOf,
  parseAddress,
  portOf,
  writeSockaddr,
} from './sockaddr.js';

const cases = [
  { text: '192.0.2.1', family: 4, bytes: 16 },
  { text: '255.255.255.255', family: 4, bytes: 16 },
  { text: '::', family: 6, bytes: 28 },
  { text: '::1', family: 6, bytes: 28 },
  { text: '2001:db8::', family: 6, bytes: 28 },
  { text: '2001:db8:0:1:1:1:1:1', family: 6, bytes: 28 },
  { text: '2001:db8::1:0:0:1', family: 6, bytes: 28 },
  { text: '1:2:3:4:5:6:7:8', family: 6, bytes: 28 },
  { text: 'fe80::1%3', family: 6, bytes: 28 },
  { text: 'fe80::1%4294967295', family: 6, bytes: 28 },
  { text: '::ffff:192.0.2.1', reads: '192.0.2.1', family: 4, bytes: 28 },
  { text: '64:ff9b::192.0.2.33', reads: '64:ff9b::c000:221', family: 6, bytes: 28 },
  { text: '2001:DB8:0:0::A', reads: '2001:db8::a', family: 6, bytes: 28 },
];
for (const { text, reads = text, family, bytes } of cases) {
  test(`sockaddr: ${text} is written and reads ${reads}`, () => {
    const a = new Uint8Array(28).fill(255);
    assert.equal(writeSockaddr(a, text, 53053), bytes);
    assert.equal(addressText(a), reads);
    assert.equal(portOf(a), 53053);
    assert.equal(familyOf(a), family);
    const raw = a.subarray(addressOffset(a), addressOffset(a) + (family === 4 ? 4 : 16));
    assert.deepEqual(raw, parseAddress(reads));
  });
}

test('sockaddr: the layout is that of Linux', () => {
  const a = new Uint8Array(28);
  writeSockaddr(a, '192.0.2.1', 0x1234);
  assert.deepEqual(Array.from(a.subarray(0, 8)), [2, 0, 0x12, 0x34, 192, 0, 2, 1]);
  assert.ok(a.subarray(8).every((byte) => byte === 0));
  writeSockaddr(a, 'fe80::1%258', 0x1234);
  assert.deepEqual(Array.from(a.subarray(0, 10)), [10, 0, 0x12, 0x34, 0, 0, 0, 0, 0xfe, 0x80]);
  assert.deepEqual(Array.from(a.subarray(23)), [1, 2, 1, 0, 0]);
});

const bad = [
  { text: '192.0.2.256', error: '"192.0.2.256" is not an IP address' },
  { text: 'example.org', error: '"example.org" is not an IP address' },
  { text: '', error: '"" is not an IP address' },
  { text: 'fe80::1%eth0', error: 'zone "eth0" of "fe80::1%eth0" is not a number, want %N' },
  {
    text: 'fe80::1%9999999999',
    error: 'zone "9999999999" of "fe80::1%9999999999" is not a number, want %N',
  },
];
for (const { text, error } of bad) {
  test(`sockaddr: "${text}" is refused`, () => {
    assert.throws(
      () => writeSockaddr(new Uint8Array(28), text, 53),
      (e) => e instanceof AddressError && e.message === error,
    );
  });
}

test('sockaddr: another family, or too few bytes, is no address', () => {
  for (const a of [new Uint8Array(28), new Uint8Array(0), Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0)]) {
    assert.equal(addressText(a), '');
    assert.equal(portOf(a), 0);
    assert.equal(familyOf(a), 0);
  }
  assert.equal(addressText(Uint8Array.of(10, 0, 0, 53, 0, 0, 0, 0)), '');
  assert.equal(familyOf(Uint8Array.of(10, 0, 0, 53, 0, 0, 0, 0)), 6);
});

test('sockaddr: any IPv6 address reads as ipaddr.js writes it by RFC 5952', () => {
  const group = fc.oneof(fc.constant(0), fc.nat(0xffff));
  const groups = fc.array(group, { minLength: 8, maxLength: 8 });
  fc.assert(
    fc.property(groups, (words) => {
      const text = words.map((word) => word.toString(16)).join(':');
      const want = new ipaddr.IPv6(words);
      const a = new Uint8Array(28);
      writeSockaddr(a, text, 1);
      const reads = addressText(a);
      assert.equal(
        reads,
        want.isIPv4MappedAddress() ? want.toIPv4Address().toString() : want.toRFC5952String(),
      );
      if (isIPv6(reads)) assert.deepEqual(Array.from(parseAddress(reads)), want.toByteArray());
    }),
  );
});
