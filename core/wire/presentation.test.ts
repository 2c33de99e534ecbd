import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encode } from 'dns-packet';
import { RRType } from './constants.js';
import { formatRdata, presentRecords } from './presentation.js';

const NAME = '0161076578616d706c6500';

const cases: { type: keyof typeof RRType | number; hex: string; want: string }[] = [
  { type: 'A', hex: 'c0000201', want: '192.0.2.1' },
  { type: 'AAAA', hex: `20010db8${'00'.repeat(11)}01`, want: '2001:db8::1' },
  { type: 'AAAA', hex: `${'00'.repeat(10)}ffffc0000201`, want: '::ffff:c000:201' },
  { type: 'NS', hex: NAME, want: 'a.example.' },
  { type: 'CNAME', hex: '00', want: '.' },
  {
    type: 'SOA',
    hex: `${NAME}${NAME}00000001000000020000000300000004ffffffff`,
    want: 'a.example. a.example. 1 2 3 4 4294967295',
  },
  { type: 'HINFO', hex: '03783636054c696e7578', want: '"x66" "Linux"' },
  { type: 'MX', hex: `000a${NAME}`, want: '10 a.example.' },
  { type: 'TXT', hex: '0461225c0900', want: '"a\\"\\\\\\009" ""' },
  { type: 'SRV', hex: `000100020035${NAME}`, want: '1 2 53 a.example.' },
  { type: 'NAPTR', hex: `0001000201530353495000${NAME}`, want: '1 2 "S" "SIP" "" a.example.' },
  { type: 'DS', hex: '30390d02abcdef', want: '12345 13 2 abcdef' },
  {
    type: 'RRSIG',
    hex: `00010d020000012c65f5e10065e3ca003039${NAME}ff00`,
    want: 'A 13 2 300 20240316181216 20240303005320 12345 a.example. /wA=',
  },
  { type: 'NSEC', hex: `${NAME}0006400000000003`, want: 'a.example. A RRSIG NSEC' },
  { type: 'NSEC', hex: `${NAME}000140010140`, want: 'a.example. A CAA' },
  { type: 'DNSKEY', hex: '0101030d01020304', want: '257 3 13 AQIDBA==' },
  {
    type: 'NSEC3',
    hex: '0101000a02aabb050123456789000140',
    want: '1 1 10 aabb 04hkaps9 A',
  },
  { type: 'NSEC3PARAM', hex: '0100000000', want: '1 0 0 -' },
  { type: 'TLSA', hex: '030101aa', want: '3 1 1 aa' },
  { type: 'CAA', hex: '000569737375656c65742e6f7267', want: '0 issue "let.org"' },
  { type: 'URI', hex: '00010002687474703a', want: '1 2 "http:"' },
  { type: 'OPENPGPKEY', hex: '0102', want: 'AQI=' },
  { type: 'ZONEMD', hex: '000000010101aa', want: '1 1 1 aa' },
  { type: 65280, hex: 'abcd', want: '\\# 2 abcd' },
  { type: 65280, hex: '', want: '\\# 0' },
  // Malformed: too short, too long, names and strings that do not end.
  { type: 'A', hex: 'c00002', want: '\\# 3 c00002' },
  { type: 'A', hex: 'c000020101', want: '\\# 5 c000020101' },
  { type: 'MX', hex: '00', want: '\\# 1 00' },
  { type: 'NS', hex: '0161', want: '\\# 2 0161' },
  { type: 'TXT', hex: '', want: '\\# 0' },
  { type: 'TXT', hex: '0561', want: '\\# 2 0561' },
  { type: 'NSEC', hex: '00000540', want: '\\# 4 00000540' },
  { type: 'NSEC', hex: '0000', want: '\\# 2 0000' },
  { type: 'RRSIG', hex: '00', want: '\\# 1 00' },
  { type: 'RRSIG', hex: '00010d020000012c00', want: '\\# 9 00010d020000012c00' },
  { type: 'NSEC3PARAM', hex: '01000000', want: '\\# 4 01000000' },
];

for (const { type, hex, want } of cases) {
  test(`presentation: ${type} ${want}`, () => {
    const rdata = Buffer.from(hex, 'hex');
    const number = typeof type === 'number' ? type : RRType[type];
    // Behind a header, because no name begins in one.
    const wire = Buffer.concat([Buffer.alloc(12), rdata, Buffer.alloc(4)]);
    assert.equal(formatRdata(wire, number, 12, 12 + rdata.length), want);
  });
}

test('presentation: a name that points to itself is no name', () => {
  const wire = Buffer.from(`${'00'.repeat(12)}01610000c00ec00c`, 'hex');
  assert.equal(formatRdata(wire, RRType.NS, 18, 20), 'a.');
  wire.writeUInt16BE(0xc00c, 12);
  assert.equal(formatRdata(wire, RRType.NS, 18, 20), '\\# 2 c00c');
});

test('presentation: the records of a message, section by section, without OPT', () => {
  const wire = encode({
    type: 'response',
    questions: [{ name: 'example.org', type: 'MX' }],
    answers: [
      {
        name: 'example.org',
        type: 'MX',
        ttl: 300,
        data: { preference: 5, exchange: 'mx.example.org' },
      },
    ],
    authorities: [{ name: 'org', type: 'NS', ttl: 60, data: 'ns.example.net' }],
    additionals: [
      { name: 'mx.example.org', type: 'A', ttl: 2147483648, data: '192.0.2.7' },
      {
        type: 'OPT',
        name: '.',
        udpPayloadSize: 1232,
        extendedRcode: 0,
        ednsVersion: 0,
        flags: 0,
        flag_do: false,
        options: [],
      },
    ],
  });
  assert.deepEqual(
    presentRecords(wire, wire.length).map((r) => Object.values(r).join(' ')),
    [
      'answer example.org. 300 IN MX 5 mx.example.org.',
      'authority org. 60 IN NS ns.example.net.',
      'additional mx.example.org. 2147483648 IN A 192.0.2.7',
    ],
  );
  assert.deepEqual(presentRecords(wire, wire.length - 12), []);
});
