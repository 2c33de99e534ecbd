// Messages built here beside BIND's: the same records in the same order take no more bytes.
import assert from 'node:assert/strict';
import { before, type TestContext, test } from 'node:test';
import type { Answer } from 'dns-packet';
import { MessageBuilder, Section } from '../../core/wire/builder.js';
import { addDecoded } from '../../core/wire/records.js';
import { type NameServer, startBind } from '../lib/authoritative.js';
import { ask, questionEnd } from '../lib/client.js';
import { needTools } from '../lib/tools.js';

const need = needTools('named');

/** As many records of one type as BIND takes. */
function hundred(line: (i: number) => string): string {
  return Array.from({ length: 100 }, (_, i) => line(i)).join('\n');
}

/** Names that share tails with the question, with each other, with names in data only, and not at all; in two cases. */
const ZONE = `$ORIGIN example.org.
$TTL 300
@ SOA ns1.example.org. hostmaster.example.org. 1 3600 600 86400 60
@ NS ns1
@ NS ns2.deep.down.in
@ NS ns.example.net.
ns1 A 192.0.2.1
ns1 AAAA 2001:db8::1
ns2.deep.down.in A 192.0.2.2
@ MX 10 mx1
@ MX 20 mx2.deep.down.in
@ MX 30 MX3.Example.ORG.
@ MX 40 mail.example.net.
mx1 A 192.0.2.11
mx1 AAAA 2001:db8::11
mx2.deep.down.in A 192.0.2.12
MX3 A 192.0.2.13
@ TXT "one" "two"
www CNAME web.deep.down.in
web.deep.down.in CNAME host
host A 192.0.2.20
host A 192.0.2.21
_sip._tcp SRV 1 2 5060 mx1
_sip._tcp SRV 1 2 5060 mx2.deep.down.in
many NS a.many
many NS b.many
many NS c.many.in.many
a.many A 192.0.2.31
b.many A 192.0.2.32
c.many.in.many A 192.0.2.33
old DNAME new.example.org.
ptr PTR host
ptr PTR mx1
rp RP admin.in text.in
afs AFSDB 1 mx1
kx KX 1 mx1
naptr NAPTR 1 2 "s" "SIP+D2U" "" _sip._udp
minfo MINFO admin.in errors.in
${hundred((i) => `long TXT "${i} ${'x'.repeat(240)}"\nlong MX ${i} after${i}.pool.in`)}
${hundred((i) => `after${i}.pool.in A 192.0.2.${i + 50}`)}
${hundred((i) => `many-names MX ${i} m${i}.mx${i}\nm${i}.mx${i} A 192.0.2.${i + 50}`)}
${hundred((i) => `many-names PTR a.b.c.d.e.p${i}`)}
${Array.from({ length: 40 }, (_, i) => `big MX ${i} h${i}.pool${i % 4}.in\nh${i}.pool${i % 4}.in A 192.0.2.${i + 50}`).join('\n')}
`;

const QUESTIONS = [
  ['example.org', 'NS'],
  ['example.org', 'MX'],
  ['example.org', 'SOA'],
  ['example.org', 'TXT'],
  ['example.org', 'ANY'],
  ['EXAMPLE.org', 'MX'],
  ['www.example.org', 'A'],
  ['_sip._tcp.example.org', 'SRV'],
  ['host.many.example.org', 'A'],
  ['x.old.example.org', 'A'],
  ['ptr.example.org', 'PTR'],
  ['nothing.deep.down.in.example.org', 'AAAA'],
  ['host.example.org', 'AAAA'],
  ['big.example.org', 'MX'],
  ['rp.example.org', 'RP'],
  ['afs.example.org', 'AFSDB'],
  ['naptr.example.org', 'NAPTR'],
  // Most names are behind what a pointer can reach.
  ['long.example.org', 'ANY'],
  ['many-names.example.org', 'ANY'],
] as const;

let bind: NameServer;
before(async (t) => {
  if (need.skip !== undefined) return;
  bind = await startBind('example.org', ZONE);
  (t as TestContext).after(() => bind.stop());
});

for (const [name, type] of QUESTIONS) {
  test(`compression: ${name} ${type} takes no more bytes than BIND's`, need, async () => {
    const { raw, message } = await ask(bind.port, name, type, { tcp: true });
    const out = new Uint8Array(65_535);
    const head = questionEnd(raw);
    out.set(raw.subarray(0, head));
    const builder = new MessageBuilder();
    builder.begin(out, head);
    let records = 0;
    for (const [section, of] of [
      [Section.ANSWER, message.answers],
      [Section.AUTHORITY, message.authorities],
      [Section.ADDITIONAL, message.additionals],
    ] as const) {
      for (const record of (of ?? []) as Answer[]) {
        assert.ok(addDecoded(builder, section, record));
        records++;
      }
    }
    assert.ok(records > 0);
    assert.ok(builder.length <= raw.length, `${builder.length} bytes, BIND ${raw.length}`);
  });
}
