import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Transport } from '../../core/plugin.js';
import { ask, makeQuery, type QueryOptions } from '../../core/testing.js';
import { whoamiHandler } from './whoami.js';

function askFor(name: string, type: string, options: QueryOptions = {}): ReturnType<typeof ask> {
  return ask(whoamiHandler(), makeQuery(name, type, options));
}

/** The data of the first additional record. */
function dataOf(reply: Awaited<ReturnType<typeof ask>>): unknown {
  return (reply.additionals?.[0] as { data?: unknown } | undefined)?.data;
}

test('whoami: an IPv4 client gets its address as A and its port as SRV', async () => {
  const reply = await askFor('www.example.org', 'MX', { client: '192.0.2.7', port: 40212 });
  assert.equal(reply.rcode, 'NOERROR');
  assert.equal(reply.flag_aa, true);
  assert.deepEqual(reply.answers, []);
  const [address, service, ...others] = reply.additionals ?? [];
  assert.deepEqual(address, {
    name: 'www.example.org',
    type: 'A',
    class: 'IN',
    ttl: 0,
    flush: false,
    data: '192.0.2.7',
  });
  assert.deepEqual(service, {
    name: '_udp.www.example.org',
    type: 'SRV',
    class: 'IN',
    ttl: 0,
    flush: false,
    data: { priority: 0, weight: 0, port: 40212, target: '.' },
  });
  assert.deepEqual(others, []);
});

test('whoami: an IPv6 client gets AAAA', async () => {
  const reply = await askFor('example.org', 'A', { client: '2001:db8::7' });
  assert.equal(reply.additionals?.[0]?.type, 'AAAA');
  assert.equal(dataOf(reply), '2001:db8::7');
});

test('whoami: an IPv4 client of an IPv6 socket gets A', async () => {
  const reply = await askFor('example.org', 'A', { client: '::ffff:192.0.2.7' });
  assert.equal(dataOf(reply), '192.0.2.7');
});

for (const [name, transport] of [
  ['TCP', Transport.TCP],
  ['TLS', Transport.TLS],
] as const) {
  test(`whoami: over ${name} the SRV record is below _tcp`, async () => {
    const reply = await askFor('example.org', 'A', { transport });
    assert.equal(reply.additionals?.[1]?.name, '_tcp.example.org');
  });
}

test('whoami: the root gets _udp alone', async () => {
  const reply = await askFor('.', 'NS');
  assert.equal(reply.additionals?.[0]?.name, '.');
  assert.equal(reply.additionals?.[1]?.name, '_udp');
});

test("whoami: names keep the client's case", async () => {
  const reply = await askFor('wWw.Example.ORG', 'A');
  assert.equal(reply.additionals?.[1]?.name, '_udp.wWw.Example.ORG');
});

test('whoami: a short name after a long one is not mixed up with it', async () => {
  const handler = whoamiHandler();
  await ask(handler, makeQuery('a-long-name-to-begin-with.example.org', 'A'));
  const reply = await ask(handler, makeQuery('b.example', 'A'));
  assert.equal(reply.additionals?.[1]?.name, '_udp.b.example');
});

test('whoami: the SRV record is left out when its name would be over 255 bytes', async () => {
  const label = 'a'.repeat(49);
  // Wire form: five labels of 50 bytes and the root make 251, so five bytes more are too many; one byte less fits.
  const tooLong = await askFor([label, label, label, label, label].join('.'), 'A');
  assert.deepEqual(
    tooLong.additionals?.map((rr) => rr.type),
    ['A'],
  );
  const fits = await askFor([label, label, label, label, label.slice(1)].join('.'), 'A');
  assert.deepEqual(
    fits.additionals?.map((rr) => rr.type),
    ['A', 'SRV'],
  );
});
