// NSD, Unbound and BIND as upstreams: what a client gets through the server is what it would have got from them.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import test from 'node:test';
import type { Answer } from 'dns-packet';
import { type Starter, startBind, startNsd, startUnbound } from '../lib/authoritative.js';
import { type AskOptions, ask, exchange, type Got, questionEnd } from '../lib/client.js';
import { runHeimdall, startHeimdall } from '../lib/heimdall.js';
import { freePort } from '../lib/ports.js';
import { needTools } from '../lib/tools.js';
import { signedZoneText, UNKNOWN_RDATA, ZONE } from '../lib/zone.js';

const upstreams: readonly { readonly tool: string; readonly start: Starter }[] = [
  { tool: 'nsd', start: startNsd },
  { tool: 'unbound', start: startUnbound },
  { tool: 'named', start: startBind },
];

const questions: readonly {
  readonly name: string;
  readonly type: string;
  readonly options?: AskOptions;
}[] = [
  { name: 'www.example.org', type: 'A' },
  { name: 'www.example.org', type: 'AAAA' },
  { name: 'example.org', type: 'MX' },
  { name: 'example.org', type: 'SOA' },
  { name: 'text.example.org', type: 'TXT' },
  { name: '_dns._udp.example.org', type: 'SRV' },
  { name: 'alias.example.org', type: 'A' },
  { name: 'alias.example.org', type: 'CNAME' },
  { name: 'outside.example.org', type: 'A' },
  { name: 'any.thing.wild.example.org', type: 'A' },
  { name: 'missing.example.org', type: 'A' },
  { name: 'www.example.org', type: 'TXT' },
  { name: 'unknown.example.org', type: 'TYPE65280' },
  { name: 'big.example.org', type: 'TXT', options: { tcp: true } },
  { name: 'www.example.org', type: 'A', options: { do: true } },
  { name: 'missing.example.org', type: 'A', options: { do: true } },
  { name: 'any.thing.wild.example.org', type: 'A', options: { do: true } },
  { name: 'example.org', type: 'DNSKEY', options: { do: true } },
];

for (const { tool, start } of upstreams) {
  test(`upstreams: ${tool} behind the server`, needTools(tool, 'ldns-signzone'), async (t) => {
    const upstream = await start(ZONE, await signedZoneText());
    t.after(() => upstream.stop());
    const port = await freePort();
    const heimdall = await startHeimdall(`.:${port} {
    bind 127.0.0.1
    errors
    cache
    forward . ${upstream.address}
}
`);
    t.after(() => heimdall.stop());

    for (const { name, type, options = {} } of questions) {
      const how = `${options.do === true ? ' with DO' : ''}${options.tcp === true ? ' over TCP' : ''}`;
      await t.test(`upstreams: ${tool}: ${name} ${type}${how}`, async () => {
        const direct = await ask(upstream.port, name, type, options);
        for (const when of ['from the upstream', 'from the cache']) {
          const got = await ask(port, name, type, options);
          assertSame(got, direct, when);
        }
        const overTcp = await ask(port, name, type, { ...options, tcp: true });
        assertSame(overTcp, direct, 'over TCP');
      });
    }

    await t.test(`upstreams: ${tool}: signatures go only to those who asked for them`, async () => {
      await ask(port, 'mail.example.org', 'A', { do: true });
      const plain = (await ask(port, 'mail.example.org', 'A')).message;
      assert.deepEqual(
        (plain.answers ?? []).map((rr) => rr.type),
        ['A'],
      );
      const signed = (await ask(port, 'mail.example.org', 'A', { do: true })).message;
      assert.deepEqual((signed.answers ?? []).map((rr) => rr.type).sort(), ['A', 'RRSIG']);
    });

    await t.test(`upstreams: ${tool}: a type nobody knows passes byte for byte`, async () => {
      for (const tcp of [false, true]) {
        const { raw } = await ask(port, 'unknown.example.org', 'TYPE65280', { tcp });
        assert.ok(raw.toString('hex').includes(UNKNOWN_RDATA));
      }
    });

    await t.test(
      `upstreams: ${tool}: what does not fit is truncated over UDP and whole over TCP`,
      async () => {
        for (const options of [{}, { udpSize: 1232 }, { udpSize: 4096 }]) {
          const got = (await ask(port, 'big.example.org', 'TXT', options)).message;
          assert.equal(got.flag_tc, true);
          assert.deepEqual(got.answers, []);
        }
        const whole = (await ask(port, 'big.example.org', 'TXT', { tcp: true })).message;
        assert.equal(whole.flag_tc, false);
        const rr = whole.answers?.[0] as Answer & { data: Buffer[] };
        assert.equal(rr.data.length, 30);
      },
    );

    await t.test(
      `upstreams: ${tool}: a name of arbitrary bytes passes, and case comes back as asked`,
      async () => {
        const odd = binaryQuery(['\x00\xffOdd', 'eXample', 'ORG']);
        const { raw } = await exchange(port, odd);
        const end = questionEnd(odd);
        assert.deepEqual(raw.subarray(12, end), odd.subarray(12, end));
        assert.equal(raw.readUInt16BE(6) >= 1, true);
        assert.ok(raw.includes(Buffer.from([192, 0, 2, 7])));
      },
    );

    await t.test(
      `upstreams: ${tool}: a negative answer lives no longer than the zone says`,
      async () => {
        const { message } = await ask(port, 'never.example.org', 'A');
        const soa = message.authorities?.find((rr) => rr.type === 'SOA') as Answer & {
          ttl: number;
        };
        assert.ok(soa.ttl <= 60, String(soa.ttl));
      },
    );

    await t.test(`upstreams: ${tool}: keeps the case of questions`, async () => {
      const socket = join(heimdall.folder, `control-${port}.sock`);
      const args = ['upstreams', '-json', '-control', socket];
      const { stdout } = await runHeimdall(args, heimdall.folder);
      const rows = stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line));
      const udp = rows.filter(({ transport }) => transport === 'udp');
      assert.deepEqual(
        udp.map((row) => row.case),
        ['mixed'],
      );
      assert.ok(udp[0].sent > questions.length / 2);
      assert.doesNotMatch(heimdall.stdout, /case of questions|forging/);
    });
  });
}

/** Rcode and records agree, TTLs are not longer; servers may turn the order within a section. */
function assertSame(got: Got, direct: Got, when: string): void {
  assert.equal(got.rcode, direct.rcode, when);
  assert.equal(got.message.flag_rd, true, when);
  for (const section of ['answers', 'authorities'] as const) {
    assert.deepEqual(records(got.message[section]), records(direct.message[section]), when);
  }
  const longest = Math.max(0, ...(direct.message.answers ?? []).map(ttl));
  assert.ok(
    (got.message.answers ?? []).every((rr) => ttl(rr) <= longest),
    when,
  );
}

function ttl(rr: Answer): number {
  return 'ttl' in rr ? (rr.ttl ?? 0) : 0;
}

function records(section: readonly Answer[] | undefined): readonly string[] {
  return (section ?? [])
    .map((rr) => `${rr.name} ${rr.type} ${JSON.stringify('data' in rr ? rr.data : '')}`)
    .sort();
}

/** A query for an A record of a name given by its labels, one character a byte. */
function binaryQuery(labels: readonly string[]): Buffer {
  const name = labels.flatMap((label) => [label.length, ...Buffer.from(label, 'latin1')]);
  return Buffer.from([0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, ...name, 0, 0, 1, 0, 1]);
}
