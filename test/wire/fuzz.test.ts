// Random and mutated messages against everything that reads bytes from the network.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { finish } from '../../core/chain/finish.js';
import type { Query } from '../../core/chain/query.js';
import { accept, rejectInto, Verdict } from '../../core/wire/accept.js';
import { RRType } from '../../core/wire/constants.js';
import { Layout, scanMessage } from '../../core/wire/layout.js';
import { formatName, MALFORMED_NAME, parseName, readName, skipName } from '../../core/wire/name.js';
import { message, nameBytes, optRecord, type RecordSpec, response, slotQuery } from './messages.js';

/** Time per test; a run is repeated with the seed it prints: `FUZZ_SEED=n`. */
const BUDGET_MS = 500;

const seed = Number(process.env.FUZZ_SEED ?? Math.floor(Math.random() * 2 ** 32));
let random = mulberry32(seed);

const a: RecordSpec = { type: RRType.A, rdata: [192, 0, 2, 1] };
const mx: RecordSpec = {
  owner: 'a.example.',
  type: RRType.MX,
  rdata: [0, 1, 2, 109, 120, 0xc0, 12],
};
const soa: RecordSpec = {
  type: RRType.SOA,
  rdata: [...nameBytes('ns.example.'), 0xc0, 12, ...new Uint8Array(20)],
};
const ecs = optRecord({
  flags: 0x8000,
  options: [
    [8, [0, 1, 24, 0, 192, 0, 2]],
    [11, []],
  ],
});
const ede = optRecord({
  options: [
    [15, [0, 9, 65]],
    [8, [0, 1, 24, 20, 192, 0, 2]],
  ],
});
const tsig: RecordSpec = { owner: 'key.', type: RRType.TSIG, class: 255, ttl: 0, rdata: [1, 2, 3] };

const seeds = [
  message(),
  message({ qname: '.', qtype: 255 }),
  message({ additionals: [optRecord()] }),
  message({ qname: 'A.Long-Name.with.\\255\\.many.labels.example.', additionals: [ecs, tsig] }),
  message({ opcode: 4, answers: [soa] }),
  message({ qtype: 251, authorities: [soa], additionals: [ecs] }),
  response(),
  response({ answers: [a, a, mx], additionals: [ede] }),
  response({ flags: 0x8183, authorities: [soa], additionals: [ede, a, mx] }),
  response({
    answers: Array.from({ length: 60 }, () => a),
    authorities: [soa, soa],
    additionals: [mx, ede, tsig],
  }),
];

function fuzz(name: string, one: (wire: Uint8Array) => void): void {
  test(name, (t) => {
    t.diagnostic(`FUZZ_SEED=${seed}`);
    random = mulberry32(seed);
    const end = performance.now() + BUDGET_MS;
    let wire: Uint8Array = new Uint8Array(0);
    try {
      while (performance.now() < end) {
        for (let i = 0; i < 100; i++) {
          wire = mutated();
          one(wire);
        }
      }
    } catch (error) {
      t.diagnostic(`message: ${Buffer.from(wire).toString('hex')}`);
      throw error;
    }
  });
}

fuzz(
  'fuzz: the gate gives a verdict, reads nothing past the end, and what it accepts is sound',
  (wire) => {
    const [q, other] = [0x00, 0xff].map((filler) => {
      const query = slotQuery(followed(wire, filler));
      query.length = wire.length;
      query.folded.fill(filler);
      return query;
    }) as [Query, Query];
    const verdict = accept(q);
    assert.equal(accept(other), verdict);
    assert.deepEqual(seen(other), seen(q));
    const length = rejectInto(q, verdict, q.out);
    assert.equal(length > 0, verdict !== Verdict.ACCEPT && verdict !== Verdict.IGNORE);
    if (length > 0) assert.ok(isSound(q.out, length));
    if (verdict !== Verdict.ACCEPT) return;
    assert.ok(isSound(wire, wire.length));
    assert.equal(q.qnameEnd, skipName(wire, 12, wire.length));
    const text = q.qname;
    assert.deepEqual(parseName(text), wire.slice(12, q.qnameEnd));
    assert.equal(
      formatName(q.folded, 0),
      text.replace(/[A-Z]/g, (letter) => letter.toLowerCase()),
    );
    const made = q.replyRcode(3, 15, 'text');
    assert.ok(isSound(q.out, finish(q, made, q.udpSize)));
  },
);

fuzz('fuzz: a layout is what it was whatever follows the message', (wire) => {
  const [first, second] = [0x00, 0xff].map((filler) => {
    const layout = new Layout();
    scanMessage(followed(wire, filler), wire.length, layout);
    return layout;
  });
  assert.deepEqual(first, second);
});

fuzz('fuzz: whatever an upstream sends, the client gets a sound message of its own', (wire) => {
  for (const [i, size] of [512, 1232].entries()) {
    const q = slotQuery(message({ qname: 'WWW.example.org.', additionals: i === 0 ? [] : [ecs] }));
    assert.equal(accept(q), Verdict.ACCEPT);
    const isInPlace = random() < 0.3 && wire.length <= q.out.length;
    if (isInPlace) q.out.set(wire);
    const reply = q.replyWire(isInPlace ? q.out : followed(wire, 0xff), wire.length);
    const length = finish(q, reply, size);
    assert.ok(length <= size);
    assert.ok(isSound(q.out, length));
    assert.deepEqual(q.out.subarray(0, 2), q.wire.subarray(0, 2));
    assert.equal(reply.layout.optOffset !== 0, i === 1);
  }
});

fuzz('fuzz: names are read the same way by all who read them', (wire) => {
  const into = new Uint8Array(255);
  const offset = Math.floor(random() * wire.length);
  const text = formatName(wire, offset);
  const length = readName(wire, offset, wire.length, into, 0);
  assert.equal(text === MALFORMED_NAME, length < 0);
  if (length > 0) assert.deepEqual(parseName(text), into.slice(0, length));
});

function seen(q: Query): unknown[] {
  const words = q.qnameEnd === 0 ? 0 : (q.qnameEnd - q.qnameOffset + 3) >> 2;
  return [
    [q.qnameEnd, q.optOffset, q.udpSize, q.dnssecOk, q.ecsOffset, q.wantsKeepalive],
    q.qnameEnd === 0 ? [] : [q.qtype, q.qclass, q.labels],
    Array.from(q.folded32.subarray(0, words)),
  ];
}

function isSound(wire: Uint8Array, length: number): boolean {
  const layout = new Layout();
  scanMessage(wire, length, layout);
  return layout.isValid && layout.end === length;
}

/** `wire` at the start of a buffer filled with `filler`. */
function followed(wire: Uint8Array, filler: number): Uint8Array {
  const bytes = new Uint8Array(wire.length + 300).fill(filler);
  bytes.set(wire);
  return bytes;
}

function mutated(): Uint8Array {
  if (random() < 0.05) return Uint8Array.from({ length: below(80) }, () => below(256));
  let bytes = Array.from(seeds[below(seeds.length)] as Uint8Array);
  for (let changes = below(4); changes > 0; changes--) {
    const at = below(bytes.length);
    const kind = below(7);
    if (kind === 0) bytes[at] = below(256);
    else if (kind === 1) bytes[at] = (bytes[at] as number) ^ (1 << below(8));
    else if (kind === 2) bytes = bytes.slice(0, at);
    else if (kind === 3) bytes.splice(at, 2, 0xc0 | below(2), below(256));
    else if (kind === 4) bytes.splice(at, 0, ...bytes.slice(at, at + below(20)));
    else if (kind === 5) bytes.splice(at, below(4));
    else bytes[4 + below(8)] = below(4);
  }
  return Uint8Array.from(bytes);
}

function below(n: number): number {
  return Math.floor(random() * n);
}

/** A small seeded generator of numbers in [0, 1). */
function mulberry32(start: number): () => number {
  let state = start;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let x = Math.imul(state ^ (state >>> 15), 1 | state);
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
    return ((x ^ (x >>> 14)) >>> 0) / 4294967296;
  };
}
