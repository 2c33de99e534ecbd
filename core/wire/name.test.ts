import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  equalFolded,
  equalNames,
  FOLD,
  foldInto,
  formatName,
  MALFORMED_NAME,
  NameError,
  parseName,
  readName,
  skipName,
} from './name.js';

const label63 = 'a'.repeat(63);

/** Bytes from text in which each char is one byte. */
function bytes(text: string): Uint8Array {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}

/** A header of 12 zero bytes before `text`. */
function message(text: string): Uint8Array {
  return bytes('\0'.repeat(12) + text);
}

const texts = [
  { text: '.', wire: '\0' },
  { text: 'example.org.', wire: '\x07example\x03org\0' },
  { text: 'Example.ORG.', wire: '\x07Example\x03ORG\0' },
  { text: 'a\\.b.c.', wire: '\x03a.b\x01c\0' },
  { text: 'a\\\\b.', wire: '\x03a\\b\0' },
  { text: '\\000\\032\\127\\255.', wire: '\x04\0 \x7f\xff\0' },
  { text: '\\"\\$\\(\\)\\;\\@.', wire: '\x06"$();@\0' },
  { text: `${label63}.`, wire: `\x3f${label63}\0` },
];
for (const { text, wire } of texts) {
  test(`name: ${text.slice(0, 30)} is parsed and formatted`, () => {
    assert.deepEqual(parseName(text), bytes(wire));
    assert.equal(formatName(bytes(wire), 0), text);
  });
}

const leniencies = [
  { text: 'example.org', wire: '\x07example\x03org\0' },
  { text: 'a\\bc', wire: '\x03abc\0' },
  { text: '\\046x.', wire: '\x02.x\0' },
  { text: 'b\u00fccher', wire: '\x07b\xc3\xbccher\0' },
  { text: 'a b', wire: '\x03a b\0' },
];
for (const { text, wire } of leniencies) {
  test(`name: "${text}" is understood`, () => assert.deepEqual(parseName(text), bytes(wire)));
}

const bad = [
  { text: '', error: 'empty name' },
  { text: '..', error: 'name ".." has an empty label' },
  { text: '.org', error: 'name ".org" has an empty label' },
  { text: 'a..b', error: 'name "a..b" has an empty label' },
  { text: 'a\\', error: 'name "a\\" ends in a backslash' },
  { text: 'a\\12', error: 'name "a\\12" has a bad escape, want \\DDD or \\X' },
  { text: 'a\\1x2', error: 'name "a\\1x2" has a bad escape, want \\DDD or \\X' },
  { text: 'a\\256', error: 'name "a\\256" has an escape over \\255' },
  { text: `${label63}a.b`, error: `name "${label63}a.b" has a label over 63 bytes` },
  { text: `b.${label63}a`, error: `name "b.${label63}a" has a label over 63 bytes` },
];
for (const { text, error } of bad) {
  test(`name: "${text.slice(0, 20)}" is refused`, () => {
    assert.throws(
      () => parseName(text),
      (e) => e instanceof NameError && e.message === error,
    );
  });
}

test('name: 255 bytes are the longest name, as text and on the wire', () => {
  const longest = `${`${label63}.`.repeat(3)}${'b'.repeat(61)}.`;
  const wire = parseName(longest);
  assert.equal(wire.length, 255);
  assert.equal(formatName(wire, 0), longest);
  assert.throws(() => parseName(`b${longest}`), NameError);
  assert.throws(() => parseName(`c.${longest}`), /is over 255 bytes$/);
  const over = bytes(`${`\x3f${label63}`.repeat(3)}\x3e${'b'.repeat(62)}\0`);
  assert.equal(skipName(wire, 0, 255), 255);
  assert.equal(skipName(over, 0, over.length), -1);
  assert.equal(formatName(over, 0), MALFORMED_NAME);
});

test('name: any labels survive formatting and parsing', () => {
  const label = fc.uint8Array({ minLength: 1, maxLength: 20 });
  fc.assert(
    fc.property(fc.array(label, { maxLength: 8 }), (labels) => {
      const wire = Uint8Array.from([...labels.flatMap((l) => [l.length, ...l]), 0]);
      assert.deepEqual(parseName(formatName(wire, 0)), wire);
    }),
  );
});

// The name in question starts at the offset given; what is before it is there to be pointed to.
const skips = [
  { name: 'the root', text: '\0', at: 12, next: 13 },
  { name: 'plain labels', text: '\x01a\x02bc\0', at: 12, next: 18 },
  { name: 'a pointer', text: '\x01a\0\xc0\x0c', at: 15, next: 17 },
  { name: 'labels and a pointer', text: '\x01a\0\x01b\xc0\x0c', at: 15, next: 19 },
  { name: 'no end', text: '\x01a', at: 12, next: -1 },
  { name: 'a label past the end', text: '\x05ab', at: 12, next: -1 },
  { name: 'half a pointer', text: '\x01a\0\xc0', at: 15, next: -1 },
  { name: 'a pointer to itself', text: '\x01a\0\xc0\x0f', at: 15, next: -1 },
  { name: 'a pointer into its own labels', text: '\x01a\xc0\x0c', at: 12, next: -1 },
  { name: 'a pointer forward', text: '\xc0\x0e\x01a\0', at: 12, next: -1 },
  { name: 'a pointer into the header', text: '\xc0\x0b', at: 12, next: -1 },
  { name: 'the label type 01', text: '\x41a\0', at: 12, next: -1 },
  { name: 'the label type 10', text: '\x81a\0', at: 12, next: -1 },
  { name: 'nothing', text: '', at: 12, next: -1 },
  {
    name: 'labels over 255 bytes before a pointer',
    text: `\0${`\x3f${label63}`.repeat(4)}\xc0\x0c`,
    at: 13,
    next: -1,
  },
];
for (const { name, text, at, next } of skips) {
  test(`skipName: ${name} gives ${next}`, () => {
    const wire = message(text);
    assert.equal(skipName(wire, at, wire.length), next);
  });
}

const reads = [
  { name: 'plain labels', text: '\x01a\x02bc\0', at: 12, want: 'a.bc.' },
  {
    name: 'pointers to pointers',
    text: '\x01a\0\x01b\xc0\x0c\x01c\xc0\x0f',
    at: 19,
    want: 'c.b.a.',
  },
  { name: 'no end', text: '\x01a', at: 12, want: MALFORMED_NAME },
  { name: 'a label past the end', text: '\x05ab', at: 12, want: MALFORMED_NAME },
  { name: 'half a pointer', text: '\x01a\0\xc0', at: 15, want: MALFORMED_NAME },
  { name: 'a pointer to itself', text: '\xc0\x0c', at: 12, want: MALFORMED_NAME },
  { name: 'a loop of two', text: '\x01a\xc0\x10\x01b\xc0\x0c', at: 16, want: MALFORMED_NAME },
  { name: 'the label type 10', text: '\x81a\0', at: 12, want: MALFORMED_NAME },
  { name: 'an offset past the end', text: '', at: 20, want: MALFORMED_NAME },
];
for (const { name, text, at, want } of reads) {
  test(`formatName: ${name} reads ${want}`, () =>
    assert.equal(formatName(message(text), at), want));
}

test('readName: a name is copied decompressed, in its case, where it fits', () => {
  const wire = message('\x03Org\0\x07EXample\xc0\x0c');
  const into = new Uint8Array(20).fill(9);
  assert.equal(readName(wire, 17, wire.length, into, 2), 13);
  assert.deepEqual(into.subarray(2, 15), parseName('EXample.Org.'));
  assert.equal(into[15], 9);
  assert.equal(readName(wire, 17, wire.length, into, 8), -1);
  assert.equal(readName(wire, 17, wire.length - 1, into, 0), -1);
});

test('FOLD: only A-Z is folded', () => {
  const changed = Array.from(FOLD.keys()).filter((byte) => FOLD[byte] !== byte);
  assert.deepEqual(changed, Array.from(bytes('ABCDEFGHIJKLMNOPQRSTUVWXYZ')));
  assert.ok(changed.every((byte) => FOLD[byte] === byte + 32));
});

test('foldInto: the bytes asked for are folded, no others', () => {
  const into = new Uint8Array(6);
  foldInto(bytes('xAb\xc1Zx'), 1, 4, into, 1);
  assert.deepEqual(into, bytes('\0ab\xc1z\0'));
});

test('equalFolded: only ASCII letters are compared without case', () => {
  assert.ok(equalFolded(bytes('.aZ'), 1, bytes('Az'), 0, 2));
  assert.ok(!equalFolded(bytes('a['), 0, bytes('a{'), 0, 2));
  assert.ok(!equalFolded(bytes('\xc1'), 0, bytes('\xe1'), 0, 1));
});

const pairs = [
  { name: 'the same but for case', a: '\x01a\x01B\0', b: '\x01A\x01b\0', is: true },
  { name: 'roots', a: '\0', b: '\0', is: true },
  { name: 'another label', a: '\x01a\0', b: '\x01b\0', is: false },
  { name: 'another length', a: '\x01a\0', b: '\x02aa\0', is: false },
  { name: 'one within the other', a: '\x01a\0', b: '\x01a\x01b\0', is: false },
  { name: 'unfinished', a: '\x01a', b: '\x01a', is: false },
  { name: 'a label past the end', a: '\x02a', b: '\x02a', is: false },
  { name: 'a pointer to itself', a: '\xc0\x0c', b: '\0', is: false },
  { name: 'half a pointer', a: '\xc0', b: '\xc0', is: false },
  { name: 'a bad label type', a: '\x41a\0', b: '\x41a\0', is: false },
  { name: 'endless', a: '\x01a\xc0\x0c', b: '\x01a\xc0\x0c', is: false },
];
for (const { name, a, b, is } of pairs) {
  test(`equalNames: ${name}: ${is}`, () => {
    assert.equal(equalNames(message(a), 12, message(b), 12), is);
  });
}

/** A message of `count` pointers, each to the one before, the first to the name a; the last one's offset. */
function chain(count: number): { wire: Uint8Array; last: number } {
  const offsets = Array.from({ length: count }, (_, i) => (i === 0 ? 12 : 13 + 2 * i));
  const pointers = offsets.map((to) => String.fromCharCode(0xc0 | (to >> 8), to & 255));
  const wire = message(`\x01a\0${pointers.join('')}`);
  return { wire, last: wire.length - 2 };
}

test('name: no more pointers are followed than a name can need', () => {
  const most = chain(127);
  assert.equal(formatName(most.wire, most.last), 'a.');
  const over = chain(128);
  assert.equal(formatName(over.wire, over.last), MALFORMED_NAME);
  const hostile = chain(8000);
  assert.ok(!equalNames(hostile.wire, hostile.last, Uint8Array.of(1, 97, 0), 0));
  assert.ok(!equalNames(Uint8Array.of(1, 97, 0), 0, hostile.wire, hostile.last));
  assert.ok(equalNames(most.wire, most.last, Uint8Array.of(1, 97, 0), 0));
});

test('equalNames: a name over 255 bytes is equal to none', () => {
  const over = bytes(`${`\x3f${label63}`.repeat(4)}\0`);
  assert.ok(!equalNames(over, 0, over.slice(), 0));
  const longest = parseName(`${`${label63}.`.repeat(3)}${'b'.repeat(61)}.`);
  assert.ok(equalNames(longest, 0, longest.slice(), 0));
});

test('equalNames: compressed names are equal to plain ones', () => {
  const wire = message('\x03Org\0\x01a\xc0\x0c\x01A\xc0\x0c\x01a\x03org\0');
  assert.ok(equalNames(wire, 17, wire, 21));
  assert.ok(equalNames(wire, 17, wire, 25));
  assert.ok(!equalNames(wire, 12, wire, 25));
});
