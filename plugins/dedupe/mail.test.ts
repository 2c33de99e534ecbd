import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DnsError } from '../../core/plugin.js';
import { makeQuery } from '../../core/testing.js';
import { Flights } from './flights.js';
import { Mail } from './mail.js';
import { Question } from './question.js';

const asked = new Question([3, 4]);
asked.set(makeQuery('a-name.example.org', 'AAAA', { do: true }));
const flight = new Flights().add(asked, (q) => q.defer(), 0);

/** What comes out at the other end. */
function passed(...args: [Parameters<Mail['write']>[1], Parameters<Mail['write']>[2]]) {
  const [out, into, question] = [new Mail(), new Mail(), new Question([0, 0])];
  const count = out.write(flight, ...args, args[1] !== undefined);
  into.words.set(out.words.subarray(0, count));
  into.read(question);
  return { mail: into, question };
}

test('mail: the question arrives as it was', () => {
  const { question } = passed(undefined, undefined);
  const { low, high, kind, flags, count } = asked;
  assert.deepEqual(
    [question.low, question.high, question.kind, question.flags, question.count],
    [low, high, kind, flags, count],
  );
  assert.deepEqual([...question.words], [...asked.words.subarray(0, count)]);
});

test('mail: the reply arrives with what it says beside its message', () => {
  for (const length of [12, 13, 512, 65_535]) {
    const wire = Uint8Array.from({ length: length + 9 }, (_, i) => (i * 7) & 255);
    const reply = makeQuery('example.org', 'A').replyWire(wire, length, 0);
    reply.rcode = 23;
    reply.ede = 3;
    reply.edeText = 'veraltet – alt';
    const { mail } = passed(reply, undefined);
    assert.deepEqual([mail.error, mail.goesOn], [undefined, false]);
    assert.deepEqual(mail.reply?.wire.slice(0, mail.reply.length), wire.slice(0, length));
    assert.deepEqual(
      [mail.reply?.rcode, mail.reply?.optOffset, mail.reply?.ede, mail.reply?.edeText],
      [23, 0, 3, 'veraltet – alt'],
    );
  }
});

for (const error of [
  new DnsError('ERR_PLUGIN_FAULT'),
  new DnsError('ERR_UPSTREAM_NETWORK', '192.0.2.1:53 ECONNREFUSED'),
]) {
  test(`mail: the error "${error.message}" arrives alone and with a reply`, () => {
    const alone = passed(undefined, error).mail;
    assert.deepEqual([alone.reply, alone.error?.code], [undefined, error.code]);
    assert.deepEqual([alone.error?.message, alone.goesOn], [error.message, true]);
    const { mail } = passed(makeQuery('example.org', 'A').replyError(error), error);
    assert.equal(mail.reply?.error?.message, error.message);
    assert.equal(mail.reply?.rcode, error.rcode);
    assert.equal(mail.reply?.edeText, error.edeText);
  });
}

test('mail: a text without end is cut', () => {
  const { mail } = passed(undefined, new DnsError('ERR_UPSTREAM_NETWORK', 'x'.repeat(5000)));
  assert.equal(mail.error?.code, 'ERR_UPSTREAM_NETWORK');
  assert.ok((mail.error?.message.length ?? 0) < 1100);
});
