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

/** The data of a client subnet 192.0.2.0/24 with a scope. */
const subnet = (scope: number): readonly [number, readonly number[]] => [
  EdnsOption.ECS,
  [0, 1, 24, scope, 192, 0, 2],
];
const none = [EdnsOption.ECS, [0, 1, 0, 0]] as const;
const mine = [EdnsOption.ECS, [0, 1, 24, 0, 10, 0, 2]] as const;
const subnets = [
  {
    name: 'goes back with the scope of the upstream',
    sent: [subnet(0)],
    got: [subnet(20)],
    want: ['8:00011814c00002'],
  },
  { name: 'is not sent to others', sent: [], got: [subnet(20)], want: [] },
  {
    name: 'goes back with scope 0 when the upstream has none',
    sent: [subnet(0)],
    got: [],
    want: ['8:00011800c00002'],
  },
  {
    name: "is the client's own whatever the upstream's looks like",
    sent: [subnet(0)],
    got: [[8, new Uint8Array(21).fill(7)]] as const,
    want: ['8:00011807c00002'],
  },
  {
    name: 'has scope 0 when the upstream sends too little',
    sent: [subnet(0)],
    got: [[8, [0, 1, 24]]] as const,
    want: ['8:00011800c00002'],
  },
  { name: 'of 0 bits has scope 0', sent: [none], got: [subnet(20)], want: ['8:00010000'] },
  {
    name: 'that is private has scope 0',
    sent: [mine],
    got: [subnet(20)],
    want: ['8:000118000a0002'],
  },
];
for (const { name, sent: options, got, want } of subnets) {
  test(`finish: a client subnet ${name}`, () => {
    const q = query({}, { options });
    assert.deepEqual(
      optionsOf(sent(q, pass(q, { additionals: [optRecord({ options: got })] }))),
      want,
    );
  });
}

test('finish: a client subnet goes back with the scope of a reply without OPT', () => {
  const q = query({}, { options: [subnet(0)] });
  q.ecsScope = 16;
  assert.deepEqual(optionsOf(sent(q, q.replyRcode(0))), ['8:00011810c00002']);
});

test('finish: a client subnet that is ignored does not go back', () => {
  const q = query({}, { options: [subnet(0)] });
  q.ignoreEcs();
  const reply = pass(q, { additionals: [optRecord({ options: [subnet(20)] })] });
  assert.deepEqual(optionsOf(sent(q, reply)), []);
});

for (const [transport, number] of Object.entries(Transport)) {
  const isSent = number === Transport.TCP || number === Transport.TLS;
  test(`finish: keepalive is ${isSent ? '' : 'not '}answered over ${transport}`, () => {
    const asked = query({}, { options: [[EdnsOption.KEEPALIVE, []]] }, number);
    assert.deepEqual(optionsOf(sent(asked, asked.replyRcode(0), 65535)), isSent ? ['11:0064'] : []);
    const silent = query({}, {}, number);
    assert.deepEqual(optionsOf(sent(silent, silent.replyRcode(0), 65535)), []);
  });
}
