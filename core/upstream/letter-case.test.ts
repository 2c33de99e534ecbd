import assert from 'node:assert/strict';
import test from 'node:test';
import { makeQuery } from '../testing/query.js';
import { Layout, scanMessage } from '../wire/layout.js';
import { parseName } from '../wire/name.js';
import { Exchange, MESSAGE_BYTES } from './exchange.js';
import { unmixOwners } from './letter-case.js';
import { Fit, fitOf, stampMessage, writeQuery } from './message.js';
import { random32 } from './random.js';

/** Letters, digits, octets beside letters, and octets above 0x7F that fold to letters when the top bit is lost. */
const NAMES = [
  'www.example.org',
  'A1-B2_c3.\\064\\091\\096\\123\\193\\225.Example',
  `${'abcdefghijklmnopqrstuvwxyz0123456789'.repeat(1)}.${'Zz'.repeat(31)}.${'q'.repeat(63)}.example.org`,
  '10.2.0.192.in-addr.arpa',
  '42',
  '.',
];

function exchangeFor(name: string, caseBits: number): Exchange {
  const x = new Exchange(0, new Uint8Array(MESSAGE_BYTES));
  writeQuery(x, makeQuery(name, 'A'), true);
  x.caseBits = caseBits;
  return x;
}

/** What is sent, with QR set. */
function echoOf(x: Exchange): Uint8Array {
  const wire = new Uint8Array(MESSAGE_BYTES);
  stampMessage(x, 0x1234, wire, 0);
  wire[2] = (wire[2] as number) | 0x80;
  return wire;
}

const nameIn = (x: Exchange, wire: Uint8Array): string =>
  Buffer.from(wire.subarray(12, x.questionEnd - 4)).toString('latin1');

for (const name of NAMES) {
  test(`letter case: ${name}: only letters change, and all come back`, () => {
    const plain = nameIn(exchangeFor(name, 0), exchangeFor(name, 0).message);
    for (let round = 0; round < 200; round++) {
      const x = exchangeFor(name, random32());
      const wire = echoOf(x);
      const sent = nameIn(x, wire);
      for (let i = 0; i < sent.length; i++) {
        const isLetter = /[a-z]/i.test(plain[i] as string);
        const isSame = sent[i] === plain[i];
        assert.ok(isSame || isLetter, `${i}`);
        assert.equal(sent[i]?.toLowerCase(), plain[i]?.toLowerCase());
      }
      assert.equal(fitOf(x, wire, x.length), Fit.WHOLE);
      assert.equal(nameIn(x, wire), plain);
    }
  });
}

test('letter case: one letter in the other case does not fit', () => {
  const x = exchangeFor('www.example.org', random32());
  const echo = echoOf(x);
  for (let i = 12; i < x.questionEnd - 4; i++) {
    if (!/[a-z]/i.test(String.fromCharCode(echo[i] as number))) continue;
    const wire = echo.slice();
    wire[i] = (wire[i] as number) ^ 0x20;
    assert.equal(fitOf(x, wire, x.length), Fit.MISCASED, String(i));
  }
});

test('letter case: another name, type or class fits in no case', () => {
  const x = exchangeFor('www.example.org', random32());
  const echo = echoOf(x);
  for (let i = 12; i < x.questionEnd; i++) {
    const wire = echo.slice();
    wire[i] = (wire[i] as number) ^ 0x01;
    assert.equal(fitOf(x, wire, x.length), Fit.NONE, String(i));
  }
});

test('letter case: in a name of up to 32 octets every letter has a bit of its own', () => {
  const x = exchangeFor('abcdefghijklmnopqrstuvwxyzabcd', 0);
  const [first, last] = [13, 42];
  for (let bit = first; bit <= last; bit++) {
    x.caseBits = 1 << bit;
    const wire = echoOf(x);
    for (let at = first; at <= last; at++) {
      assert.equal(wire[at] !== x.message[at], at === bit, `${bit} ${at}`);
    }
  }
});

test('letter case: owners copied from the question get the client’s case, others keep theirs', () => {
  const x = exchangeFor('wWw.example.org', 0x5555_5555);
  const echo = echoOf(x);
  const mixed = echo.slice(12, x.questionEnd - 4);
  const parts = [
    echo.subarray(0, x.questionEnd),
    record(mixed),
    record(Uint8Array.of(0xc0, 12)),
    record(parseName('WWW.EXAMPLE.ORG')),
    record(parseName('www.example.net')),
    record(Uint8Array.of(...mixed.subarray(0, 4), 0xc0, 16)),
  ];
  const wire = new Uint8Array(Buffer.concat(parts));
  wire.set([0, 5, 0, 0, 0, 0], 6);
  const layout = new Layout();
  scanMessage(wire, wire.length, layout);
  assert.equal(layout.isValid, true);
  const before = wire.slice();
  unmixOwners(x, wire, layout);
  const at = layout.owners[0] as number;
  assert.deepEqual(wire.subarray(at, at + mixed.length), x.message.subarray(12, x.questionEnd - 4));
  wire.set(mixed, at);
  assert.deepEqual(wire, before);
});

/** An A record with this owner. */
function record(owner: Uint8Array): Uint8Array {
  return Uint8Array.of(...owner, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1);
}
