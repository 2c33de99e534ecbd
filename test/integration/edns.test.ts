// EDNS and truncation as a client's flags ask for them, seen through kdig and dig.
import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import { startNsd } from '../lib/authoritative.js';
import { digWith } from '../lib/client.js';
import { startHeimdall } from '../lib/heimdall.js';
import { freePort } from '../lib/ports.js';
import { needTools } from '../lib/tools.js';
import { signedZoneText, ZONE } from '../lib/zone.js';

const need = needTools('nsd', 'kdig', 'dig', 'ldns-signzone');

async function startPair(t: TestContext): Promise<number> {
  const nsd = await startNsd(ZONE, await signedZoneText());
  t.after(() => nsd.stop());
  const port = await freePort();
  const heimdall = await startHeimdall(`.:${port} {
    bind 127.0.0.1
    errors
    cache
    forward . ${nsd.address}
}
`);
  t.after(() => heimdall.stop());
  return port;
}

test('edns: what kdig asks for', need, async (t) => {
  const port = await startPair(t);
  const rows: readonly {
    readonly name: string;
    readonly args: readonly string[];
    readonly want: readonly RegExp[];
    readonly not?: readonly RegExp[];
  }[] = [
    {
      name: 'no EDNS in the reply to a query without',
      args: ['+noedns', 'www.example.org'],
      want: [/status: NOERROR/],
      not: [/EDNS PSEUDOSECTION/],
    },
    {
      name: 'EDNS in the reply to a query with it, advertising 1232 bytes',
      args: ['+edns', '+bufsize=4096', 'www.example.org'],
      want: [/status: NOERROR/, /Version: 0; flags: ; UDP size: 1232 B/],
    },
    {
      name: 'the DO bit comes back with the signatures',
      args: ['+dnssec', 'www.example.org'],
      want: [/flags: do;/, /\bIN\s+RRSIG\s+A\b/],
    },
    {
      name: 'an EDNS version nobody knows gets BADVERS',
      args: ['+edns=1', 'www.example.org'],
      want: [/BADVERS/],
    },
    {
      name: 'an option nobody knows is ignored and not echoed',
      args: ['+ednsopt=65001:c0ffee', 'www.example.org'],
      want: [/status: NOERROR/],
      not: [/65001/],
    },
    {
      name: 'a reply that does not fit is truncated',
      args: ['+noedns', '+ignore', 'big.example.org', 'TXT'],
      want: [/status: NOERROR/, /Flags:[^;]* tc/, /ANSWER: 0/],
    },
    {
      name: 'the client gets the whole of it over TCP',
      args: ['+noedns', 'big.example.org', 'TXT'],
      want: [/ANSWER: 1/, /\(TCP\)/],
    },
    {
      name: 'signatures that do not fit in 512 bytes truncate',
      args: ['+dnssec', '+bufsize=512', '+ignore', `${'missing'.repeat(8)}.example.org`],
      want: [/status: NXDOMAIN/, /Flags:[^;]* tc/],
    },
    {
      name: 'RD is echoed, set or not',
      args: ['+nordflag', 'mail.example.org'],
      want: [/status: NOERROR/],
      not: [/Flags:[^;]* rd/],
    },
  ];
  for (const { name, args, want, not = [] } of rows) {
    await t.test(`edns: ${name}`, async () => {
      const out = await digWith('kdig', port, ...args);
      for (const expression of want) assert.match(out, expression);
      for (const expression of not) assert.doesNotMatch(out, expression);
    });
  }
});

test('edns: every rcode an odd query gets, by dig', need, async (t) => {
  const port = await startPair(t);
  const rows = [
    { args: ['+opcode=status', 'www.example.org'], want: /status: NOTIMP/ },
    { args: ['+opcode=update', 'www.example.org'], want: /status: NOTIMP/ },
    { args: ['+header-only'], want: /status: FORMERR/ },
    { args: ['+edns=77', '+noednsnegotiation', 'www.example.org'], want: /status: BADVERS/ },
    { args: ['+cookie', 'www.example.org'], want: /status: NOERROR/ },
    { args: ['+cdflag', '+adflag', 'www.example.org'], want: /status: NOERROR/ },
  ];
  for (const { args, want } of rows) {
    await t.test(`edns: dig ${args.join(' ')}`, async () => {
      assert.match(await digWith('dig', port, ...args), want);
    });
  }
});
