import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Answer } from 'dns-packet';
import fc from 'fast-check';
import { decoded, query, sent } from '../../test/wire/finished.js';
import { message } from '../../test/wire/messages.js';
import { MessageBuilder, Section } from '../wire/builder.js';
import { EdnsOption, RRClass, RRType } from '../wire/constants.js';
import { parseName } from '../wire/name.js';
import { addDecoded } from '../wire/records.js';
import { Transport } from './query.js';

const QNAME = 'www.example.org';

const name = fc.constantFrom(QNAME, 'example.org', 'ns.example.org', 'a.b.example.org', 'net');
const ttl = fc.nat(86_400);
const record: fc.Arbitrary<Answer> = fc.oneof(
  fc.record({ type: fc.constant('A' as const), name, ttl, data: fc.ipV4() }),
  fc.record({ type: fc.constant('AAAA' as const), name, ttl, data: fc.constant('2001:db8::1') }),
  fc.record({ type: fc.constantFrom('NS' as const, 'CNAME' as const), name, ttl, data: name }),
  fc.record({
    type: fc.constant('MX' as const),
    name,
    ttl,
    data: fc.record({ preference: fc.nat(9), exchange: name }),
  }),
  fc.record({
    type: fc.constant('TXT' as const),
    name,
    ttl,
    data: fc.string({ minLength: 1, maxLength: 200, unit: fc.constantFrom('a', 'b') }),
  }),
);

const upstream = fc.record({
  flags: fc.nat(0xffff),
  sections: fc.tuple(
    fc.array(record, { maxLength: 12 }),
    fc.array(record, { maxLength: 6 }),
    fc.array(record, { maxLength: 8 }),
  ),
  /** Where among the additional records an OPT is; past them for none. */
  optAt: fc.nat(9),
  ede: fc.constantFrom(-1, 3),
});

const client = fc.record({
  id: fc.nat(0xffff),
  upper: fc.boolean(),
  flags: fc.constantFrom(0, 0x0100, 0x0110, 0x0120),
  opt: fc.option(
    fc.record({ size: fc.constantFrom(0, 512, 1232, 4096), flags: fc.constantFrom(0, 0x8000) }),
  ),
  isTcp: fc.boolean(),
  isInPlace: fc.boolean(),
});

/** The message an upstream sends: compressed, and with other bytes behind its end. */
function upstreamWire(spec: typeof upstream extends fc.Arbitrary<infer T> ? T : never): {
  wire: Uint8Array;
  length: number;
} {
  const wire = new Uint8Array(8000).fill(0xc0);
  wire.set(message({ qname: QNAME, flags: spec.flags | 0x8000, id: 77 }));
  const b = new MessageBuilder();
  b.begin(wire, 33);
  const addOpt = (): void => {
    const ede = Uint8Array.of(0, EdnsOption.EDE, 0, 3, 0, 9, 65);
    b.addRecord(Section.ADDITIONAL, Uint8Array.of(0), RRType.OPT, 4096, 0x8000, ede);
  };
  spec.sections.forEach((records, section) => {
    records.forEach((rr, i) => {
      if (section === Section.ADDITIONAL && i === spec.optAt) addOpt();
      assert.ok(addDecoded(b, section as Section, rr));
    });
    if (section === Section.ADDITIONAL && records.length === spec.optAt) addOpt();
  });
  return { wire, length: b.length };
}

test('finish: any upstream message becomes one the client can use', () => {
  fc.assert(
    fc.property(upstream, client, (from, to) => {
      const qname = to.upper ? QNAME.toUpperCase() : QNAME;
      const transport = to.isTcp ? Transport.TCP : Transport.UDP;
      const q = query({ id: to.id, qname, flags: to.flags }, to.opt ?? undefined, transport);
      const limit = to.isTcp ? 65_535 : q.udpSize;
      const { wire, length } = upstreamWire(from);
      if (to.isInPlace) {
        q.out = new Uint8Array(8000);
        q.out.set(wire);
      }
      const reply = q.replyWire(to.isInPlace ? q.out : wire, length);
      reply.ede = from.ede;
      const whole = decoded(wire.slice(0, length));
      const got = decoded(sent(q, reply, limit));

      assert.equal(got.id, to.id);
      assert.deepEqual(got.questions, [{ name: qname, type: 'A', class: 'IN' }]);
      assert.equal(got.flag_rd, (to.flags & 0x0100) !== 0);
      const wantsAd = (to.flags & 0x20) !== 0 || (to.opt !== null && to.opt.flags !== 0);
      assert.equal(got.flag_ad, wantsAd && (from.flags & 0x20) !== 0);

      const opts = got.additionals?.filter((rr) => rr.type === 'OPT') ?? [];
      assert.equal(opts.length, to.opt === null ? 0 : 1);
      const wanted = [whole.answers, whole.authorities, whole.additionals];
      const received = [got.answers, got.authorities, got.additionals];
      let isCut = false;
      wanted.forEach((records, section) => {
        const want = asText(records);
        const kept = asText(received[section]);
        // A prefix of what the upstream sent, and nothing behind a gap.
        assert.deepEqual(kept, want.slice(0, kept.length));
        assert.ok(!isCut || kept.length === 0);
        const dropped = new Set(want.slice(kept.length).map((rr) => rr.set));
        assert.ok(kept.every((rr) => !dropped.has(rr.set)));
        isCut ||= kept.length < want.length;
        if (isCut && section < 2) assert.ok(got.flag_tc);
      });
      if (!isCut) assert.equal(got.flag_tc, (from.flags & 0x0200) !== 0);
    }),
    { numRuns: 300 },
  );
});

/** Records without OPT, names folded because the client's case of the question shows wherever a name points to it. */
function asText(records: readonly Answer[] | undefined): readonly { text: string; set: string }[] {
  return (records ?? [])
    .filter((rr) => rr.type !== 'OPT')
    .map((rr) => ({
      text: JSON.stringify(rr).toLowerCase(),
      set: `${rr.name.toLowerCase()} ${rr.type}`,
    }));
}

test('finish: the same message comes out whether it is borrowed, in place, or known to hold no OPT', () => {
  fc.assert(
    fc.property(upstream, client, (from, to) => {
      const { wire, length } = upstreamWire({ ...from, optAt: 9 });
      const results = [0, 1, 2].map((way) => {
        const q = query({ id: to.id, qname: QNAME, flags: to.flags }, to.opt ?? undefined);
        if (way === 1) {
          q.out = new Uint8Array(8000);
          q.out.set(wire);
        }
        return sent(q, q.replyWire(way === 1 ? q.out : wire, length, way === 2 ? 0 : -1));
      });
      assert.deepEqual(results[1], results[0]);
      assert.deepEqual(results[2], results[0]);
    }),
    { numRuns: 200 },
  );
});

test('finish: records of any class and owner survive an OPT taken out from amid them', () => {
  const wire = new Uint8Array(512);
  wire.set(message({ qname: QNAME }));
  const b = new MessageBuilder();
  b.begin(wire, 33);
  b.addRecord(Section.ADDITIONAL, Uint8Array.of(0), RRType.OPT, 4096, 0, new Uint8Array(0));
  b.addRecord(
    Section.ADDITIONAL,
    parseName('\\255\\.x.'),
    65280,
    RRClass.CH,
    1,
    Uint8Array.of(0xc0, 50),
  );
  b.addCname(Section.ADDITIONAL, parseName('\\255\\.x.'), 1, parseName('y.\\255\\.x.'));
  const q = query({ qname: QNAME });
  const got = Array.from(sent(q, q.replyWire(wire, b.length)).subarray(33));
  const unknown = [3, 255, 46, 120, 0, 0xff, 0, 0, 3, 0, 0, 0, 1, 0, 2, 0xc0, 50];
  const cname = [0xc0, 33, 0, 5, 0, 1, 0, 0, 0, 1, 0, 4, 1, 121, 0xc0, 33];
  assert.deepEqual(got, [...unknown, ...cname]);
});
