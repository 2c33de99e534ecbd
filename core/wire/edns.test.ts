import assert from 'node:assert/strict';
import { test } from 'node:test';
import { message, optRecord } from '../../test/wire/messages.js';
import { EdnsOption } from './constants.js';
import { extendedRcode, findOption, OPT_BYTES, optEnd, optionEnd, writeOpt } from './edns.js';

/** Where the OPT of a message without other records starts. */
const OPT_AT = 33;

test('edns: an OPT is written with the upper rcode bits and DO', () => {
  const out = new Uint8Array(15).fill(255);
  writeOpt(out, 2, 1232, 0xabc, true);
  assert.deepEqual(
    Array.from(out.subarray(2, 2 + OPT_BYTES)),
    [0, 0, 41, 0x04, 0xd0, 0xab, 0, 0x80, 0, 0, 0],
  );
  assert.deepEqual([out[1], out[13]], [255, 255]);
  writeOpt(out, 2, 512, 3, false);
  assert.deepEqual(Array.from(out.subarray(5, 10)), [2, 0, 0, 0, 0]);
});

test('edns: options are found by code, one after another', () => {
  const options = [
    [EdnsOption.COOKIE, [1, 2, 3]],
    [EdnsOption.EDE, [0, 3]],
    [EdnsOption.EDE, [0, 9, 65]],
  ] as const;
  const wire = message({ additionals: [optRecord({ rcode: 1, options })], tail: [0, 8, 0, 0] });
  assert.equal(optEnd(wire, OPT_AT), wire.length - 4);
  assert.equal(extendedRcode(wire, OPT_AT), 16);
  const first = findOption(wire, OPT_AT, EdnsOption.EDE);
  assert.equal(first, OPT_AT + 11 + 7);
  const second = findOption(wire, OPT_AT, EdnsOption.EDE, optionEnd(wire, first));
  assert.equal(second, first + 6);
  assert.equal(findOption(wire, OPT_AT, EdnsOption.EDE, optionEnd(wire, second)), 0);
  // What stands behind the record is none of its options.
  assert.equal(findOption(wire, OPT_AT, EdnsOption.ECS), 0);
});

test('edns: an option that does not fit its OPT ends the search', () => {
  const rdata = [0, 10, 0, 5, 1, 0, 8, 0, 0];
  const wire = message({ additionals: [{ ...optRecord(), rdata: [...rdata.slice(0, 4), 9] }] });
  assert.equal(findOption(wire, OPT_AT, EdnsOption.COOKIE), 0);
  // An RDLENGTH past the buffer, which no checked message has, is not believed either.
  const cut = message({ additionals: [{ ...optRecord(), rdata, rdlength: 400 }] });
  assert.equal(findOption(cut, OPT_AT, EdnsOption.ECS), 0);
});
