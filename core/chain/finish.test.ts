import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decoded, optOf, pass, query, sent } from '../../test/wire/finished.js';
import {
  type MessageSpec,
  optRecord,
  type RecordSpec,
  response,
} from '../../test/wire/messages.js';
import { EdnsOption, Opcode, Rcode, RRType } from '../wire/constants.js';

const a: RecordSpec = { type: RRType.A, rdata: [192, 0, 2, 1] };
const tsig: RecordSpec = { owner: 'key.', type: RRType.TSIG, class: 255, ttl: 0, rdata: [1] };

/** The first four bytes as two 16-bit numbers. */
function head(wire: Uint8Array): readonly string[] {
  return [0, 2].map((at) => Buffer.from(wire).toString('hex', at, at + 2));
}

const headers = [
  { name: 'RD is that of the query, set', query: { flags: 0x0100 }, reply: 0x8080, want: '8180' },
  { name: 'RD is that of the query, clear', query: { flags: 0 }, reply: 0x8180, want: '8080' },
  { name: 'CD is that of the query, set', query: { flags: 0x0110 }, reply: 0x8180, want: '8190' },
  { name: 'CD is that of the query, clear', query: {}, reply: 0x8190, want: '8180' },
  {
    name: 'the opcode is that of the query',
    query: { opcode: Opcode.NOTIFY },
    reply: 0x8000,
    want: 'a100',
  },
  { name: 'AA, TC and RA are those of the reply', query: {}, reply: 0x8680, want: '8780' },
  { name: 'QR is set and Z is clear', query: {}, reply: 0x0140, want: '8100' },
  { name: 'AD is dropped without DO and AD', query: {}, reply: 0x81a0, want: '8180' },
  {
    name: 'AD is kept for a client that sets AD',
    query: { flags: 0x0120 },
    reply: 0x81a0,
    want: '81a0',
  },
  { name: 'AD is not invented', query: { flags: 0x0120 }, reply: 0x8180, want: '8180' },
  { name: 'the rcode is kept', query: {}, reply: 0x8183, want: '8183' },
];
for (const { name, query: spec, reply, want } of headers) {
  test(`finish: ${name}`, () => {
    const q = query({ id: 0xbeef, ...spec });
    const borrowed = pass(q, { id: 1, flags: reply });
    assert.deepEqual(head(sent(q, borrowed)), ['beef', want]);
    const known = response({ id: 1, flags: reply });
    assert.deepEqual(head(sent(q, q.replyWire(known, known.length, 0))), ['beef', want]);
  });
}

test('finish: AD is kept for a client that sets DO', () => {
  const q = query({}, { flags: 0x8000 });
  assert.equal(head(sent(q, pass(q, { flags: 0x81a0 })))[1], '81a0');
});

const questions: readonly { name: string; spec: MessageSpec; want: MessageSpec }[] = [
  {
    name: "has the client's case",
    spec: { qname: 'www.EXAMPLE.org.' },
    want: { qname: 'wWw.example.ORG.' },
  },
  {
    name: 'of another name is left',
    spec: { qname: 'wwx.example.org.' },
    want: { qname: 'wWx.example.org.' },
  },
  {
    name: 'of another length is left',
    spec: { qname: 'www.example.' },
    want: { qname: 'www.example.' },
  },
  { name: 'of another type is left', spec: { qtype: 28 }, want: { qtype: 28 } },
  { name: 'of another class is left', spec: { qclass: 3 }, want: { qclass: 3 } },
  { name: 'that is missing stays so', spec: { noQuestion: true }, want: { noQuestion: true } },
];
for (const { name, spec, want } of questions) {
  test(`finish: a question ${name}`, () => {
    const q = query({ qname: 'wWw.example.ORG.' });
    assert.deepEqual(sent(q, pass(q, { id: 9, ...spec })), response(want));
  });
}

test('finish: a name that only differs in bytes that are no letters is left', () => {
  const q = query({ qname: [2, 0x40, 0x5b, 0] });
  assert.deepEqual(
    sent(q, pass(q, { qname: [2, 0x60, 0x7b, 0] })),
    response({ qname: [2, 0x60, 0x7b, 0] }),
  );
});

test('finish: without OPT in the query there is none in the reply', () => {
  const q = query();
  const reply = pass(q, { answers: [a], additionals: [a, optRecord()] });
  assert.deepEqual(sent(q, reply), response({ answers: [a], additionals: [a] }));
});

test('finish: with OPT in the query the reply has ours', () => {
  const q = query(
    {},
    { flags: 0x8000, size: 4096, options: [[EdnsOption.COOKIE, new Uint8Array(8)]] },
  );
  const upstream = optRecord({
    size: 4000,
    version: 0,
    options: [
      [EdnsOption.NSID, [1]],
      [65001, [2]],
    ],
  });
  const want = response({ answers: [a], additionals: [a, optRecord({ flags: 0x8000 })] });
  assert.deepEqual(sent(q, pass(q, { answers: [a], additionals: [a, upstream] })), want);
  assert.deepEqual(sent(q, pass(q, { answers: [a], additionals: [a] })), want);
  const known = response({ answers: [a], additionals: [a] });
  assert.deepEqual(sent(q, q.replyWire(known, known.length, 0)), want);
});

test('finish: DO is clear when the client did not set it', () => {
  const q = query({}, {});
  const wire = sent(q, pass(q, { additionals: [optRecord({ flags: 0x8000 })] }));
  assert.deepEqual(wire, response({ additionals: [optRecord()] }));
});

test('finish: a reply made in place is finished in place', () => {
  const q = query({}, {});
  const wire = sent(q, q.replyRcode(Rcode.NXDOMAIN));
  assert.deepEqual(wire, response({ flags: 0x8103, additionals: [optRecord()] }));
  const cached = response({ id: 7, answers: [a] });
  q.out.set(cached);
  assert.deepEqual(
    sent(q, q.replyWire(q.out, cached.length, 0)),
    response({ answers: [a], additionals: [optRecord()] }),
  );
});

test('finish: what was finished can be finished again', () => {
  const q = query({}, { flags: 0x8000 });
  const reply = pass(q, { answers: [a], additionals: [optRecord()] });
  assert.deepEqual(sent(q, reply), sent(q, reply));
});

test('finish: bytes after the last record are not passed on', () => {
  const q = query({}, {});
  const wire = sent(q, pass(q, { answers: [a], tail: [1, 2, 3] }));
  assert.deepEqual(wire, response({ answers: [a], additionals: [optRecord()] }));
});

const rcodes = [
  { name: 'is split with OPT', hasOpt: true, rcode: Rcode.BADCOOKIE, want: [7, 1] },
  { name: 'is SERVFAIL without', hasOpt: false, rcode: Rcode.BADCOOKIE, want: [2, undefined] },
  { name: 'of 15 goes without', hasOpt: false, rcode: 15, want: [15, undefined] },
];
for (const { name, hasOpt, rcode, want } of rcodes) {
  test(`finish: an rcode over 15 ${name}`, () => {
    const q = query({}, hasOpt ? {} : undefined);
    const wire = sent(q, q.replyRcode(rcode));
    assert.deepEqual([(wire[3] as number) & 15, optOf(wire)?.extendedRcode], want);
  });
}

test("finish: the upper bits of an upstream's rcode are in its OPT", () => {
  const q = query({}, {});
  const bad = { flags: 0x8187, additionals: [optRecord({ rcode: 1 })] };
  const reply = pass(q, bad);
  assert.equal(optOf(sent(q, reply))?.extendedRcode, 1);
  assert.equal(reply.rcode, Rcode.BADCOOKIE);
  const changed = pass(q, bad);
  changed.rcode = Rcode.SERVFAIL;
  assert.equal(optOf(sent(q, changed))?.extendedRcode, 0);
  const plain = query();
  assert.equal(head(sent(plain, pass(plain, bad)))[1], '8182');
});

test('finish: TSIG and SIG(0) belong to the hop before', () => {
  const q = query();
  const sig0: RecordSpec = {
    owner: '.',
    type: RRType.SIG,
    class: 255,
    ttl: 0,
    rdata: new Uint8Array(18),
  };
  const sig: RecordSpec = { type: RRType.SIG, rdata: [0, 1, ...new Uint8Array(17)] };
  const want = response({ answers: [a], additionals: [sig] });
  assert.deepEqual(sent(q, pass(q, { answers: [a], additionals: [sig, optRecord(), tsig] })), want);
  assert.deepEqual(sent(q, pass(q, { answers: [a], additionals: [sig, sig0] })), want);
});

test('finish: an OPT amid the records goes and every pointer still leads where it led', () => {
  // The OPT is 15 bytes at 49; what follows points before it, behind it, and from rdata.
  const additionals: RecordSpec[] = [
    a,
    optRecord({ options: [[10, []]] }),
    { owner: 'b.example.', type: RRType.MX, rdata: [0, 1, 1, 99, 0xc0, 66] },
    { owner: [0xc0, 64], type: RRType.A, rdata: [1, 2, 3, 4] },
    { owner: [1, 100, 0xc0, 87], type: RRType.NS, rdata: [0xc0, 12] },
  ];
  const spec = { additionals };
  const want = decoded(response(spec));
  for (const opt of [undefined, {}]) {
    const q = query({}, opt);
    const got = decoded(sent(q, pass(q, spec)));
    const [first, , ...rest] = want.additionals ?? [];
    assert.deepEqual(got.additionals?.slice(0, 4), [first, ...rest]);
    assert.equal(got.additionals?.length, opt === undefined ? 4 : 5);
    // The same when the message is in the send buffer already.
    const wire = response(spec);
    q.out.set(wire);
    const inPlace = decoded(sent(q, q.replyWire(q.out, wire.length)));
    assert.deepEqual(inPlace.additionals, got.additionals);
  }
});

const unusable: readonly { name: string; spec: MessageSpec }[] = [
  { name: 'that ends within a record', spec: { counts: [1, 1], tail: [0] } },
  { name: 'with two OPTs', spec: { additionals: [optRecord(), optRecord()] } },
  {
    name: 'with a pointer into its OPT',
    spec: { additionals: [optRecord(), { ...a, owner: [0xc0, 34] }] },
  },
];
for (const { name, spec } of unusable) {
  test(`finish: a message ${name} becomes SERVFAIL`, () => {
    const q = query({}, {});
    const want = response({
      flags: 0x8102,
      additionals: [optRecord({ options: [[15, [0, 24]]] })],
    });
    assert.deepEqual(sent(q, pass(q, spec)), want);
    const plain = query();
    assert.deepEqual(sent(plain, pass(plain, spec)), response({ flags: 0x8102 }));
  });
}

test('finish: a message shorter than a header becomes SERVFAIL, said to have no OPT or not', () => {
  const q = query();
  for (const optOffset of [0, -1]) {
    const wire = sent(q, q.replyWire(new Uint8Array(11), 11, optOffset));
    assert.deepEqual(wire, response({ flags: 0x8102 }));
  }
});
