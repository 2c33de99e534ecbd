import assert from 'node:assert/strict';
import test from 'node:test';
import type { Asked, Verdict } from './check.js';
import {
  aChecker,
  asks,
  body,
  check,
  dropLast,
  mixture,
  network,
  type Options,
  reply,
  restOf,
  SAID_MS,
  STALE_TTL,
  set,
  ttlOf,
  withDo,
  withEde,
  withTtls,
  ZONE,
} from './check-kit.js';
import { Reasons } from './doubts.js';
import { failsAt, NO_NETWORK, TYPE } from './world.js';

test('race checker: what the upstream says is right for every kind of name and type', () => {
  for (const kind of 'abhcefgsowndqxvrtzy') {
    for (const qtype of [TYPE.A, TYPE.AAAA, TYPE.TXT]) {
      for (const dnssec of [false, true]) {
        for (const told of [NO_NETWORK, network(1)]) {
          const asked = asks({ name: `${kind}0.${ZONE}`, qtype, dnssec, network: told, tcp: true });
          // Nothing is said, or without the client subnet, which is the server's to give back.
          const isHalf = kind === 'o' && told.family !== 0;
          if (isHalf || (failsAt(asked.name, SAID_MS) && kind === 't')) continue;
          const { problem, kind: got } = check(asked, reply(asked));
          assert.equal(problem, undefined, `${kind} ${qtype} ${got}`);
        }
      }
    }
  }
});

test('race checker: what was kept may be told again, older, to others, and for names below', () => {
  const first = asks({ name: `s0.${ZONE}`, network: network(1), tcp: true });
  const later = asks({ name: `s0.${ZONE}`, tcp: true, sentAfterMs: 900, hasOpt: false });
  const wire = reply(first);
  const body = wire.subarray(0, wire.length - 11 - 4 - 7);
  body[11] = 0;
  later.wire.copy(body, 12, 12, later.questionEnd);
  assert.equal(check(later, body).problem, undefined);

  const above = asks({ name: `n0.${ZONE}` });
  const below = asks({ name: `w.n0.${ZONE}` });
  const denial = reply(above);
  // One label more in front: the SOA's owner, a pointer behind the first label, points that much further.
  const longer = Buffer.concat([
    denial.subarray(0, 12),
    below.wire.subarray(12, below.questionEnd),
    denial.subarray(above.questionEnd),
  ]);
  longer[below.questionEnd + 1] = (longer[below.questionEnd + 1] as number) + 2;
  assert.deepEqual(check(below, longer), { kind: 'nxdomain by the name above' });
});

/** Each makes one reply wrong in one way; the checker must say in which. */
const wrongs: readonly {
  readonly what: string;
  readonly options?: Options;
  readonly make: (wire: Buffer, asked: Asked) => Buffer;
  readonly says: RegExp;
}[] = [
  { what: 'another id', make: (w) => set(w, 1, 0x35), says: /^id / },
  {
    what: 'another case',
    make: (w) => set(w, 13, (w[13] as number) ^ 0x20),
    says: /question is not as sent/,
  },
  {
    what: 'another type in the question',
    make: (w, a) => set(w, a.questionEnd - 3, 1),
    says: /question is not as sent/,
  },
  { what: 'AA', make: (w) => set(w, 2, (w[2] as number) | 4), says: /^AA/ },
  { what: 'no RD', make: (w) => set(w, 2, (w[2] as number) & 0xfe), says: /^RD/ },
  { what: 'CD', make: (w) => set(w, 3, (w[3] as number) | 0x10), says: /^CD/ },
  { what: 'no QR', make: (w) => set(w, 2, (w[2] as number) & 0x7f), says: /no reply/ },
  {
    what: 'TC over TCP',
    options: { tcp: true },
    make: (w) => set(w, 2, (w[2] as number) | 2),
    says: /truncated over TCP/,
  },
  { what: 'AD for who did not ask', options: { ad: false }, make: (w) => w, says: /^AD/ },
  { what: 'no AD', make: (w) => set(w, 3, (w[3] as number) & 0xdf), says: /^AD/ },
  { what: 'no OPT', make: (w) => set(w.subarray(0, w.length - 11), 11, 0), says: /^0 OPT/ },
  {
    what: 'an OPT for who has none',
    options: { hasOpt: false },
    make: (w) => set(Buffer.concat([w, Buffer.of(0, 0, 41, 4, 0, 0, 0, 0, 0, 0, 0)]), 11, 1),
    says: /^1 OPT/,
  },
  {
    what: 'DO for who did not set it',
    make: (w) => set(w, w.length - 4, 0x80),
    says: /^DO is not as sent/,
  },
  {
    what: 'another rcode',
    make: (w) => set(w, 3, (w[3] as number) | 3),
    says: /rcode 3, the upstream said 0/,
  },
  {
    what: 'a bit of the data',
    options: { qtype: TYPE.TXT },
    make: (w, a) => set(w, a.questionEnd + 40, (w[a.questionEnd + 40] as number) ^ 4),
    says: /^record 0 .*data/,
  },
  {
    what: 'a bit of the stamp',
    make: (w, a) => set(w, a.questionEnd + 20, (w[a.questionEnd + 20] as number) ^ 4),
    says: /nothing that was said/,
  },
  {
    what: 'a byte too many',
    make: (w) => Buffer.concat([w, Buffer.of(0)]),
    says: /1 bytes too many/,
  },
  { what: 'a byte too few', make: (w) => w.subarray(0, -1), says: /cut off/ },
  {
    what: 'the answer of another name',
    make: (w, a) => body(w, a, reply(asks({ name: `a1.${ZONE}` }))),
    says: /nothing that was said/,
  },
  {
    what: 'the answer of another type',
    make: (w, a) => body(w, a, reply(asks({ qtype: TYPE.TXT }))),
    says: /without a stamp|nothing/,
  },
  {
    what: 'the answer of another network',
    options: { name: `e0.${ZONE}`, network: network(1) },
    make: (_, a) =>
      Buffer.from(restOf(a, reply(asks({ name: `e0.${ZONE}`, network: network(2) })))),
    says: /nothing that was said|client subnet/,
  },
  {
    what: 'the answer of no network',
    options: { name: `e0.${ZONE}`, network: network(1) },
    make: (w, a) => body(w, a, reply(asks({ name: `e0.${ZONE}` }))),
    says: /said for no network|client subnets/,
  },
  {
    what: 'the answer with signatures',
    make: (w, a) => withDo(body(w, a, reply(asks({ dnssec: true }))), 0),
    says: /another DO bit|records/,
  },
  {
    what: 'no signature',
    options: { dnssec: true },
    make: (w, a) => withDo(body(w, a, reply(asks())), 0x80),
    says: /another DO bit/,
  },
  {
    what: 'another scope',
    options: { name: `e0.${ZONE}`, network: network(1) },
    make: (w) => set(w, w.length - 4, 16),
    says: /^scope 16, want 24/,
  },
  {
    what: 'another client subnet',
    options: { name: `e0.${ZONE}`, network: network(1) },
    make: (w) => set(w, w.length - 1, 9),
    says: /^client subnet/,
  },
  {
    what: 'a record too few',
    options: { name: `b0.${ZONE}` },
    make: (w) => dropLast(w),
    says: /records, \d+ were said/,
  },
  {
    what: 'a mixture of two answers',
    options: { name: `b0.${ZONE}` },
    make: (w, a) => mixture(w, reply(a, SAID_MS + 1)),
    says: /^record \d+ .*data/,
  },
  { what: 'a TTL too long', make: (w) => withTtls(w, (ttl) => ttl + 1), says: /^TTL/ },
  { what: 'a TTL too short', make: (w) => withTtls(w, (ttl) => ttl - 1), says: /^TTL/ },
  { what: 'an extended error of nobody', make: (w) => withEde(w, 13), says: /^extended error 13/ },
  {
    what: 'no extended error',
    options: { name: `y0.${ZONE}` },
    make: (w) => set(w.subarray(0, w.length - 38), w.length - 39, 0),
    says: /^extended error undefined/,
  },
  {
    what: 'stale before its time',
    make: (w) =>
      withEde(
        withTtls(w, () => STALE_TTL),
        3,
      ),
    says: /^stale before its time/,
  },
];

for (const { what, options, make, says } of wrongs) {
  test(`race checker: ${what} is noticed`, () => {
    const asked = asks(options);
    const { kind, problem, doubt } = check(asked, make(reply(asked), asked));
    assert.equal(kind, 'wrong');
    assert.equal(doubt, undefined);
    assert.match(problem ?? '', says);
  });
}

test('race checker: a reply longer than its client takes is noticed', () => {
  const asked = { ...asks({ name: `b0.${ZONE}`, qtype: TYPE.TXT }), limit: 512 };
  assert.match(check(asked, reply(asked)).problem ?? '', /512 are allowed/);
});

test('race checker: an answer past its time is right only when it was that long on its way', () => {
  const life = ttlOf(asks()) * 1000;
  const asked = asks({ sentAfterMs: life + 1500 });
  const { problem, doubt } = check(
    asked,
    withTtls(reply(asked), () => 1),
  );
  assert.match(problem ?? '', /^1500 ms older than it may be/);
  assert.ok(doubt !== undefined);
  assert.equal(new Reasons('').explains(doubt), false);
  assert.equal(new Reasons(`late ${SAID_MS} 1100\n`).explains(doubt), false);
  assert.equal(new Reasons(`late ${SAID_MS + 1} 1900\n`).explains(doubt), false);
  assert.equal(new Reasons(`late ${SAID_MS} 1300\n`).explains(doubt), true);
  assert.equal(new Reasons(`late ${SAID_MS} 1100\n`).near(doubt), 'on its way for 1100 ms');
});

test('race checker: a TTL that was not counted down is in doubt', () => {
  const asked = asks({ sentAfterMs: 1900 });
  const { doubt } = check(asked, reply(asked));
  assert.deepEqual(doubt, { saidMs: SAID_MS, needMs: 900 });
});

test('race checker: an answer from before a flush is in doubt', () => {
  for (const flushed of [`a0.${ZONE}.`, `*.${ZONE}.`]) {
    const checker = aChecker();
    checker.timing.flushed(flushed, SAID_MS + 500, SAID_MS + 510);
    const asked = asks({ sentAfterMs: 600 });
    assert.deepEqual(check(asked, reply(asked), 1, checker).doubt, {
      saidMs: SAID_MS,
      needMs: 500,
    });
    const before = asks({ sentAfterMs: 400 });
    assert.deepEqual(check(before, reply(before), 1, checker), { kind: 'answer' });
    checker.timing.forgetFlushes();
    assert.deepEqual(check(asked, reply(asked), 1, checker), { kind: 'answer' });
  }
});

test('race checker: an answer from the future is noticed', () => {
  const asked = asks({ sentAfterMs: -500 });
  const verdict = aChecker().check(asked, reply(asked), SAID_MS - 100);
  assert.match(verdict.problem ?? '', /^said 100 ms after it was received/);
});

test('race checker: stale answers are right for so long as the zone allows, with TTL and extended error of such', () => {
  const life = ttlOf(asks()) * 1000;
  const stale = (afterMs: number, ede: number, ttl = STALE_TTL, staleMs = 3000): Verdict => {
    const asked = asks({ sentAfterMs: life + afterMs });
    return check(
      asked,
      withEde(
        withTtls(reply(asked), () => ttl),
        ede,
      ),
      50,
      aChecker(staleMs),
    );
  };
  assert.deepEqual(stale(1000, 3), { kind: 'stale' });
  assert.match(stale(1000, 19).problem ?? '', /^extended error 19/);
  assert.match(stale(1000, 3, 30).problem ?? '', /^stale with TTL 30/);
  assert.ok(stale(4000, 3).doubt !== undefined);
  assert.match(stale(1000, 3, STALE_TTL, 0).problem ?? '', /^TTL 17/);
});

test('race checker: a failure of a name that does not fail needs a reason', () => {
  const asked = asks({ sentAfterMs: 1000 });
  const wire = Buffer.concat([
    asked.wire.subarray(0, asked.questionEnd),
    reply(asked).subarray(-11),
  ]);
  wire[2] = 0x81;
  wire[3] = 2;
  wire[11] = 1;
  const { doubt, problem } = check(asked, wire);
  assert.match(problem ?? '', /^rcode 2 .*, but nothing failed/);
  assert.ok(doubt !== undefined);
  assert.equal(new Reasons(`error ${SAID_MS} a1.${ZONE}.\n`).explains(doubt), false);
  assert.equal(new Reasons(`error ${SAID_MS - 20_000} a0.${ZONE}.\n`).explains(doubt), false);
  assert.equal(new Reasons(`error ${SAID_MS} A0.${ZONE}.\n`).explains(doubt), true);
  const { toMs } = doubt as { toMs: number };
  const tooLate = new Reasons(
    `error ${toMs - 20_000} a0.${ZONE}.\nerror ${toMs + 0.25} a0.${ZONE}.\n`,
  );
  assert.equal(tooLate.explains(doubt), false);
  assert.match(tooLate.near(doubt), /: 0\.250, -20000\.000$/);
  assert.match(new Reasons('').near(doubt), /: none$/);
  const checker = aChecker();
  checker.timing.disturbed(SAID_MS + 900, SAID_MS + 1100);
  assert.deepEqual(check(asked, wire, 1, checker), { kind: 'disturbed' });
});
