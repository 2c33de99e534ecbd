import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nameBytes } from '../../test/wire/messages.js';
import { RRType } from './constants.js';
import { firstRdataName, isCompressible, rdataNames, shiftPointers } from './rdata.js';

test('rdata: only types of RFC 1035 are compressed', () => {
  const all = Array.from({ length: 65536 }, (_, type) => type);
  assert.deepEqual(all.filter(isCompressible), [2, 3, 4, 5, 6, 7, 8, 9, 12, 14, 15]);
  const read = [17, 18, 21, 24, 26, 30, 33, 35, 36, 39];
  assert.deepEqual(
    all.filter((type) => rdataNames(type) > 0 && !isCompressible(type)),
    read,
  );
});

test('rdata: the names of a NAPTR stand behind its strings', () => {
  const rdata = Uint8Array.from([0, 1, 0, 2, 1, 65, 0, 2, 66, 66, ...nameBytes('a.')]);
  assert.equal(firstRdataName(rdata, RRType.NAPTR, 0, rdata.length), 10);
  assert.equal(firstRdataName(rdata, RRType.NAPTR, 0, 10), -1);
  assert.equal(firstRdataName(rdata, RRType.NAPTR, 0, 5), -1);
});

// 20 bytes were taken out at offset 40: a pointer to 60 or more now means 20 less.
const GAP = 40;
const REMOVED = 20;

interface Shift {
  readonly name: string;
  readonly owner?: readonly number[];
  readonly type: number;
  readonly rdata: readonly number[];
  /** What the rdata becomes; false for a malformed record. */
  readonly want: readonly number[] | false;
}

const shifts: readonly Shift[] = [
  { name: 'an address', type: RRType.A, rdata: [0xc0, 60, 0xc0, 60], want: [0xc0, 60, 0xc0, 60] },
  { name: 'NS before the gap', type: RRType.NS, rdata: [0xc0, 39], want: [0xc0, 39] },
  { name: 'NS behind the gap', type: RRType.NS, rdata: [1, 97, 0xc0, 60], want: [1, 97, 0xc0, 40] },
  { name: 'NS far behind', type: RRType.NS, rdata: [0xc1, 4], want: [0xc0, 240] },
  { name: 'NS without pointer', type: RRType.NS, rdata: [1, 97, 0], want: [1, 97, 0] },
  {
    name: 'SOA, both names',
    type: RRType.SOA,
    rdata: [0xc0, 61, 1, 97, 0xc0, 62, 0xc0, 63],
    want: [0xc0, 41, 1, 97, 0xc0, 42, 0xc0, 63],
  },
  { name: 'MX', type: RRType.MX, rdata: [0xc0, 70, 0xc0, 70], want: [0xc0, 70, 0xc0, 50] },
  {
    name: 'SRV',
    type: RRType.SRV,
    rdata: [0, 0, 0, 0, 0, 0, 0xc0, 70],
    want: [0, 0, 0, 0, 0, 0, 0xc0, 50],
  },
  {
    name: 'NAPTR',
    type: RRType.NAPTR,
    rdata: [0, 0, 0, 0, 0, 0, 0, 0xc0, 70],
    want: [0, 0, 0, 0, 0, 0, 0, 0xc0, 50],
  },
  { name: 'a name into the gap', type: RRType.NS, rdata: [0xc0, 40], want: false },
  { name: 'a name into the end of the gap', type: RRType.NS, rdata: [0xc0, 59], want: false },
  { name: 'no name', type: RRType.NS, rdata: [], want: false },
  { name: 'one name of two', type: RRType.SOA, rdata: [0], want: false },
  { name: 'half a pointer', type: RRType.NS, rdata: [0xc0], want: false },
  { name: 'a bad label type', type: RRType.NS, rdata: [0x80, 0], want: false },
  { name: 'a label past the end', type: RRType.NS, rdata: [9, 97], want: false },
  { name: 'an owner into the gap', owner: [0xc0, 45], type: RRType.A, rdata: [], want: false },
];
for (const { name, owner = [0xc0, 0x0c], type, rdata, want } of shifts) {
  test(`shiftPointers: ${name} ${want === false ? 'is refused' : 'leads where it led'}`, () => {
    const head = [...new Uint8Array(100), ...owner];
    const record = [0, type, 0, 1, 0, 0, 0, 0, 0, rdata.length, ...rdata];
    const wire = Uint8Array.from([...head, ...record]);
    const is = shiftPointers(wire, 100, head.length, wire.length, GAP, REMOVED);
    assert.equal(is, want !== false);
    if (want !== false) assert.deepEqual(Array.from(wire.subarray(head.length + 10)), want);
  });
}
