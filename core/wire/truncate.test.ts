import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type MessageSpec,
  nameBytes,
  optRecord,
  type RecordSpec,
  response,
} from '../../test/wire/messages.js';
import { RRType } from './constants.js';
import { Layout, scanMessage } from './layout.js';
import { fittingRecords, isTruncation, recordsEnd } from './truncate.js';

function layoutOf(wire: Uint8Array): Layout {
  const layout = new Layout();
  scanMessage(wire, wire.length, layout);
  assert.ok(layout.isValid);
  return layout;
}

function rr(owner: string, type: number, rdata: Iterable<number> = [1, 2, 3, 4]): RecordSpec {
  return { owner, type, rdata };
}

function rrsig(owner: string, covered: number): RecordSpec {
  return rr(owner, RRType.RRSIG, [0, covered, 5, 6]);
}

function ns(zone: string, server: string): RecordSpec {
  return rr(zone, RRType.NS, nameBytes(server));
}

interface Cut {
  readonly name: string;
  readonly spec: MessageSpec;
  /** Records there would be room for. */
  readonly room: number;
  readonly kept: number;
  readonly isTruncated: boolean;
}

const { A, AAAA, TXT, NS, SOA } = RRType;
const referral = { authorities: [ns('b.', 'ns1.b.'), ns('b.', 'ns2.c.')] };

const cuts: readonly Cut[] = [
  { name: 'all fits', spec: { answers: [rr('a.', A)] }, room: 1, kept: 1, isTruncated: false },
  { name: 'no answer fits', spec: { answers: [rr('a.', A)] }, room: 0, kept: 0, isTruncated: true },
  {
    name: 'half an RRset of the answer',
    spec: { answers: [rr('a.', RRType.CNAME, [0]), rr('b.', A), rr('B.', A), rr('b.', A)] },
    room: 3,
    kept: 1,
    isTruncated: true,
  },
  {
    name: 'an RRset that is scattered',
    spec: { answers: [rr('a.', A), rr('b.', A), rr('c.', A), rr('b.', A)] },
    room: 3,
    kept: 1,
    isTruncated: true,
  },
  {
    name: 'RRsets that hang together over another',
    spec: { answers: [rr('a.', A), rr('b.', A), rr('a.', A), rr('b.', A)] },
    room: 3,
    kept: 0,
    isTruncated: true,
  },
  {
    name: 'records that differ in type or class only',
    spec: { answers: [rr('a.', A), rr('a.', AAAA), { ...rr('a.', A), class: 3 }] },
    room: 2,
    kept: 2,
    isTruncated: true,
  },
  {
    name: 'the signature of an answer',
    spec: { answers: [rr('a.', A), rrsig('a.', A), rr('b.', A), rrsig('b.', A)] },
    room: 3,
    kept: 2,
    isTruncated: true,
  },
  {
    name: 'the signature of another RRset of the name',
    spec: { answers: [rr('a.', A), rrsig('a.', TXT)] },
    room: 1,
    kept: 1,
    isTruncated: true,
  },
  {
    name: 'an RRSIG without its data',
    spec: { answers: [rr('a.', A), rr('a.', RRType.RRSIG, [1])] },
    room: 1,
    kept: 1,
    isTruncated: true,
  },
  {
    name: 'authority does not count answers to its RRsets',
    spec: { answers: [rr('a.', NS)], authorities: [rr('a.', NS)] },
    room: 1,
    kept: 1,
    isTruncated: true,
  },
  {
    name: 'an authority',
    spec: { authorities: [rr('a.', SOA), rr('b.', RRType.NSEC), rr('b.', RRType.NSEC)] },
    room: 2,
    kept: 1,
    isTruncated: true,
  },
  {
    name: 'additional addresses of an answer',
    spec: { answers: [rr('a.', RRType.MX)], additionals: [rr('b.', A), rr('b.', A)] },
    room: 2,
    kept: 1,
    isTruncated: false,
  },
  {
    name: 'glue of a referral',
    spec: { ...referral, additionals: [rr('NS1.b.', A), rr('ns2.c.', AAAA)] },
    room: 3,
    kept: 3,
    isTruncated: true,
  },
  {
    name: 'what is no glue of a referral',
    spec: { ...referral, additionals: [rr('ns1.b.', A), rr('x.c.', A), rr('ns1.b.', TXT)] },
    room: 3,
    kept: 3,
    isTruncated: false,
  },
  {
    name: 'addresses where no name server is named',
    spec: { authorities: [rr('a.', SOA, nameBytes('ns.a.'))], additionals: [rr('ns.a.', A)] },
    room: 1,
    kept: 1,
    isTruncated: false,
  },
  {
    name: 'a name server that cannot be read',
    spec: { authorities: [rr('a.', NS, [2, 110])], additionals: [rr('n.', A)] },
    room: 1,
    kept: 1,
    isTruncated: false,
  },
];
for (const { name, spec, room, kept, isTruncated } of cuts) {
  test(`truncate: ${name}: ${kept} kept, ${isTruncated ? 'TC' : 'no TC'}`, () => {
    const wire = response(spec);
    const layout = layoutOf(wire);
    const bytes = recordsEnd(layout, room);
    assert.equal(fittingRecords(wire, layout, layout.count, bytes), kept);
    assert.equal(isTruncation(wire, layout, kept, layout.count), isTruncated);
  });
}

test('truncate: the bytes of an OPT do not count, wherever it stands', () => {
  for (const at of [0, 1, 2]) {
    const additionals = [rr('a.', A), rr('b.', A)];
    additionals.splice(at, 0, optRecord({ options: [[10, new Uint8Array(50)]] }));
    const wire = response({ additionals });
    const layout = layoutOf(wire);
    assert.equal(fittingRecords(wire, layout, 3, wire.length - 65), 3);
    const fewer = fittingRecords(wire, layout, 3, wire.length - 66);
    assert.equal(recordsEnd(layout, fewer) - (at <= 1 ? 65 : 0), wire.length - 65 - 17);
  }
});

test('truncate: a section that would cost too much to look through is left out whole', () => {
  const answers = Array.from({ length: 100 }, (_, i) => rr(`n${i}.`, A));
  const wire = response({ answers });
  const layout = layoutOf(wire);
  assert.equal(fittingRecords(wire, layout, 100, recordsEnd(layout, 4)), 4);
  assert.equal(fittingRecords(wire, layout, 100, recordsEnd(layout, 50)), 0);
});

test('truncate: many records of few RRsets cost little', () => {
  const answers = [rr('a.', RRType.CNAME, [0]), ...Array.from({ length: 2000 }, () => rr('b.', A))];
  const wire = response({ answers: [...answers, rr('b.', TXT)] });
  const layout = layoutOf(wire);
  assert.equal(fittingRecords(wire, layout, 2002, recordsEnd(layout, 2001)), 2001);
  assert.equal(fittingRecords(wire, layout, 2002, recordsEnd(layout, 200)), 1);
});

test('truncate: looking for glue that would cost too much counts as truncation', () => {
  const authorities = Array.from({ length: 40 }, (_, i) => ns('b.', `ns${i}.b.`));
  const additionals = Array.from({ length: 40 }, (_, i) => rr(`x${i}.b.`, A));
  const wire = response({ authorities, additionals });
  const layout = layoutOf(wire);
  assert.equal(isTruncation(wire, layout, 70, 80), false);
  assert.equal(isTruncation(wire, layout, 40, 80), true);
});
