import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FrameReader } from './frame-reader.js';

function frame(message: Uint8Array): Uint8Array {
  return Uint8Array.of(message.length >> 8, message.length & 255, ...message);
}

test('frames: any split of a stream gives the same messages', () => {
  const messages = fc.array(fc.uint8Array({ maxLength: 600 }), { maxLength: 8 });
  fc.assert(
    fc.property(messages, fc.array(fc.integer({ min: 1, max: 300 })), (sent, cuts) => {
      const stream = Buffer.concat(sent.map(frame));
      const got: Uint8Array[] = [];
      const reader = new FrameReader((wire) => got.push(wire.slice()));
      let o = 0;
      for (const cut of [...cuts, stream.length]) {
        reader.push(stream.subarray(o, o + cut));
        o = Math.min(o + cut, stream.length);
      }
      assert.deepEqual(
        got.map((wire) => [...wire]),
        sent.map((wire) => [...wire]),
      );
      assert.equal(reader.isPartial, false);
    }),
  );
});

test('frames: byte by byte works and shows a message under way', () => {
  const got: number[] = [];
  const reader = new FrameReader((wire) => got.push(wire.length));
  for (const byte of frame(new Uint8Array(70))) {
    reader.push(Uint8Array.of(byte));
    if (got.length === 0) assert.equal(reader.isPartial, true);
  }
  assert.deepEqual(got, [70]);
  assert.equal(reader.isPartial, false);
});

test('frames: nothing is delivered while held, and everything once released', () => {
  const got: number[] = [];
  const reader = new FrameReader((wire) => {
    got.push(wire[0] as number);
    if (wire[0] === 1) reader.hold();
  });
  reader.push(Buffer.concat([1, 2, 3].map((n) => frame(Uint8Array.of(n)))));
  reader.push(frame(Uint8Array.of(4)));
  assert.deepEqual(got, [1]);
  reader.release();
  assert.deepEqual(got, [1, 2, 3, 4]);
});

test('frames: the largest message is delivered whole', () => {
  let length = 0;
  const reader = new FrameReader((wire) => {
    length = wire.length;
  });
  const whole = frame(new Uint8Array(65_535));
  reader.push(whole.subarray(0, 30_000));
  reader.push(whole.subarray(30_000));
  assert.equal(length, 65_535);
});
