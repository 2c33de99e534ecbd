import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { test } from 'node:test';
import { FrameReader } from './frame-reader.js';
import { FrameWriter } from './frame-writer.js';

/** A stream that takes what is written only when `take` is called, and reads the bytes no earlier. */
class SlowStream extends Writable {
  readonly messages: number[][] = [];
  writes = 0;
  readonly #frames = new FrameReader((wire) => this.messages.push([...wire]));
  #take: (() => void) | undefined;

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.writes++;
    this.#take = () => {
      this.#frames.push(chunk);
      done();
    };
  }

  take(): void {
    this.#take?.();
  }
}

test('frame writer: what is gathered leaves in one write, each message with its length', () => {
  const stream = new SlowStream();
  const writer = new FrameWriter();
  const messages = [0, 1, 48, 49, 300, 2000].map((size) => new Uint8Array(size).fill(size & 255));
  assert.equal(writer.isEmpty, true);
  for (const message of messages) writer.append(message, message.length);
  writer.writeTo(stream);
  assert.equal(writer.isEmpty, true);
  stream.take();
  assert.equal(stream.writes, 1);
  assert.deepEqual(
    stream.messages,
    messages.map((message) => [...message]),
  );
});

test('frame writer: bytes that a stream has not taken yet are not written over', async () => {
  const stream = new SlowStream();
  const writer = new FrameWriter();
  for (const byte of [1, 2, 3]) {
    writer.append(Uint8Array.of(byte, byte), 2);
    writer.writeTo(stream);
  }
  for (let i = 0; i < 3; i++) {
    stream.take();
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.deepEqual(stream.messages, [
    [1, 1],
    [2, 2],
    [3, 3],
  ]);
});

test('frame writer: it says when enough is gathered, and takes the longest message then too', () => {
  const stream = new SlowStream();
  const writer = new FrameWriter();
  writer.append(new Uint8Array(32_000), 32_000);
  assert.equal(writer.isFull, false);
  writer.append(new Uint8Array(65_535).fill(7), 65_535);
  assert.equal(writer.isFull, true);
  writer.writeTo(stream);
  stream.take();
  assert.deepEqual(
    stream.messages.map((message) => message.length),
    [32_000, 65_535],
  );
});

test('frame writer: what is cleared is not sent', () => {
  const stream = new SlowStream();
  const writer = new FrameWriter();
  writer.append(Uint8Array.of(1), 1);
  writer.clear();
  writer.append(Uint8Array.of(2), 1);
  writer.writeTo(stream);
  stream.take();
  assert.deepEqual(stream.messages, [[2]]);
});
