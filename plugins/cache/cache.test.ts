import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Ede, type Query, Rcode, Transport } from '../../core/plugin.js';
import { makeQuery, type QueryOptions, replyFrom } from '../../core/testing.js';
import {
  a,
  addressOf,
  CacheBench,
  cname,
  edesOf,
  FAILURE,
  NXDOMAIN,
  opt,
  SERVFAIL,
  soa,
  ttlsOf,
} from '../../test/lib/cache-bench.js';

test('cache: a second query is answered without asking the upstream', async () => {
  const b = new CacheBench();
  const first = await b.ask();
  const second = await b.ask();
  assert.equal(b.asked, 1);
  assert.deepEqual(second.answers, first.answers);
  assert.deepEqual(second.questions, first.questions);
  assert.equal(b.count('requests_total'), 2);
  assert.equal(b.count('misses_total'), 1);
  assert.equal(b.count('hits_total', 'success'), 1);
  assert.equal(b.count('hits_total', 'denial'), 0);
});

test('cache: the name is the same in any case, and the client sees its own spelling and id', async () => {
  const b = new CacheBench();
  await b.ask();
  const reply = await b.ask('eXample.ORG', 'A', { id: 77 });
  assert.equal(b.asked, 1);
  assert.equal(reply.id, 77);
  assert.equal(reply.questions?.[0]?.name, 'eXample.ORG');
});

const others: readonly (readonly [string, QueryOptions, string?, string?])[] = [
  ['name', {}, 'example.net'],
  ['type', {}, 'example.org', 'AAAA'],
  ['class', { class: 'CH' }],
  ['DO bit', { do: true }],
  ['CD bit', { cd: true }],
  ['RD bit', { rd: false }],
];
for (const [what, options, name, type] of others) {
  test(`cache: another ${what} is another question`, async () => {
    const b = new CacheBench();
    await b.ask();
    await b.ask(name, type, options);
    assert.equal(b.asked, 2);
    await b.ask(name, type, options);
    assert.equal(b.asked, 2);
  });
}

for (const [what, options] of [
  ['transport', { transport: Transport.TCP }],
  ['client', { client: '2001:db8::7' }],
  ['EDNS', { udpSize: 4096 }],
  ['AD bit', { ad: true }],
] as const) {
  test(`cache: the same question with another ${what} is a hit`, async () => {
    const b = new CacheBench();
    await b.ask();
    await b.ask('example.org', 'A', options);
    assert.equal(b.asked, 1);
  });
}

test('cache: each record has its own remaining TTL, and the entry ends with the first of them', async () => {
  const b = new CacheBench();
  b.says = () => ({
    answers: [cname('example.org', 300, 'www.example.net'), a('www.example.net', 20)],
    authorities: [{ type: 'NS', name: 'example.net', ttl: 1000, data: 'ns.example.net' }],
  });
  await b.ask();
  b.advance(12);
  const reply = await b.ask();
  assert.deepEqual(ttlsOf(reply), [288, 8]);
  assert.deepEqual(ttlsOf(reply, 'authorities'), [988]);
  b.advance(7.9);
  assert.deepEqual(ttlsOf(await b.ask()), [281, 1]);
  assert.equal(b.asked, 1);
  b.advance(0.1);
  await b.ask();
  assert.equal(b.asked, 2);
});

test('cache: a TTL is capped by the limit and raised to the least, already in the first reply', async () => {
  const b = new CacheBench('cache 60');
  b.says = () => ({
    answers: [a('example.org', 300), a('example.org', 2), a('example.org', 30)],
  });
  assert.deepEqual(ttlsOf(await b.ask()), [60, 5, 30]);
  b.advance(4);
  assert.deepEqual(ttlsOf(await b.ask()), [56, 1, 26]);
  b.advance(1);
  await b.ask();
  assert.equal(b.asked, 2);
});

test('cache: a TTL with its top bit set is 0', async () => {
  const b = new CacheBench('cache {\n success 1024 60 0\n}');
  b.says = () => ({ answers: [a('example.org', 0x80000001)] });
  await b.ask();
  await b.ask();
  assert.equal(b.asked, 2);
});

test('cache: keepttl leaves TTLs as they came', async () => {
  const b = new CacheBench('cache {\n keepttl\n}');
  await b.ask();
  b.advance(299);
  assert.deepEqual(ttlsOf(await b.ask()), [300]);
  b.advance(1);
  await b.ask();
  assert.equal(b.asked, 2);
});

test('cache: a denial lives for the lower of the TTL and MINIMUM of its SOA, at most the limit', async () => {
  const b = new CacheBench('cache {\n denial 1024 40\n}');
  for (const [ttl, minimum, want] of [
    [300, 20, 20],
    [15, 20, 15],
    [300, 300, 40],
  ] as const) {
    const name = `n${ttl}-${minimum}.example.org`;
    b.says = () => ({ flags: NXDOMAIN, authorities: [soa('example.org', ttl, minimum)] });
    const asked = b.asked;
    const first = await b.ask(name);
    assert.deepEqual(ttlsOf(first, 'authorities'), [want]);
    b.advance(want - 1);
    const reply = await b.ask(name);
    assert.equal(reply.rcode, 'NXDOMAIN');
    assert.deepEqual(ttlsOf(reply, 'authorities'), [1]);
    assert.equal(b.asked, asked + 1);
    b.advance(1);
    await b.ask(name);
    assert.equal(b.asked, asked + 2);
  }
  assert.equal(b.count('hits_total', 'denial'), 3);
});

test('cache: a failure is kept for the time of servfail and named as cached', async () => {
  const b = new CacheBench('cache {\n servfail 10s\n}');
  b.says = () => ({ flags: SERVFAIL });
  await b.ask();
  b.advance(9);
  const q = makeQuery('example.org', 'A', { udpSize: 1232 });
  const reply = await b.askQuery(q);
  assert.equal(reply.rcode, 'SERVFAIL');
  assert.equal(b.asked, 1);
  assert.deepEqual(edesOf(reply), [[Ede.CACHED_ERROR, '']]);
  b.advance(1);
  await b.ask();
  assert.equal(b.asked, 2);
});

test('cache: servfail 0 keeps no failure', async () => {
  const b = new CacheBench('cache {\n servfail 0\n}');
  b.says = () => ({ flags: SERVFAIL });
  await b.ask();
  await b.ask();
  assert.equal(b.asked, 2);
});

test('cache: an error of this server is not kept', async () => {
  const b = new CacheBench();
  b.says = (q) => q.replyError(FAILURE);
  await b.ask();
  await b.ask();
  assert.equal(b.asked, 2);
});

test('cache: a reply from a handler that awaits is kept', async () => {
  const b = new CacheBench();
  b.says = (q) => Promise.resolve(replyFrom(q, { answers: [a('example.org', 300)] }));
  await b.ask();
  assert.equal(addressOf(await b.ask()), '192.0.2.1');
  assert.equal(b.asked, 1);
});

test('cache: a reply to a deferred query is kept under its question', async () => {
  const b = new CacheBench();
  const waiting: Query[] = [];
  b.says = (q) => {
    waiting.push(q);
    return q.defer();
  };
  const replies = ['a.example', 'b.example'].map((name) => b.ask(name));
  for (const [i, q] of waiting.reverse().entries()) {
    q.settle(replyFrom(q, { answers: [a(q.qname, 300, `192.0.2.${i}`)] }));
  }
  const [first, second] = await Promise.all(replies);
  assert.deepEqual((await b.ask('a.example')).answers, first?.answers);
  assert.deepEqual((await b.ask('b.example')).answers, second?.answers);
  assert.equal(b.asked, 2);
});

test('cache: AA is not claimed, RA and AD are as the upstream gave them', async () => {
  const b = new CacheBench();
  // AA, RA and AD.
  b.says = () => ({ flags: 0x0400 | 0x0080 | 0x0020, answers: [a('example.org', 300)] });
  assert.equal((await b.ask()).flag_aa, true);
  const plain = await b.ask();
  assert.deepEqual([plain.flag_aa, plain.flag_ra, plain.flag_ad], [false, true, false]);
  const aware = await b.ask('example.org', 'A', { ad: true });
  assert.deepEqual([aware.flag_aa, aware.flag_ra, aware.flag_ad], [false, true, true]);
  assert.equal(b.asked, 1);
});

test('cache: RD and CD are the client’s', async () => {
  const b = new CacheBench();
  await b.ask('example.org', 'A', { rd: false, cd: true });
  const reply = await b.ask('example.org', 'A', { rd: false, cd: true });
  assert.deepEqual([reply.flag_rd, reply.flag_cd, b.asked], [false, true, 1]);
});

test('cache: OPT is not kept, its extended error is', async () => {
  const b = new CacheBench();
  b.says = () => ({ answers: [a('example.org', 300)], additionals: [opt(15, 'blöcked')] });
  await b.ask();
  assert.deepEqual((await b.ask()).additionals, []);
  const reply = await b.ask('example.org', 'A', { udpSize: 1232 });
  assert.equal(b.asked, 1);
  assert.deepEqual(edesOf(reply), [[15, 'blöcked']]);
});

test('cache: an extended error of the maker of a reply is kept, its text cut between characters', async () => {
  const b = new CacheBench();
  b.says = (q) => {
    const reply = q.replyRcode(Rcode.NOERROR, 17, 'é'.repeat(100));
    return reply;
  };
  await b.ask();
  const reply = await b.ask('example.org', 'A', { udpSize: 1232 });
  assert.equal(b.asked, 1);
  assert.deepEqual(edesOf(reply), [[17, 'é'.repeat(32)]]);
});

test('cache: only names in its zones are kept', async () => {
  const b = new CacheBench('cache example.org');
  for (const name of ['example.org', 'www.example.org', 'example.net', 'badexample.org']) {
    await b.ask(name);
    await b.ask(name);
  }
  assert.equal(b.asked, 6);
  assert.equal(b.count('requests_total'), 4);
});

test('cache: what is disabled for a zone is not kept, the other type is', async () => {
  const b = new CacheBench('cache {\n disable success example.org\n disable denial example.net\n}');
  const kept = async (name: string): Promise<boolean> => {
    const { asked } = b;
    await b.ask(name);
    await b.ask(name);
    return b.asked === asked + 1;
  };
  assert.ok(!(await kept('a.example.org')));
  assert.ok(await kept('a.example.net'));
  b.says = () => ({ flags: NXDOMAIN, authorities: [soa('.', 300, 300)] });
  assert.ok(await kept('b.example.org'));
  assert.ok(!(await kept('b.example.net')));
  b.says = () => ({ flags: SERVFAIL });
  assert.ok(!(await kept('c.example.net')));
});

test('cache: a denial takes the place of an answer, and an answer that of a denial', async () => {
  const b = new CacheBench();
  const denial = { flags: NXDOMAIN, authorities: [soa('example.org', 300, 300)] };
  const waiting: Query[] = [];
  b.says = (q) => {
    waiting.push(q);
    return q.defer();
  };
  const replies = [1, 2, 3].map(() => b.ask());
  const settle = (packet: Parameters<typeof replyFrom>[1]): void => {
    const q = waiting.shift() as Query;
    q.settle(replyFrom(q, packet));
  };
  settle({ answers: [a('example.org', 300)] });
  assert.equal((await b.ask()).rcode, 'NOERROR');
  settle(denial);
  assert.equal((await b.ask()).rcode, 'NXDOMAIN');
  settle({ answers: [a('example.org', 300)] });
  assert.equal((await b.ask()).rcode, 'NOERROR');
  await Promise.all(replies);
  assert.equal(b.asked, 3);
});

test('cache: an answer too long for the client is kept whole and cut for each', async () => {
  const b = new CacheBench();
  b.says = () => ({
    answers: Array.from({ length: 250 }, (_, i) => a('example.org', 300, `192.0.2.${i}`)),
  });
  await b.ask('example.org', 'A', { transport: Transport.TCP });
  const cut = await b.ask();
  assert.equal(cut.flag_tc, true);
  b.advance(100);
  const whole = await b.ask('example.org', 'A', { transport: Transport.TCP });
  assert.equal(whole.answers?.length, 250);
  assert.deepEqual([...new Set(ttlsOf(whole))], [200]);
  assert.equal(b.asked, 1);
});

test('cache: a reply buffer that is not aligned is served as well', async () => {
  const b = new CacheBench();
  const want = (await b.ask()).answers;
  for (const offset of [1, 2, 3, 4]) {
    const q = makeQuery('example.org', 'A');
    q.out = new Uint8Array(new ArrayBuffer(5001), offset, 4096);
    assert.deepEqual((await b.askQuery(q)).answers, want);
  }
  assert.equal(b.asked, 1);
});

test('cache: a hit writes no further than its slot', async () => {
  const b = new CacheBench();
  await b.ask();
  const memory = new Uint8Array(new SharedArrayBuffer(3 * 4160)).fill(0xee);
  const q = makeQuery('example.org', 'A');
  q.out = memory.subarray(4160, 2 * 4160);
  assert.equal(addressOf(await b.askQuery(q)), '192.0.2.1');
  assert.ok(memory.subarray(0, 4160).every((byte) => byte === 0xee));
  assert.ok(memory.subarray(2 * 4160).every((byte) => byte === 0xee));
});
