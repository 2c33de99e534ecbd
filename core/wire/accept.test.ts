import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decode } from 'dns-packet';
import {
  type MessageSpec,
  message,
  nameBytes,
  optRecord,
  type RecordSpec,
  slotQuery,
} from '../../test/wire/messages.js';
import { placeForKernels } from '../simd/kernels.js';
import { accept, rejectInto, Verdict } from './accept.js';
import { EdnsOption, Opcode, RRType } from './constants.js';
import { EcsFamily } from './ecs.js';

const { ACCEPT, IGNORE, FORMERR, NOTIMP, BADVERS } = Verdict;

const label63 = 'a'.repeat(63);
const longest = `${`${label63}.`.repeat(3)}${'b'.repeat(61)}.`;
const a: RecordSpec = { type: RRType.A, rdata: [192, 0, 2, 1] };
const soa: RecordSpec = { type: RRType.SOA, rdata: new Uint8Array(22) };
const tsig: RecordSpec = { owner: 'key.', type: RRType.TSIG, class: 255, ttl: 0, rdata: [1, 2, 3] };

/** Three labels of 63 bytes and one of `last`. */
function nameOver(last: number): number[] {
  const labels = nameBytes(`${label63}.`.repeat(3)).slice(0, -1);
  return [...labels, last, ...new Uint8Array(last).fill(98), 0];
}

function ecs(...data: number[]): MessageSpec {
  return { additionals: [optRecord({ options: [[EdnsOption.ECS, data]] })] };
}

const rules: readonly { name: string; spec: MessageSpec; want: Verdict; cut?: number }[] = [
  { name: 'a plain query', spec: {}, want: ACCEPT },
  { name: 'the root', spec: { qname: '.' }, want: ACCEPT },
  { name: 'a name of 255 bytes', spec: { qname: longest }, want: ACCEPT },
  { name: 'a query with OPT', spec: { additionals: [optRecord()] }, want: ACCEPT },
  { name: 'RD, AD and CD', spec: { flags: 0x0130 }, want: ACCEPT },
  { name: 'OPT, then TSIG', spec: { additionals: [optRecord(), tsig] }, want: ACCEPT },
  { name: 'TSIG alone', spec: { additionals: [tsig] }, want: ACCEPT },
  {
    name: 'NOTIFY with the new SOA',
    spec: { opcode: Opcode.NOTIFY, qtype: 6, answers: [soa] },
    want: ACCEPT,
  },
  {
    name: 'IXFR with the SOA it has',
    spec: { qtype: RRType.IXFR, authorities: [soa] },
    want: ACCEPT,
  },
  { name: 'a qtype nobody knows', spec: { qtype: 65280, qclass: 4 }, want: ACCEPT },

  { name: '11 bytes', spec: {}, cut: 11, want: IGNORE },
  { name: 'no bytes', spec: {}, cut: 0, want: IGNORE },
  { name: 'a response', spec: { flags: 0x8100 }, want: IGNORE },
  { name: 'a response of another opcode', spec: { flags: 0x8100, opcode: 15 }, want: IGNORE },

  { name: 'UPDATE', spec: { opcode: Opcode.UPDATE }, want: NOTIMP },
  { name: 'STATUS', spec: { opcode: Opcode.STATUS }, want: NOTIMP },
  {
    name: 'IQUERY without question',
    spec: { opcode: Opcode.IQUERY, noQuestion: true },
    want: NOTIMP,
  },
  { name: 'the last opcode', spec: { opcode: 15 }, want: NOTIMP },

  { name: 'a header alone', spec: {}, cut: 12, want: FORMERR },
  { name: 'no question', spec: { noQuestion: true }, want: FORMERR },
  { name: 'two questions', spec: { counts: [2], tail: [0, 0, 1, 0, 1] }, want: FORMERR },
  { name: '257 questions', spec: { counts: [257] }, want: FORMERR },
  { name: 'two answers', spec: { answers: [a, a] }, want: FORMERR },
  { name: '256 answers', spec: { counts: [1, 256] }, want: FORMERR },
  { name: 'two authorities', spec: { authorities: [soa, soa] }, want: FORMERR },
  { name: '256 authorities', spec: { counts: [1, 0, 256] }, want: FORMERR },
  { name: 'three additionals', spec: { additionals: [optRecord(), a, a] }, want: FORMERR },
  { name: '256 additionals', spec: { counts: [1, 0, 0, 256] }, want: FORMERR },

  { name: 'a pointer in the question', spec: { qname: [1, 97, 0xc0, 0x0c] }, want: FORMERR },
  { name: 'a pointer as the question', spec: { qname: [0xc0, 0x0c] }, want: FORMERR },
  { name: 'a label of 64 bytes', spec: { qname: [64, ...new Uint8Array(64), 0] }, want: FORMERR },
  { name: 'a name of 256 bytes', spec: { qname: nameOver(62) }, want: FORMERR },
  { name: 'a name of 257 bytes', spec: { qname: nameOver(63) }, want: FORMERR },
  { name: 'a question that ends in its name', spec: {}, cut: 20, want: FORMERR },
  { name: 'a question that ends before its root', spec: {}, cut: 28, want: FORMERR },
  { name: 'a question that ends before its type', spec: {}, cut: 29, want: FORMERR },
  { name: 'a question that ends in its class', spec: {}, cut: 32, want: FORMERR },

  { name: 'bytes after the question', spec: { tail: [0] }, want: FORMERR },
  { name: 'bytes after the OPT', spec: { additionals: [optRecord()], tail: [0] }, want: FORMERR },
  { name: 'a record that is not there', spec: { counts: [1, 0, 0, 1] }, want: FORMERR },
  { name: 'an OPT without RDLENGTH', spec: { additionals: [optRecord()] }, cut: 43, want: FORMERR },
  {
    name: 'an RDLENGTH past the end',
    spec: { additionals: [{ ...optRecord(), rdlength: 1 }] },
    want: FORMERR,
  },
  { name: 'an owner without end', spec: { counts: [1, 0, 0, 1], tail: [1, 97] }, want: FORMERR },
  {
    name: 'an owner that points to itself',
    spec: { additionals: [{ ...a, owner: [0xc0, 0x21] }] },
    want: FORMERR,
  },

  { name: 'two OPTs', spec: { additionals: [optRecord(), optRecord()] }, want: FORMERR },
  { name: 'an OPT among the answers', spec: { answers: [optRecord()] }, want: FORMERR },
  { name: 'an OPT among the authorities', spec: { authorities: [optRecord()] }, want: FORMERR },
  {
    name: 'an OPT owned by a name',
    spec: { additionals: [optRecord({ owner: 'a.' })] },
    want: FORMERR,
  },
  {
    name: 'an OPT owned by a pointer',
    spec: { additionals: [optRecord({ owner: [0xc0, 0x1c] })] },
    want: FORMERR,
  },
  { name: 'TSIG before OPT', spec: { additionals: [tsig, optRecord()] }, want: FORMERR },
  { name: 'TSIG as answer', spec: { answers: [tsig] }, want: FORMERR },
  {
    name: 'an option of 3 bytes',
    spec: { additionals: [{ ...optRecord(), rdata: [0, 10, 0] }] },
    want: FORMERR,
  },
  {
    name: 'an option longer than the OPT',
    spec: { additionals: [{ ...optRecord(), rdata: [0, 10, 0, 2, 1] }] },
    want: FORMERR,
  },
  {
    name: 'bytes after the last option',
    spec: { additionals: [{ ...optRecord(), rdata: [0, 10, 0, 1, 1, 0] }] },
    want: FORMERR,
  },

  { name: 'ECS for IPv4', spec: ecs(0, 1, 24, 0, 192, 0, 2), want: ACCEPT },
  { name: 'ECS for IPv4, whole address', spec: ecs(0, 1, 32, 0, 192, 0, 2, 1), want: ACCEPT },
  { name: 'ECS for IPv4, 0 bits', spec: ecs(0, 1, 0, 0), want: ACCEPT },
  { name: 'ECS for IPv6, 20 bits', spec: ecs(0, 2, 20, 0, 0x20, 1, 0xd0), want: ACCEPT },
  { name: 'ECS without family, 0 bits', spec: ecs(0, 0, 0, 0), want: ACCEPT },
  {
    name: 'ECS of an unknown family',
    spec: ecs(0, 9, 200, 0, ...new Uint8Array(25)),
    want: FORMERR,
  },
  { name: 'ECS of an unknown family, 0 bits', spec: ecs(0, 3, 0, 0), want: FORMERR },
  {
    name: 'a malformed ECS behind a good one',
    spec: {
      additionals: [
        optRecord({
          options: [
            [EdnsOption.ECS, [0, 1, 0, 0]],
            [EdnsOption.ECS, [0, 1, 8, 0]],
          ],
        }),
      ],
    },
    want: FORMERR,
  },
  { name: 'ECS without data', spec: ecs(), want: FORMERR },
  { name: 'ECS of 3 bytes', spec: ecs(0, 1, 0), want: FORMERR },
  { name: 'ECS with too few octets', spec: ecs(0, 1, 24, 0, 192, 0), want: FORMERR },
  { name: 'ECS with too many octets', spec: ecs(0, 1, 24, 0, 192, 0, 2, 0), want: FORMERR },
  { name: 'ECS with bits past the prefix', spec: ecs(0, 2, 20, 0, 0x20, 1, 0xd8), want: FORMERR },
  { name: 'ECS over 32 bits of IPv4', spec: ecs(0, 1, 33, 0, 192, 0, 2, 1, 0), want: FORMERR },
  {
    name: 'ECS over 128 bits of IPv6',
    spec: ecs(0, 2, 129, 0, ...new Uint8Array(17)),
    want: FORMERR,
  },
  { name: 'ECS without family, 8 bits', spec: ecs(0, 0, 8, 0, 1), want: FORMERR },
  { name: 'ECS with a scope', spec: ecs(0, 1, 24, 24, 192, 0, 2), want: FORMERR },

  { name: 'EDNS version 1', spec: { additionals: [optRecord({ version: 1 })] }, want: BADVERS },
  {
    name: 'EDNS version 255 with other options',
    spec: { additionals: [{ ...optRecord({ version: 255 }), rdata: [1] }] },
    want: BADVERS,
  },
  {
    name: 'EDNS version 1 and bytes after it',
    spec: { additionals: [optRecord({ version: 1 })], tail: [0] },
    want: FORMERR,
  },
];
const place = placeForKernels(512) ?? { memory: new SharedArrayBuffer(512), at: -1 };
const slot = new Uint8Array(place.memory, Math.max(place.at, 0), 512);
const verdictNames = Object.keys(Verdict);
for (const { name, spec, want, cut } of rules) {
  test(`accept: ${name}: ${verdictNames[want]}`, () => {
    const q = slotQuery(message(spec).subarray(0, cut));
    assert.equal(accept(q), want);
    // Again where the name kernels see it.
    const placed = slotQuery(slot.fill(0xee));
    placed.wire.set(q.wire);
    placed.length = q.length;
    assert.equal(accept(placed, place.at), want);
    for (const field of [
      'qnameEnd',
      'labels',
      'qtype',
      'qclass',
      'optOffset',
      'ecsOffset',
    ] as const)
      assert.equal(placed[field], q[field]);
    if (q.qnameEnd !== 0) assert.deepEqual(placed.folded, q.folded);
  });
}

test('accept: a length past the buffer is ignored', () => {
  const q = slotQuery(message());
  q.length++;
  assert.equal(accept(q), IGNORE);
});

test('accept: the question is read, folded and padded to a word', () => {
  const q = slotQuery(message({ qname: 'wWw.eXAMPLE.Org.', qtype: RRType.AAAA, qclass: 3 }));
  q.folded.fill(0xee);
  assert.equal(accept(q), ACCEPT);
  assert.equal(q.qname, 'wWw.eXAMPLE.Org.');
  assert.deepEqual([q.qnameEnd, q.qtype, q.qclass, q.labels], [29, RRType.AAAA, 3, 3]);
  const want = nameBytes('www.example.org.');
  assert.deepEqual(Array.from(q.folded.subarray(0, 21)), [...want, 0, 0, 0, 0xee]);
});

test('accept: names that fold alike have the same words whatever was there before', () => {
  for (const qname of ['.', 'A.', 'aB.', 'aBc.', longest]) {
    const [first, second] = [qname, qname.toLowerCase()].map((name, i) => {
      const q = slotQuery(message({ qname: name }));
      q.folded.fill(i * 255);
      assert.equal(accept(q), ACCEPT);
      return q.folded32.subarray(0, (q.qnameEnd - q.qnameOffset + 3) >> 2);
    });
    assert.deepEqual(first, second);
  }
});

test('accept: bytes that are no ASCII letters stay as they are', () => {
  const qname = [6, 0xc4, 0xe4, 0x40, 0x5b, 0x00, 0xff, 0];
  const q = slotQuery(message({ qname }));
  accept(q);
  assert.deepEqual(Array.from(q.folded.subarray(0, 8)), qname);
});

test('accept: the OPT is read', () => {
  const options = [
    [EdnsOption.COOKIE, new Uint8Array(8)],
    [EdnsOption.ECS, [0, 1, 8, 0, 10]],
    [EdnsOption.ECS, [0, 1, 8, 0, 11]],
    [EdnsOption.KEEPALIVE, []],
  ] as const;
  const q = slotQuery(message({ additionals: [optRecord({ flags: 0x8000, options })] }));
  assert.equal(accept(q), ACCEPT);
  assert.deepEqual([q.optOffset, q.dnssecOk, q.wantsKeepalive], [33, true, true]);
  // The first client subnet counts.
  assert.equal(q.ecsOffset, 33 + 11 + 12);
});

const networks = [
  { name: 'of IPv4', data: [0, 1, 22, 0, 192, 0, 4], want: [1, 22, 'c0000400'] },
  { name: 'of IPv6', data: [0, 2, 36, 0, 0x20, 1, 0xd, 0xb8, 0xf0], want: [2, 36, '20010db8f0'] },
  {
    name: 'of IPv6 is cut to 64 bits',
    data: [0, 2, 128, 0, 0x20, 1, 0xd, 0xb8, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12],
    want: [2, 64, '20010db801020304'],
  },
  { name: 'of 0 bits is none', data: [0, 1, 0, 0], want: undefined },
  { name: 'that is private is none', data: [0, 1, 24, 0, 192, 168, 1], want: undefined },
];
for (const { name, data, want } of networks) {
  test(`accept: a client subnet ${name}`, () => {
    const q = slotQuery(message(ecs(...data)));
    assert.equal(accept(q), ACCEPT);
    assert.equal(q.refusesEcs, data[2] === 0);
    if (want === undefined) {
      assert.equal(q.ecsFamily, EcsFamily.NONE);
      return;
    }
    const [family, source, address] = want;
    assert.deepEqual([q.ecsFamily, q.ecsSource], [family, source]);
    assert.equal(Buffer.from(q.ecsAddress).toString('hex'), String(address).padEnd(16, '0'));
  });
}

test('accept: nothing of the query before is left', () => {
  const options = [
    [EdnsOption.ECS, [0, 1, 8, 0, 192]],
    [EdnsOption.KEEPALIVE, []],
  ] as const;
  const q = slotQuery(
    message({ additionals: [optRecord({ flags: 0x8000, size: 4096, options })] }),
  );
  accept(q);
  for (const wire of [message(), message().subarray(0, 12), message({ opcode: Opcode.UPDATE })]) {
    q.wire = wire;
    q.length = wire.length;
    accept(q);
    assert.deepEqual([q.optOffset, q.udpSize, q.ecsOffset, q.ecsFamily], [0, 512, 0, 0]);
    assert.deepEqual([q.dnssecOk, q.wantsKeepalive], [false, false]);
    assert.equal(q.qnameEnd, wire.length > 12 && q.opcode === Opcode.QUERY ? 29 : 0);
  }
});

for (const [size, want] of [
  [0, 512],
  [511, 512],
  [512, 512],
  [1232, 1232],
  [4096, 4096],
  [65535, 4096],
] as const) {
  test(`accept: a client that offers ${size} bytes gets up to ${want}`, () => {
    const q = slotQuery(message({ additionals: [optRecord({ size })] }));
    accept(q);
    assert.equal(q.udpSize, want);
  });
}

const rejections = [
  {
    name: 'FORMERR, question unreadable',
    spec: { flags: 0x0110, qname: [0xc0, 0x0c] },
    flags: 0x8111,
    questions: 0,
  },
  {
    name: 'FORMERR, question readable',
    spec: { flags: 0x0110, tail: [0] },
    flags: 0x8111,
    questions: 1,
  },
  {
    name: 'FORMERR for NOTIFY',
    spec: { opcode: Opcode.NOTIFY, flags: 0, tail: [0] },
    flags: 0xa001,
    questions: 1,
  },
  { name: 'NOTIMP', spec: { opcode: Opcode.UPDATE, flags: 0x07f0 }, flags: 0xa914, questions: 0 },
];
for (const { name, spec, flags, questions } of rejections) {
  test(`rejectInto: ${name}`, () => {
    const q = slotQuery(message({ id: 0xabcd, ...spec }));
    q.out.fill(255);
    const length = rejectInto(q, accept(q), q.out);
    const wire = q.out.subarray(0, length);
    assert.deepEqual(Array.from(wire.subarray(0, 12)), [
      0xab,
      0xcd,
      flags >> 8,
      flags & 255,
      0,
      questions,
      0,
      0,
      0,
      0,
      0,
      0,
    ]);
    assert.deepEqual(
      wire.subarray(12),
      questions === 0 ? new Uint8Array(0) : q.wire.subarray(12, 33),
    );
  });
}

test('rejectInto: BADVERS is said in an OPT of version 0', () => {
  const q = slotQuery(message({ additionals: [optRecord({ version: 3, flags: 0x8000 })] }));
  const length = rejectInto(q, accept(q), q.out.fill(255));
  const reply = decode(Buffer.from(q.out.subarray(0, length)));
  assert.equal(q.out[3] as number & 15, 0);
  assert.deepEqual(reply.questions, [{ name: 'www.example.org', type: 'A', class: 'IN' }]);
  assert.deepEqual(reply.additionals, [
    {
      name: '.',
      type: 'OPT',
      udpPayloadSize: 1232,
      extendedRcode: 1,
      ednsVersion: 0,
      flags: 0x8000,
      flag_do: true,
      options: [],
    },
  ]);
});

test('rejectInto: what is ignored gets nothing', () => {
  const q = slotQuery(message({ flags: 0x8000 }));
  assert.equal(rejectInto(q, accept(q), q.out), 0);
});
