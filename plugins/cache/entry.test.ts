import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decode, type Packet } from 'dns-packet';
import { Transport } from '../../core/plugin.js';
import { makeQuery } from '../../core/testing.js';
import { CacheBench } from '../../test/lib/cache-bench.js';
import {
  compressedMessage,
  forManyMessages,
  type MessagePlan,
  type MessageRecord,
} from '../../test/lib/compressed-message.js';

/** A cache that changes no TTL but by age. */
const LENIENT = 'cache {\n success 1024 2000000000 0\n denial 1024 2000000000 0\n}';

function say(b: CacheBench, plan: MessagePlan): void {
  b.says = (q) => {
    const message = compressedMessage(q.wire, q.qnameEnd + 4, plan);
    return q.replyWire(message, message.length);
  };
}

/** A packet as it should come out: no OPT, each TTL less by `age`. */
function aged(packet: Packet, age: number): unknown {
  const records = (section: Packet['answers']): unknown =>
    (section ?? [])
      .filter((record) => record.type !== 'OPT')
      .map((record) => ({ ...record, ttl: (record as { ttl: number }).ttl - age }));
  return {
    questions: packet.questions,
    answers: records(packet.answers),
    authorities: records(packet.authorities),
    additionals: records(packet.additionals),
  };
}

async function comesOutAsItWentIn(plan: MessagePlan, age: number): Promise<void> {
  const b = new CacheBench(LENIENT);
  say(b, plan);
  // A stream, so that nothing is cut.
  const q = makeQuery('www.example.org', 'A', { transport: Transport.TCP });
  const sent = decode(Buffer.from(compressedMessage(q.wire, q.qnameEnd + 4, plan)));
  await b.ask('WWW.example.org');
  b.advance(age);
  const reply = await b.askQuery(q);
  assert.equal(b.asked, 1);
  assert.deepEqual(aged(reply, 0), aged(sent, age));
}

const ADDRESS: MessageRecord = { name: 'www.example.org', ttl: 300, type: 'A', data: 'x' };
const SOA: MessageRecord = { name: 'example.org', ttl: 300, type: 'SOA', data: 'ns.example.org' };

for (const [where, optAt] of [
  ['first', 0],
  ['in the middle', 2],
  ['last', 4],
] as const) {
  test(`cache: OPT is taken out, ${where} among the additional records, and names still lead where they did`, async () => {
    const additionals: MessageRecord[] = [
      { name: 'a.example.net', ttl: 301, type: 'A', data: 'y' },
      { name: 'b.a.example.net', ttl: 302, type: 'MX', data: 'c.example.com' },
      { name: 'c.example.com', ttl: 303, type: 'NS', data: 'd.c.example.com' },
      { name: 'e.d.c.example.com', ttl: 304, type: 'CNAME', data: 'b.a.example.net' },
    ];
    await comesOutAsItWentIn(
      { rcode: 0, answers: [ADDRESS], authorities: [], additionals, optAt },
      100,
    );
  });
}

test('cache: what comes out is what went in, but for OPT and the age of TTLs', () =>
  forManyMessages(ADDRESS, (plan, age) => comesOutAsItWentIn(plan, age)));

test('cache: a denial comes out as it went in', async () => {
  const soa = { ...SOA, minimum: 300 };
  await comesOutAsItWentIn(
    { rcode: 3, answers: [], authorities: [soa], additionals: [], optAt: 0 },
    299,
  );
});

test('cache: a message as long as can be comes out as it went in', async () => {
  const answers = Array.from({ length: 240 }, (_, i) => ({
    name: 'www.example.org',
    ttl: 1000 + i,
    type: 'TXT' as const,
    data: String.fromCharCode(97 + (i % 26)).repeat(255),
  }));
  const b = new CacheBench(LENIENT);
  const plan = {
    rcode: 0,
    answers: [...answers, ADDRESS],
    authorities: [],
    additionals: [],
    optAt: 0,
  };
  say(b, plan);
  const stream = { transport: Transport.TCP };
  const first = await b.ask('www.example.org', 'A', stream);
  b.advance(100);
  const second = await b.ask('www.example.org', 'A', stream);
  assert.equal(b.asked, 1);
  assert.equal(second.answers?.length, 241);
  assert.deepEqual(aged(second, 0), aged(first, 100));
});
