import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Answer, decode } from 'dns-packet';
import fc from 'fast-check';
import { message, nameBytes, slotQuery } from '../../test/wire/messages.js';
import { accept } from './accept.js';
import { MessageBuilder, Section } from './builder.js';
import { RRType } from './constants.js';
import { NameError, parseName } from './name.js';
import { addDecoded } from './records.js';
import { parseAddress } from './sockaddr.js';

const { ANSWER, AUTHORITY, ADDITIONAL } = Section;
const www = parseName('www.example.org.');
const ns = parseName('ns.example.org.');
const address = parseAddress('192.0.2.1');

/** Data of a TXT record. */
const NO_TEXT = Uint8Array.of(0);
const POINTER_BYTES = 2;
/** Type, class, TTL and length of a record. */
const FIXED_BYTES = 10;

/** A builder behind a question for www.example.org, and its buffer. */
function started(size = 512, qname = 'www.example.org.'): { b: MessageBuilder; out: Uint8Array } {
  const out = new Uint8Array(size).fill(255);
  const head = message({ qname });
  out.set(head);
  const b = new MessageBuilder();
  b.begin(out, head.length);
  return { b, out };
}

function decoded(b: MessageBuilder, out: Uint8Array): ReturnType<typeof decode> {
  return decode(Buffer.from(out.subarray(0, b.length)));
}

test('builder: every kind of record is read back by dns-packet', () => {
  const { b, out } = started();
  const soa = { serial: 4000000000, refresh: 2, retry: 3, expire: 4, minimum: 5 };
  const names = { mname: ns, rname: parseName('root.example.org.') };
  assert.ok(b.addCname(ANSWER, www, 300, parseName('host.example.org.')));
  assert.ok(b.addA(ANSWER, parseName('host.example.org.'), 4294967295, address));
  assert.ok(b.addAaaa(ANSWER, parseName('host.example.org.'), 0, parseAddress('2001:db8::1')));
  assert.ok(b.addMx(ANSWER, www, 1, 10, parseName('mx.example.net.')));
  assert.ok(b.addTxt(ANSWER, www, 1, 'one', 'tw\u00f6'));
  assert.ok(b.addSoa(AUTHORITY, parseName('example.org.'), 60, { ...names, ...soa }));
  assert.ok(b.addNs(AUTHORITY, parseName('example.org.'), 60, ns));
  assert.ok(b.addSrv(ADDITIONAL, www, 60, { priority: 1, weight: 2, port: 3, target: ns }));
  assert.ok(b.addPtr(ADDITIONAL, parseName('1.2.0.192.in-addr.arpa.'), 60, www));
  const { answers, authorities, additionals } = decoded(b, out);
  assert.deepEqual(
    answers?.map((rr) => [rr.name, rr.type, 'ttl' in rr && rr.ttl, 'data' in rr && rr.data]),
    [
      ['www.example.org', 'CNAME', 300, 'host.example.org'],
      ['host.example.org', 'A', 4294967295, '192.0.2.1'],
      ['host.example.org', 'AAAA', 0, '2001:db8::1'],
      ['www.example.org', 'MX', 1, { preference: 10, exchange: 'mx.example.net' }],
      ['www.example.org', 'TXT', 1, [Buffer.from('one'), Buffer.from('tw\u00f6')]],
    ],
  );
  assert.deepEqual(
    authorities?.map((rr) => 'data' in rr && rr.data),
    [{ mname: 'ns.example.org', rname: 'root.example.org', ...soa }, 'ns.example.org'],
  );
  assert.deepEqual(
    additionals?.map((rr) => 'data' in rr && rr.data),
    [{ priority: 1, weight: 2, port: 3, target: 'ns.example.org' }, 'www.example.org'],
  );
  assert.equal(b.isFull, false);
});

test('builder: names the message has already become pointers, in any case', () => {
  const { b, out } = started();
  b.addNs(ANSWER, parseName('EXAMPLE.org.'), 1, parseName('ns.Example.ORG.'));
  // Owner: a pointer to the question's second label. Rdata: a label and the same pointer.
  assert.deepEqual(Array.from(out.subarray(33, 35)), [0xc0, 16]);
  assert.deepEqual(Array.from(out.subarray(43, b.length)), [0, 5, 2, 110, 115, 0xc0, 16]);
  b.addA(ADDITIONAL, ns, 1, address);
  assert.deepEqual(Array.from(out.subarray(50, 52)), [0xc0, 45]);
});

test('builder: rdata names of later types stay whole, and owners behind them point to them', () => {
  const { b, out } = started();
  const target = parseName('a.b.');
  b.addSrv(ANSWER, www, 1, { priority: 0, weight: 0, port: 0, target });
  assert.deepEqual(out.subarray(b.length - 5, b.length), target);
  b.addRecord(ANSWER, www, RRType.DNAME, 1, 1, www);
  assert.deepEqual(out.subarray(b.length - 17, b.length), www);
  const before = b.length;
  b.addA(ANSWER, target, 1, address);
  // A pointer, type, class, TTL, length and address.
  assert.equal(b.length - before, 2 + 10 + 4);
  assert.deepEqual(decoded(b, out).answers?.map((rr) => rr.name)[2], 'a.b');
});

test('builder: the root is never a pointer', () => {
  const { b, out } = started(512, '.');
  b.addNs(ANSWER, Uint8Array.of(0), 1, Uint8Array.of(0));
  assert.deepEqual(Array.from(out.subarray(17, b.length)), [0, 0, 2, 0, 1, 0, 0, 0, 1, 0, 1, 0]);
});

test('builder: counts start at the records added, whatever the header held', () => {
  const out = message({ counts: [1, 7, 8, 9] });
  const b = new MessageBuilder();
  b.begin(out, out.length);
  assert.deepEqual(Array.from(out.subarray(4, 12)), [0, 1, 0, 0, 0, 0, 0, 0]);
});

test('builder: without a question there is nothing to point to at first', () => {
  const out = new Uint8Array(64);
  const b = new MessageBuilder();
  b.begin(out, 12);
  b.addA(ANSWER, ns, 1, address);
  b.addA(ANSWER, ns, 1, address);
  assert.deepEqual(Array.from(out.subarray(12 + 16 + 14, 12 + 16 + 16)), [0xc0, 12]);
});

test('builder: the class is IN until told otherwise', () => {
  const { b, out } = started();
  b.rrclass = 3;
  b.addTxt(ANSWER, www, 0, 'v');
  assert.deepEqual(
    decoded(b, out).answers?.map((rr) => 'class' in rr && rr.class),
    ['CH'],
  );
  b.begin(out, 33);
  assert.equal(b.rrclass, 1);
});

test('builder: a text over 255 bytes becomes several strings, none becomes an empty one', () => {
  const { b, out } = started();
  b.addTxt(ANSWER, www, 0, 'x'.repeat(256));
  b.addTxt(ANSWER, www, 0);
  b.addTxt(ANSWER, www, 0, '');
  const data = decoded(b, out).answers?.map((rr) => 'data' in rr && rr.data);
  const [empty] = [[Buffer.alloc(0)]];
  assert.deepEqual(data, [[Buffer.from('x'.repeat(255)), Buffer.from('x')], empty, empty]);
});

test('builder: a record that does not fit leaves no trace, nor does anything after it', () => {
  for (let size = 34; size < 49; size++) {
    const { b, out } = started(size);
    assert.equal(b.addA(ANSWER, www, 1, address), false);
    assert.equal(b.length, 33);
    assert.ok(b.isFull);
    assert.equal(b.addTxt(ADDITIONAL, Uint8Array.of(0), 1), false);
    assert.deepEqual(Array.from(out.subarray(6, 12)), [0, 0, 0, 0, 0, 0]);
  }
  const { b } = started(49);
  assert.ok(b.addA(ANSWER, www, 1, address));
});

test('builder: the end given is the end', () => {
  const out = new Uint8Array(512);
  out.set(message());
  const b = new MessageBuilder();
  b.begin(out, 33, 48);
  assert.equal(b.addA(ANSWER, www, 1, address), false);
});

test('builder: names of a record that did not fit are not pointed to', () => {
  const { b } = started(60);
  const long = { owner: parseName('a.example.net.'), rdata: new Uint8Array(40) };
  assert.equal(b.addRecord(ANSWER, long.owner, RRType.TXT, 1, 1, long.rdata), false);
  const roomy = started(512);
  assert.equal(roomy.b.addRecord(ANSWER, long.owner, RRType.TXT, 1, 1, new Uint8Array(600)), false);
  roomy.b.begin(roomy.out, 33);
  assert.ok(roomy.b.addA(ANSWER, parseName('example.net.'), 1, address));
  assert.equal(roomy.out[33], 7);
});

test('builder: rdata over 65535 bytes does not fit', () => {
  const { b } = started(80_000);
  assert.equal(b.addRecord(ANSWER, www, RRType.TXT, 1, 1, new Uint8Array(65_536)), false);
});

for (const { limit, size, labels } of [
  { limit: 'the reach of pointers', size: 160, labels: 1 },
  { limit: 'the table', size: 1, labels: 15 },
]) {
  test(`builder: names past ${limit} are written whole`, () => {
    const { b, out } = started(65_535);
    const names = Array.from({ length: 300 }, (_, i) => `${'a.'.repeat(labels)}n${i}`);
    const owners = names.map((name) => parseName(`${name}.`));
    for (const rdata of [new Uint8Array(size), new Uint8Array(1)]) {
      for (const owner of owners) assert.ok(b.addRecord(ANSWER, owner, RRType.TXT, 1, 1, rdata));
    }
    const answers = decoded(b, out).answers ?? [];
    assert.deepEqual(
      answers.map((rr) => rr.name),
      [...names, ...names],
    );
  });
}

test('builder: a name is pointed to however many are before it, as far as a pointer reaches', () => {
  const { b, out } = started(65_535);
  const owners = Array.from({ length: 800 }, (_, i) => parseName(`name${i}.`));
  for (const owner of owners) assert.ok(b.addRecord(ANSWER, owner, RRType.TXT, 1, 1, NO_TEXT));
  const before = b.length;
  assert.ok(before < 0x4000);
  for (const owner of owners) assert.ok(b.addRecord(ANSWER, owner, RRType.TXT, 1, 1, NO_TEXT));
  assert.equal(b.length - before, owners.length * (POINTER_BYTES + FIXED_BYTES + NO_TEXT.length));
  assert.equal(decoded(b, out).answers?.length, 2 * owners.length);
});

const faults = [
  { name: 'an owner without end', owner: Uint8Array.of(1, 97) },
  { name: 'an empty owner', owner: new Uint8Array(0) },
  { name: 'a compressed owner', owner: Uint8Array.of(0xc0, 12) },
  {
    name: 'an owner over 255 bytes',
    owner: Uint8Array.from([
      ...nameBytes(`${'a'.repeat(63)}.`.repeat(3)).slice(0, -1),
      63,
      ...new Uint8Array(63),
      0,
    ]),
  },
  {
    name: 'an owner of 128 labels',
    owner: Uint8Array.from([...Array.from({ length: 128 }, () => [1, 97]).flat(), 0]),
  },
];
for (const { name, owner } of faults) {
  test(`builder: ${name} is a fault`, () => {
    assert.throws(() => started().b.addA(ANSWER, owner, 1, address), NameError);
  });
}

test('builder: rdata too short for its type and sections out of order are faults', () => {
  const { b } = started();
  assert.throws(
    () => b.addRecord(ANSWER, www, RRType.MX, 1, 1, Uint8Array.of(0, 1)),
    /^Error: rdata of type 15 is too short$/,
  );
  b.begin(new Uint8Array(512), 12);
  b.addA(AUTHORITY, www, 1, address);
  assert.throws(() => b.addA(ANSWER, www, 1, address), RangeError);
});

const label = fc.stringMatching(/^[a-cA-C]{1,3}$/);
const name = fc
  .array(label, { maxLength: 5 })
  .map((labels) => (labels.length === 0 ? '.' : labels.join('.')));
const ttl = fc.nat(0x7fffffff);
const decodedRecord: fc.Arbitrary<Answer> = fc.oneof(
  fc.record({ type: fc.constant('A' as const), name, ttl, data: fc.ipV4() }),
  fc.record({
    type: fc.constantFrom('NS' as const, 'CNAME' as const, 'PTR' as const),
    name,
    ttl,
    data: name,
  }),
  fc.record({ type: fc.constant('DNAME' as const), name, ttl, data: name }),
  fc.record({
    type: fc.constant('MX' as const),
    name,
    ttl,
    data: fc.record({ preference: fc.nat(0xffff), exchange: name }),
  }),
  fc.record({
    type: fc.constant('SRV' as const),
    name,
    ttl,
    data: fc.record({ priority: fc.nat(9), weight: fc.nat(9), port: fc.nat(0xffff), target: name }),
  }),
);

test('builder: any records come back from dns-packet as they went in', () => {
  const section = fc.array(decodedRecord, { maxLength: 8 });
  fc.assert(
    fc.property(name, section, section, section, (qname, ...sections) => {
      const { b, out } = started(4096, qname);
      sections.forEach((records, i) => {
        for (const record of records) assert.ok(addDecoded(b, i as Section, record));
      });
      const { answers, authorities, additionals } = decoded(b, out);
      const folded = (records: unknown): unknown =>
        JSON.parse(JSON.stringify(records).toLowerCase());
      const bare = [answers, authorities, additionals].map((records) =>
        records?.map((rr) => ({ ...rr, class: undefined, flush: undefined })),
      );
      assert.deepEqual(folded(bare), folded(sections));
    }),
  );
});

test('records: an owner with escapes keeps them; its class and TTL are kept', () => {
  const { b, out } = started();
  addDecoded(b, ANSWER, { type: 'A', name: 'a\\.b.', class: 'CH', ttl: 7, data: '192.0.2.1' });
  const rr = [3, 97, 46, 98, 0, 0, 1, 0, 3, 0, 0, 0, 7, 0, 4, 192, 0, 2, 1];
  assert.deepEqual(Array.from(out.subarray(33, b.length)), rr);
});

test('query: replyRecords makes a reply with records, AA if asked, TC if they did not fit', () => {
  const q = slotQuery(message({ qtype: RRType.A }));
  accept(q);
  const one = q.replyRecords(
    0,
    (b, query) => void b.addA(ANSWER, query.wire.subarray(12, 29), 60, address),
  );
  assert.deepEqual(
    [one.length, one.rcode, one.authoritative, one.truncated],
    [49, 0, false, false],
  );
  assert.equal(one.layout.answers, 1);
  const none = q.replyRecords(3, () => undefined, { authoritative: true });
  assert.deepEqual(
    [none.length, none.rcode, none.authoritative, none.truncated],
    [33, 3, true, false],
  );
  const tooMany = q.replyRecords(0, (b) => {
    while (b.addA(ANSWER, www, 60, address));
  });
  assert.deepEqual([tooMany.length, tooMany.truncated], [33 + 253 * 16, true]);
});
