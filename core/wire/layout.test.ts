import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type MessageSpec,
  message,
  nameBytes,
  optRecord,
  type RecordSpec,
  response,
} from '../../test/wire/messages.js';
import { RRType } from './constants.js';
import { Layout, scanMessage } from './layout.js';

const a: RecordSpec = { type: RRType.A, rdata: [192, 0, 2, 1] };
const tsig: RecordSpec = { owner: 'key.', type: RRType.TSIG, class: 255, ttl: 0, rdata: [1] };

function layoutOf(wire: Uint8Array, length = wire.length): Layout {
  const layout = new Layout();
  scanMessage(wire, length, layout);
  return layout;
}

test('scanMessage: sections, records and OPT are where they are', () => {
  const wire = response({
    qname: 'a.',
    answers: [a, { ...a, owner: 'b.' }],
    authorities: [{ type: RRType.NS, rdata: nameBytes('c.') }],
    additionals: [a, optRecord({ options: [[10, [1]]] }), a],
  });
  const layout = layoutOf(wire);
  assert.ok(layout.isValid);
  assert.deepEqual([layout.answers, layout.authorities, layout.additionals], [2, 1, 3]);
  assert.equal(layout.questionEnd, 19);
  assert.deepEqual(
    [layout.answerStart, layout.authorityStart, layout.additionalStart],
    [19, 52, 67],
  );
  assert.deepEqual([layout.optOffset, layout.optEnd, layout.end], [83, 99, 115]);
  assert.equal(layout.count, 6);
  assert.deepEqual(Array.from(layout.owners.subarray(0, 6)), [19, 35, 52, 67, 83, 99]);
  assert.deepEqual(Array.from(layout.types.subarray(0, 6)), [21, 38, 54, 69, 84, 101]);
});

const valid: readonly { name: string; spec: MessageSpec }[] = [
  { name: 'a question alone', spec: {} },
  { name: 'no question', spec: { noQuestion: true } },
  { name: 'a record without rdata', spec: { answers: [{ type: 10 }] } },
  { name: 'TSIG at the end', spec: { additionals: [optRecord(), tsig] } },
  { name: 'bytes after the last record', spec: { tail: [1, 2, 3] } },
];
for (const { name, spec } of valid) {
  test(`scanMessage: ${name} is valid`, () => {
    const layout = layoutOf(response(spec));
    assert.ok(layout.isValid);
    assert.equal(layout.end, response({ ...spec, tail: [] }).length);
  });
}

const invalid: readonly { name: string; spec: MessageSpec; cut?: number }[] = [
  { name: '11 bytes', spec: {}, cut: 11 },
  { name: 'two questions', spec: { counts: [2] } },
  { name: '256 questions', spec: { counts: [256] } },
  { name: 'a question without end', spec: {}, cut: 20 },
  { name: 'half a qtype', spec: {}, cut: 30 },
  { name: 'an answer that is not there', spec: { counts: [1, 1] } },
  { name: 'an authority that is not there', spec: { counts: [1, 0, 1] } },
  { name: 'an additional that is not there', spec: { counts: [1, 0, 0, 1] } },
  { name: 'an owner without end', spec: { counts: [1, 1], tail: [1] } },
  { name: 'a record without RDLENGTH', spec: { answers: [a] }, cut: 40 },
  { name: 'an RDLENGTH past the end', spec: { answers: [{ ...a, rdlength: 5 }] } },
  { name: 'an OPT among the answers', spec: { answers: [optRecord()] } },
  { name: 'an OPT among the authorities', spec: { authorities: [optRecord()] } },
  { name: 'two OPTs', spec: { additionals: [optRecord(), optRecord()] } },
  { name: 'an OPT owned by a name', spec: { additionals: [optRecord({ owner: 'a.' })] } },
  { name: 'TSIG before the end', spec: { additionals: [tsig, a] } },
  { name: 'TSIG as the last answer', spec: { answers: [tsig] } },
];
for (const { name, spec, cut } of invalid) {
  test(`scanMessage: ${name} is invalid`, () => {
    assert.equal(layoutOf(response(spec).subarray(0, cut)).isValid, false);
  });
}

test('scanMessage: only `length` bytes count', () => {
  const wire = response({ answers: [a] });
  assert.ok(layoutOf(wire).isValid);
  assert.equal(layoutOf(wire, wire.length - 1).isValid, false);
  assert.equal(layoutOf(wire, wire.length + 1).isValid, false);
});

test('scanMessage: a message over 65535 bytes is invalid', () => {
  const wire = new Uint8Array(70_000);
  wire.set(message());
  assert.ok(layoutOf(wire, 65_535).isValid);
  assert.equal(layoutOf(wire, 65_536).isValid, false);
});

test('scanMessage: a layout grows with a message and serves the next one', () => {
  const answers = Array.from({ length: 300 }, () => a);
  const layout = layoutOf(response({ answers }));
  assert.ok(layout.isValid);
  assert.equal(layout.count, 300);
  assert.equal(layout.owners[299], 33 + 299 * 16);
  assert.equal(layout.types[299], 35 + 299 * 16);
  const next = response({ answers: [a] });
  scanMessage(next, next.length, layout);
  assert.ok(layout.isValid);
  assert.deepEqual([layout.count, layout.optOffset], [1, 0]);
});
