// What taking messages out of a byte stream and putting them into one costs, per message, by their length: a read and a write of many, as pipelining clients cause.
import { Writable } from 'node:stream';
import { FrameReader } from '../../core/server/frame-reader.js';
import { sharedFrameWriter } from '../../core/server/frame-writer.js';
import { measure } from './rounds.js';

const CALLS = 320_000;

/** Messages in one read, and in one write. */
const MESSAGES = 32;

/** Queries without and with OPT, replies, and one that is long. */
const LENGTHS = [33, 60, 120, 500, 1400];

/** As the connections of a worker share one. */
const writer = sharedFrameWriter();
const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });

for (const length of LENGTHS) {
  const message = new Uint8Array(length).fill(7);
  const frame = Buffer.from([length >> 8, length & 255, ...message]);
  const chunk = Buffer.concat(Array.from({ length: MESSAGES }, () => frame));
  let sum = 0;
  const reader = new FrameReader((wire) => {
    sum += (wire[0] as number) + (wire[length - 1] as number);
  });
  measure(`frames: read, ${length} bytes`, CALLS, (calls) => {
    for (let i = 0; i < calls; i += MESSAGES) reader.push(chunk);
    return sum;
  });
  measure(`frames: write, ${length} bytes`, CALLS, (calls) => {
    for (let i = 0; i < calls; i += MESSAGES) {
      for (let k = 0; k < MESSAGES; k++) writer.append(message, length);
      writer.writeTo(nowhere);
    }
    return calls;
  });
}
