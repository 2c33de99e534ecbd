import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Query, Rcode, type Reply, Section, Transport } from '../../core/plugin.js';
import { fakeServices, makeQuery, type QueryOptions, replyFrom } from '../../core/testing.js';
import { compileFormat, type Format } from './format.js';
import { logHandler, ReplyClass, type Rule } from './log.js';

const SERVERS = ['dns://:53', 'dns://192.0.2.53:53', 'tls://[2001:db8::53]:853'];

function formatted(
  format: string,
  options: QueryOptions = {},
  make: (q: Query) => Reply = (q) => q.replyRcode(Rcode.NOERROR),
): string {
  const q = makeQuery('WWW.example.org', 'AAAA', options);
  q.repliedMs = q.receivedMs + 0.125;
  return compileFormat(format, SERVERS)(q, make(q));
}

const values: readonly (readonly [string, string, QueryOptions?])[] = [
  ['{type} {class} {name}', 'AAAA IN www.example.org.'],
  ['{proto}', 'udp'],
  ['{proto}', 'tcp', { transport: Transport.TCP }],
  ['{proto}', 'tcp', { transport: Transport.TLS }],
  ['{remote}:{port}', '198.51.100.7:4711', { client: '198.51.100.7', port: 4711 }],
  ['{remote}:{port}', '[2001:db8::7]:4711', { client: '2001:db8::7', port: 4711 }],
  ['{local}', '-'],
  ['{local}', '192.0.2.53', { server: 1 }],
  ['{local}', '[2001:db8::53]', { server: 2 }],
  ['{size}', '33'],
  ['{>id}', '513', { id: 0x0201 }],
  ['{>opcode}', '0'],
  ['{>do}', 'false'],
  ['{>do}', 'true', { do: true }],
  ['{>bufsize}', '512'],
  ['{>bufsize}', '512', { udpSize: 100 }],
  ['{>bufsize}', '65000', { udpSize: 65000 }],
  ['{>bufsize}', '65535', { transport: Transport.TCP }],
  ['{rcode} {rsize}', 'NOERROR 33'],
  ['{>rflags}', 'qr,rd'],
  ['{>rflags}', 'qr,cd', { rd: false, cd: true }],
  ['{duration}', '0.000125s'],
  ['{/forward/upstream}', '-'],
  ['{when} {unknown} {} {name', '{when} {unknown} {} {name'],
  ['{{type}}', '{AAAA}'],
  ['plain', 'plain'],
  ['', ''],
];
for (const [format, want, options] of values) {
  test(`log format: "${format}" of ${JSON.stringify(options ?? {})} is "${want}"`, () => {
    assert.equal(formatted(format, options), want);
  });
}

test('log format: common and combined are those of CoreDNS', () => {
  const options = { client: '192.0.2.7', port: 40212, id: 29008, udpSize: 1232 };
  const common =
    '192.0.2.7:40212 - 29008 "AAAA IN www.example.org. udp 44 false 1232" NXDOMAIN qr,rd 33 0.000125s';
  const make = (q: Query): Reply => q.replyRcode(Rcode.NXDOMAIN);
  assert.equal(formatted('{common}', options, make), common);
  assert.equal(formatted('{combined}', options, make), `${common} "0"`);
});

test('log format: flags are named in the order of the header', () => {
  const flags = 0x0400 | 0x0200 | 0x0080 | 0x0020;
  const line = formatted('{>rflags}', {}, (q) =>
    replyFrom(q, { type: 'response', flags, answers: [] }),
  );
  assert.equal(line, 'qr,aa,tc,ra,ad');
});

test('log format: the address a query came to is known on a socket for all addresses', () => {
  const q = makeQuery('example.org', 'A');
  q.local = makeQuery('example.org', 'A', { client: '198.51.100.53' }).peer;
  assert.equal(compileFormat('{local}', SERVERS)(q, q.replyRcode(0)), '198.51.100.53');
});

test('log format: durations are plain decimals', () => {
  const duration = compileFormat('{duration}', SERVERS);
  const q = makeQuery('example.org', 'A');
  const after = (ms: number): string => {
    q.receivedMs = 1000;
    q.repliedMs = 1000 + ms;
    return duration(q, q.replyRcode(0));
  };
  assert.deepEqual([0, 0.0001, 1, 1500, 10_000].map(after), [
    '0s',
    '0.0000001s',
    '0.001s',
    '1.5s',
    '10s',
  ]);
});

/** What these rules write for a reply to `name`. */
function linesFor(
  rules: readonly Partial<Rule>[],
  name: string,
  make: (q: Query) => Reply = (q) => q.replyRcode(Rcode.NOERROR),
): readonly string[] {
  const { log, lines } = fakeServices();
  const format: Format = () => 'line';
  const handler = logHandler(
    rules.map((rule) => ({ name: '.', classes: ReplyClass.all, format, ...rule })),
    log,
  );
  const q = makeQuery(name, 'A');
  handler.observe?.(q, make(q));
  return lines;
}

test('log: passes queries on', () => {
  const handler = logHandler([], fakeServices().log);
  const q = makeQuery('example.org', 'A');
  const reply = q.replyRcode(Rcode.NOERROR);
  assert.equal(
    handler.serve(q, () => reply),
    reply,
  );
});

test('log: a name covers itself and what is below it, in any case', () => {
  const rules = [{ name: 'Example.org.' }];
  assert.deepEqual(linesFor(rules, 'example.org'), ['line']);
  assert.deepEqual(linesFor(rules, 'a.b.EXAMPLE.org'), ['line']);
  assert.deepEqual(linesFor(rules, 'org'), []);
  assert.deepEqual(linesFor(rules, 'xexample.org'), []);
  assert.deepEqual(linesFor(rules, 'example.net'), []);
});

test('log: bytes that only look like the end of a name are not covered', () => {
  // One label that ends in the wire form of `x.org`: a length octet that is text.
  assert.deepEqual(linesFor([{ name: 'x.org' }], 'a\\001x.org'), []);
});

test('log: the root covers everything', () => {
  assert.deepEqual(linesFor([{ name: '.' }], '.'), ['line']);
  assert.deepEqual(linesFor([{ name: '.' }], 'example.org'), ['line']);
});

test('log: the first rule that covers the name decides, even to write nothing', () => {
  const first = { name: 'example.org.', classes: ReplyClass.error };
  const second = { name: '.', format: (): string => 'second' };
  assert.deepEqual(linesFor([first, second], 'www.example.org'), []);
  assert.deepEqual(linesFor([first, second], 'www.example.net'), ['second']);
});

const SOA = {
  mname: 'ns.example.org',
  rname: 'admin.example.org',
  serial: 1,
  refresh: 1,
  retry: 1,
  expire: 1,
  minimum: 1,
};
const replies: readonly (readonly [string, 'success' | 'denial' | 'error', (q: Query) => Reply])[] =
  [
    [
      'an answer',
      'success',
      (q) =>
        replyFrom(q, { answers: [{ type: 'A', name: 'x.example', ttl: 1, data: '192.0.2.1' }] }),
    ],
    ['an empty NOERROR', 'success', (q) => q.replyRcode(Rcode.NOERROR)],
    [
      'a referral',
      'success',
      (q) =>
        replyFrom(q, { authorities: [{ type: 'NS', name: 'example', data: 'ns.example.org' }] }),
    ],
    [
      'NODATA',
      'denial',
      (q) => replyFrom(q, { authorities: [{ type: 'SOA', name: 'example', data: SOA }] }),
    ],
    [
      'an SOA record among additional ones',
      'success',
      (q) =>
        q.replyRecords(Rcode.NOERROR, (builder) => {
          builder.addA(Section.ADDITIONAL, new Uint8Array(1), 1, new Uint8Array(4));
        }),
    ],
    ['NXDOMAIN', 'denial', (q) => q.replyRcode(Rcode.NXDOMAIN)],
    ['SERVFAIL', 'error', (q) => q.replyRcode(Rcode.SERVFAIL)],
    ['REFUSED', 'error', (q) => q.replyRcode(Rcode.REFUSED)],
    ['an rcode above 15', 'error', (q) => q.replyRcode(Rcode.BADCOOKIE)],
  ];
for (const [name, want, make] of replies) {
  test(`log: ${name} is class ${want}`, () => {
    const written = (['success', 'denial', 'error'] as const).filter(
      (word) => linesFor([{ classes: ReplyClass[word] }], 'x.example', make).length === 1,
    );
    assert.deepEqual(written, [want]);
  });
}

test('log: a message that cannot be walked is not taken for a denial', () => {
  const make = (q: Query): Reply => {
    const reply = q.replyRcode(Rcode.NOERROR);
    reply.wire[9] = 5;
    return reply;
  };
  assert.deepEqual(linesFor([{ classes: ReplyClass.denial }], 'x.example', make), []);
});
