import assert from 'node:assert/strict';
import { test } from 'node:test';
import { optionsOf, optOf, pass, query, sent } from '../../test/wire/finished.js';
import { type OptSpec, optRecord } from '../../test/wire/messages.js';
import { Ede, EdnsOption } from '../wire/constants.js';
import { Transport } from './query.js';

const upstreamErrors: OptSpec = {
  options: [
    [EdnsOption.EDE, [0, 22, 65]],
    [EdnsOption.EDE, [0]],
    [EdnsOption.EDE, [0, 23]],
  ],
};
const errors = [
  {
    name: 'of the reply is sent with its text',
    ede: Ede.BLOCKED,
    text: 'blocked',
    want: ['15:000f626c6f636b6564'],
  },
  { name: 'of the reply without text is sent bare', ede: Ede.OTHER, text: '', want: ['15:0000'] },
  { name: 'of an upstream is passed on', ede: -1, text: '', want: ['15:001641', '15:0017'] },
];
for (const { name, ede, text, want } of errors) {
  test(`finish: an extended error ${name}`, () => {
    const q = query({}, {});
    const reply = pass(q, { additionals: [optRecord(upstreamErrors)] });
    reply.ede = ede;
    reply.edeText = text;
    assert.deepEqual(optionsOf(sent(q, reply)), want);
    const plain = query();
    const unseen = pass(plain, { additionals: [optRecord(upstreamErrors)] });
    unseen.ede = ede;
    assert.equal(optOf(sent(plain, unseen)), undefined);
  });
}

test('finish: a long text is cut between characters', () => {
  const q = query({}, {});
  const [option = ''] = optionsOf(sent(q, q.replyRcode(2, 0, `x${'\u20ac'.repeat(200)}`)));
  assert.equal(
    Buffer.from(option.slice('15:0000'.length), 'hex').toString(),
    `x${'\u20ac'.repeat(66)}`,
  );
});

test('finish: at most four extended errors are passed on, long texts are not', () => {
  const q = query({}, {});
  const options = Array.from({ length: 6 }, (_, i) => {
    return [EdnsOption.EDE, [0, i, ...new Uint8Array(i === 0 ? 201 : 1)]] as const;
  });
  const wire = sent(q, pass(q, { additionals: [optRecord({ options })] }));
  assert.deepEqual(optionsOf(wire), ['15:0000', '15:000100', '15:000200', '15:000300']);
});

const subnet = [EdnsOption.ECS, [0, 1, 24, 0, 192, 0, 2]] as const;
const scoped = [EdnsOption.ECS, [0, 1, 24, 20, 192, 0, 2]] as const;
const subnets = [
  {
    name: 'is passed on to a client that sent one',
    sent: [subnet],
    got: [scoped],
    want: ['8:00011814c00002'],
  },
  { name: 'is not passed on to others', sent: [], got: [scoped], want: [] },
  { name: 'is not made up', sent: [subnet], got: [], want: [] },
  {
    name: 'that is too long is not passed on',
    sent: [subnet],
    got: [[8, new Uint8Array(21)]] as const,
    want: [],
  },
];
for (const { name, sent: options, got, want } of subnets) {
  test(`finish: a client subnet of an upstream ${name}`, () => {
    const q = query({}, { options });
    assert.deepEqual(
      optionsOf(sent(q, pass(q, { additionals: [optRecord({ options: got })] }))),
      want,
    );
  });
}

for (const [transport, number] of Object.entries(Transport)) {
  const isSent = number === Transport.TCP || number === Transport.TLS;
  test(`finish: keepalive is ${isSent ? '' : 'not '}answered over ${transport}`, () => {
    const asked = query({}, { options: [[EdnsOption.KEEPALIVE, []]] }, number);
    assert.deepEqual(optionsOf(sent(asked, asked.replyRcode(0), 65535)), isSent ? ['11:0064'] : []);
    const silent = query({}, {}, number);
    assert.deepEqual(optionsOf(sent(silent, silent.replyRcode(0), 65535)), []);
  });
}
