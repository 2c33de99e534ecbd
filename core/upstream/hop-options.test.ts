// Options for the hop to the upstream, as they are on the wire.
import assert from 'node:assert/strict';
import test from 'node:test';
import { decode } from 'dns-packet';
import { TestOwner } from '../testing/exchanges.js';
import { addKeepalive, addPadding, HOP_OPTIONS_BYTES, keepaliveMs } from './hop-options.js';

interface Opt {
  readonly type: string;
  readonly options: readonly { readonly code: number; readonly data?: Buffer }[];
}

function optOf(message: Uint8Array): Opt {
  const { additionals } = decode(Buffer.from(message));
  assert.equal(additionals?.length, 1);
  return additionals?.[0] as unknown as Opt;
}

/** A query for `name` with EDNS, at `at` of a larger buffer that was used before. */
function written(name: string, at: number) {
  const x = new TestOwner().make(name, true);
  const out = new Uint8Array(at + x.length + HOP_OPTIONS_BYTES).fill(0xff);
  out.set(x.message.subarray(0, x.length), at);
  return { x, out };
}

test('hop options: queries of every length are padded to a multiple of 128 bytes with zeros', () => {
  for (let i = 1; i < 200; i++) {
    const labels = ['x'.repeat(Math.min(i, 60)), 'y'.repeat(Math.max(1, Math.min(i - 60, 60)))];
    const name = [...labels, 'z'.repeat(Math.max(1, Math.min(i - 120, 60)))].join('.');
    const { x, out } = written(name, 7);
    let length = x.length;
    if (i % 2 === 0) length = addKeepalive(out, 7, length, 7 + x.questionEnd);
    length = addPadding(out, 7, length, 7 + x.questionEnd);
    assert.equal(length % 128, 0);
    assert.ok(length - x.length <= HOP_OPTIONS_BYTES);
    const { options } = optOf(out.subarray(7, 7 + length));
    assert.deepEqual(
      options.map(({ code }) => code),
      i % 2 === 0 ? [11, 12] : [12],
    );
    assert.ok(
      out.subarray(7 + x.length + 4 * options.length, 7 + length).every((byte) => byte === 0),
    );
  }
});

test('hop options: keepalive asks without a time-out', () => {
  const { x, out } = written('www.example.org', 2);
  const length = addKeepalive(out, 2, x.length, 2 + x.questionEnd);
  assert.equal(length, x.length + 4);
  assert.deepEqual([...out.subarray(2 + x.length, 2 + length)], [0, 11, 0, 0]);
  assert.equal(optOf(out.subarray(2, 2 + length)).options[0]?.code, 11);
});

for (const [name, options, want] of [
  ['300 units', [0, 11, 0, 2, 1, 44], 30_000],
  ['none', [0, 11, 0, 2, 0, 0], 0],
  ['a cookie before it', [0, 10, 0, 1, 9, 0, 11, 0, 2, 0, 1], 100],
  ['no time-out', [0, 11, 0, 0], -1],
  ['a time-out of three bytes', [0, 11, 0, 3, 0, 0, 1], -1],
  ['an option that is cut off', [0, 11, 0, 2, 1], -1],
  ['no options', [], -1],
] as const) {
  test(`hop options: a reply's keepalive with ${name}`, () => {
    const { x } = written('www.example.org', 0);
    const reply = Buffer.concat([x.message.subarray(0, x.length), Uint8Array.from(options)]);
    reply[2] = 0x80;
    reply[x.length - 1] = options.length;
    assert.equal(keepaliveMs(reply), want);
  });
}

test('hop options: a reply without EDNS, or cut off, says nothing', () => {
  const x = new TestOwner().make('www.example.org');
  assert.equal(keepaliveMs(x.message.subarray(0, x.length)), -1);
  assert.equal(keepaliveMs(x.message.subarray(0, 11)), -1);
});
