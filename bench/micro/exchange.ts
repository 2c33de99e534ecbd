// What a miss costs beside the chain and the system calls: writing the message, stamping an id on it, finding the exchange of a reply, judging the reply.

import { makeQuery } from '../../core/testing/query.js';
import { Exchange, MESSAGE_BYTES } from '../../core/upstream/exchange.js';
import { IdTable } from '../../core/upstream/id-table.js';
import { Fit, fitOf, stampMessage, writeQuery } from '../../core/upstream/message.js';
import { random32, randomBelow } from '../../core/upstream/random.js';
import { measure } from './rounds.js';

const CALLS = 1_000_000;

/** Ids in use while one is taken: some of those drawn are taken already. */
const IN_FLIGHT = 8192;

const x = new Exchange(0, new Uint8Array(MESSAGE_BYTES));
const plain = makeQuery('www.example.org.', 'A');
const slot = new Uint8Array(new SharedArrayBuffer(MESSAGE_BYTES));

measure('message: write', CALLS, (calls) => {
  let sum = 0;
  for (let i = 0; i < calls; i++) {
    writeQuery(x, plain, true);
    sum += x.length;
  }
  return sum;
});
measure('message: stamp', CALLS, (calls) => {
  for (let i = 0; i < calls; i++) stampMessage(x, i & 0xffff, slot, 0);
  return slot[1] ?? 0;
});
measure('message: draw a case and stamp', CALLS, (calls) => {
  for (let i = 0; i < calls; i++) {
    x.caseBits = random32();
    stampMessage(x, i & 0xffff, slot, 0);
  }
  return slot[1] ?? 0;
});
x.caseBits = 0;

stampMessage(x, 7, slot, 0);
slot[2] = (slot[2] ?? 0) | 0x80;
measure('reply: judge', CALLS, (calls) => {
  let sum = 0;
  for (let i = 0; i < calls; i++) sum += fitOf(x, slot, x.length) === Fit.WHOLE ? 1 : 0;
  return sum;
});

// Judging puts the case of the client in its place: stamped anew each time, whose own cost is above.
measure('message: stamp in mixed case, and judge', CALLS, (calls) => {
  x.caseBits = 0x5a5a_5a5a;
  let sum = 0;
  for (let i = 0; i < calls; i++) {
    stampMessage(x, 7, slot, 0);
    slot[2] = (slot[2] ?? 0) | 0x80;
    sum += fitOf(x, slot, x.length) === Fit.WHOLE ? 1 : 0;
  }
  x.caseBits = 0;
  return sum;
});

const ids = new IdTable();
for (let i = 0; i < IN_FLIGHT; i++) ids.take(i);
measure(`id: take, find and release, ${IN_FLIGHT} in use`, CALLS, (calls) => {
  let sum = 0;
  for (let i = 0; i < calls; i++) {
    const id = ids.take(9000);
    sum += ids.find(id);
    ids.release(id);
  }
  return sum;
});
measure('random number below 100', CALLS, (calls) => {
  let sum = 0;
  for (let i = 0; i < calls; i++) sum += randomBelow(100);
  return sum;
});
