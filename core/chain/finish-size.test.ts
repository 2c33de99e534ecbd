import assert from 'node:assert/strict';
import { test } from 'node:test';
import { optionsOf, pass, query, sent } from '../../test/wire/finished.js';
import { nameBytes, optRecord, type RecordSpec, response } from '../../test/wire/messages.js';
import { Ede, RRType } from '../wire/constants.js';
import { Transport } from './query.js';

const a: RecordSpec = { type: RRType.A, rdata: [192, 0, 2, 1] };

function text(bytes: number): RecordSpec {
  return { type: RRType.TXT, rdata: new Uint8Array(bytes) };
}

const limits = [
  { name: '512 bytes without OPT', opt: undefined, fits: 512 },
  { name: '512 bytes for an OPT that offers less', opt: { size: 100 }, fits: 512 },
  { name: 'what the OPT offers', opt: { size: 1400 }, fits: 1400 },
  { name: '4096 bytes at most', opt: { size: 65535 }, fits: 4096 },
];
for (const { name, opt, fits } of limits) {
  test(`finish: a reply over UDP takes ${name}`, () => {
    const q = query({}, opt);
    const most = fits - 33 - 12 - (opt === undefined ? 0 : 11);
    const whole = pass(q, { answers: [text(most)] });
    assert.equal(sent(q, whole).length, fits);
    assert.deepEqual([whole.truncated, whole.layout.answers], [false, 1]);
    const over = pass(q, { answers: [text(most + 1)] });
    assert.equal(sent(q, over).length, opt === undefined ? 33 : 44);
    assert.deepEqual([over.truncated, over.layout.answers], [true, 0]);
  });
}

test('finish: over TCP a reply takes 65535 bytes, OPT included', () => {
  const q = query({}, {}, Transport.TCP);
  const answers = [
    text(30_000),
    { ...a, rdata: [9, 9, 9, 9] },
    { type: RRType.HINFO, rdata: new Uint8Array(35_440) },
  ];
  const whole = pass(q, { answers });
  assert.equal(sent(q, whole, 65_535).length, 33 + 30_012 + 16 + 35_452 + 11);
  assert.equal(whole.truncated, false);
  const over = pass(q, { answers: [...answers, a] });
  assert.equal(sent(q, over, 65_535).length, 33 + 30_012 + 11);
  assert.deepEqual([over.truncated, over.layout.answers], [true, 1]);
});

test('finish: what is left out is counted out, section by section', () => {
  const q = query({}, { size: 512 });
  const big = { answers: [text(100)], authorities: [{ ...text(100), type: RRType.NSEC }] };
  const additionals = [a, optRecord(), { ...text(300), owner: 'x.' }];
  const silent = pass(q, { ...big, additionals });
  sent(q, silent);
  const { layout } = silent;
  assert.deepEqual([layout.answers, layout.authorities, layout.additionals], [1, 1, 2]);
  assert.equal(silent.truncated, false);
  const cut = pass(q, { ...big, authorities: [{ ...text(400), type: RRType.NSEC }], additionals });
  sent(q, cut);
  assert.deepEqual([cut.layout.answers, cut.layout.authorities, cut.layout.additionals], [1, 0, 1]);
  assert.equal(cut.truncated, true);
});

test('finish: an OPT that ends what is kept is replaced, not moved', () => {
  const q = query({}, { size: 512 });
  const reply = pass(q, {
    additionals: [optRecord({ options: [[10, new Uint8Array(90)]] }), text(500)],
  });
  assert.deepEqual(sent(q, reply), response({ additionals: [optRecord()] }));
});

test('finish: glue of a referral that does not fit truncates (RFC 9471)', () => {
  const q = query();
  const authorities = [{ type: RRType.NS, rdata: nameBytes('ns.example.org.') }];
  const glue = { owner: 'ns.example.org.', type: RRType.AAAA, rdata: new Uint8Array(16) };
  const filler = { ...text(400), owner: 'ns.example.org.' };
  const reply = pass(q, { authorities, additionals: [filler, glue] });
  sent(q, reply);
  assert.deepEqual([reply.layout.additionals, reply.truncated], [1, true]);
  const answered = pass(q, { answers: [a], authorities, additionals: [filler, glue] });
  sent(q, answered);
  assert.deepEqual([answered.layout.additionals, answered.truncated], [1, false]);
});

test('finish: a message longer than the send buffer is cut while it is copied', () => {
  const q = query({}, { size: 4096 });
  const answers = Array.from({ length: 1000 }, (_, i) => ({ ...a, owner: `n${i}.example.` }));
  const reply = pass(q, { answers, additionals: [optRecord(), a] });
  const wire = sent(q, reply, 65_535);
  assert.ok(wire.length <= 4096);
  assert.equal(reply.truncated, true);
});

test('finish: the text of an extended error goes before any record does', () => {
  const q = query({}, { size: 512 });
  const filler: RecordSpec = { type: RRType.TXT, rdata: new Uint8Array(512 - 33 - 12 - 17) };
  const reply = pass(q, { answers: [filler] });
  reply.ede = Ede.BLOCKED;
  reply.edeText = 'blocked';
  const wire = sent(q, reply);
  assert.deepEqual([wire.length, reply.truncated], [512, false]);
  assert.deepEqual(optionsOf(wire), ['15:000f']);
  const longer = pass(q, { answers: [{ ...filler, rdata: new Uint8Array(512 - 33 - 12 - 16) }] });
  longer.ede = Ede.BLOCKED;
  assert.deepEqual(optionsOf(sent(q, longer)), ['15:000f']);
  assert.deepEqual([longer.layout.answers, longer.truncated], [0, true]);
});
