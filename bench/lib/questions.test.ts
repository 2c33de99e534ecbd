import assert from 'node:assert/strict';
import { test } from 'node:test';
import dnsPacket from 'dns-packet';
import { zipfDraw } from './draw.js';
import { MISSING_LABEL, MIXTURE } from './mixture.js';
import { createQuestions, type QuestionOptions } from './questions.js';

const OPTIONS: QuestionOptions = {
  kind: 'zipf',
  names: 1000,
  exponent: 0.9,
  suffix: 'example.org',
  seed: 7,
  edns: 'none',
};

function ask(options: Partial<QuestionOptions>, count: number): dnsPacket.Packet[] {
  const questions = createQuestions({ ...OPTIONS, ...options });
  const out = Buffer.alloc(320);
  return Array.from({ length: count }, (_, id) => {
    const length = questions.next(out, id);
    return dnsPacket.decode(out.subarray(0, length));
  });
}

test('queries are well formed, carry their id and ask for an address', () => {
  for (const [id, query] of ask({}, 300).entries()) {
    assert.equal(query.id, id);
    assert.equal(query.type, 'query');
    assert.match(query.questions?.[0]?.name ?? '', /^host-\d{1,3}\.example\.org$/);
    assert.equal(query.questions?.[0]?.type, 'A');
    assert.deepEqual(query.additionals, []);
  }
});

test('with EDNS there is one OPT record, with DO where asked', () => {
  for (const edns of ['opt', 'do'] as const) {
    const [query] = ask({ edns }, 1);
    const [opt] = (query?.additionals ?? []) as dnsPacket.OptAnswer[];
    assert.equal(opt?.type, 'OPT');
    assert.equal(opt?.udpPayloadSize, 1232);
    assert.equal(opt?.flag_do, edns === 'do');
  }
});

test('unique names do not repeat, nor from seed to seed', () => {
  const names = [1, 2].flatMap((seed) =>
    ask({ kind: 'unique', seed }, 2000).map((query) => query.questions?.[0]?.name),
  );
  assert.equal(new Set(names).size, 4000);
});

test('a zipf draw favours low numbers as the law says, the same for the same seed', () => {
  const draw = zipfDraw(1000, 0.9, 1, 200_000);
  assert.deepEqual(zipfDraw(1000, 0.9, 1, 200_000), draw);
  const counts = new Float64Array(1000);
  for (const n of draw) counts[n] = (counts[n] as number) + 1;
  const ratio = (counts[0] as number) / (counts[9] as number);
  assert.ok(Math.abs(ratio / 10 ** 0.9 - 1) < 0.1, `first to tenth is ${ratio}`);
});

test('known names are those that unique ones of the same seed were', () => {
  const seen = new Set(ask({ kind: 'unique' }, 40).map((query) => query.questions?.[0]?.name));
  for (const query of ask({ kind: 'known', names: 40 }, 500)) {
    assert.ok(seen.has(query.questions?.[0]?.name), query.questions?.[0]?.name);
  }
});

test('a mixture has its shares of types, clients, missing and new names', () => {
  const count = 20_000;
  const queries = ask({ kind: 'mixture' }, count);
  const share = (has: (query: dnsPacket.Packet) => boolean): number =>
    queries.filter(has).length / count;
  const optOf = (query: dnsPacket.Packet): dnsPacket.OptAnswer | undefined =>
    query.additionals?.[0] as dnsPacket.OptAnswer | undefined;
  const nameOf = (query: dnsPacket.Packet): string => query.questions?.[0]?.name ?? '';
  const isMissing = (query: dnsPacket.Packet): boolean =>
    nameOf(query).endsWith(`.${MISSING_LABEL}.example.org`);
  const near = (found: number, wanted: number): void =>
    assert.ok(Math.abs(found - wanted) < 0.015, `${found}, not ${wanted}`);
  near(
    share((query) => query.questions?.[0]?.type === 'AAAA'),
    MIXTURE.aaaa,
  );
  near(
    share((query) => optOf(query) !== undefined),
    MIXTURE.edns,
  );
  near(
    share((query) => optOf(query)?.flag_do === true),
    MIXTURE.edns * MIXTURE.do,
  );
  near(share(isMissing), MIXTURE.nxdomain);
  const fresh = queries.map(nameOf).filter((name) => name.startsWith('r'));
  near(fresh.length / count, MIXTURE.nxdomain / 2 + MIXTURE.rare);
  assert.equal(new Set(fresh).size, fresh.length);
});
