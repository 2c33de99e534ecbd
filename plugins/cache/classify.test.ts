import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Packet } from 'dns-packet';
import { type Query, Rcode, type Reply } from '../../core/plugin.js';
import { makeQuery, type QueryOptions, replyFrom } from '../../core/testing.js';
import {
  a,
  cname,
  NXDOMAIN,
  ns,
  opt,
  rrsig,
  SERVFAIL,
  soa,
  WALL_SECONDS,
} from '../../test/lib/cache-bench.js';
import { classify, Kind } from './classify.js';

const TC = 0x0200;
const NAMES = Object.fromEntries(Object.entries(Kind).map(([name, kind]) => [kind, name]));
const SOA = soa('example.org', 300, 300);
const HOUR = 3600;
const VALID = rrsig('example.org', 300, WALL_SECONDS - HOUR, WALL_SECONDS + HOUR);
const EXPIRED = rrsig('example.org', 300, WALL_SECONDS - 2 * HOUR, WALL_SECONDS - HOUR);
const FUTURE = rrsig('example.org', 300, WALL_SECONDS + HOUR, WALL_SECONDS + 2 * HOUR);
const loop = Array.from({ length: 5 }, (_, i) => cname(`n${i}`, 300, `n${(i + 1) % 5}`));

interface Case {
  readonly name: string;
  readonly packet: Packet | ((q: Query) => Reply);
  readonly want: keyof typeof Kind;
  readonly type?: string;
  readonly qname?: string;
  readonly options?: QueryOptions;
}

const cases: readonly Case[] = [
  { name: 'an address', packet: { answers: [a('example.org', 300)] }, want: 'ANSWER' },
  {
    name: 'an address in another case',
    packet: { answers: [a('EXAMPLE.org', 300)] },
    want: 'ANSWER',
  },
  {
    name: 'an address at the end of aliases, in any order',
    packet: { answers: [a('c', 300), cname('b', 300, 'c'), cname('example.org', 300, 'b')] },
    want: 'ANSWER',
  },
  {
    name: 'the same alias twice',
    packet: {
      answers: [cname('example.org', 300, 'b'), cname('example.org', 300, 'B'), a('b', 300)],
    },
    want: 'ANSWER',
  },
  {
    name: 'an alias, when that is asked for',
    packet: { answers: [cname('example.org', 300, 'b')] },
    type: 'CNAME',
    want: 'ANSWER',
  },
  {
    name: 'anything, when anything is asked for',
    packet: { answers: [ns('example.org', 300)] },
    type: 'ANY',
    want: 'ANSWER',
  },
  {
    name: 'an alias that leads nowhere',
    packet: { answers: [cname('example.org', 300, 'b')] },
    want: 'PASSING',
  },
  {
    name: 'an alias that leads to a denial with SOA',
    packet: { answers: [cname('example.org', 300, 'b')], authorities: [SOA] },
    want: 'DENIAL',
  },
  {
    name: 'records of another type only',
    packet: { answers: [ns('example.org', 300)] },
    want: 'PASSING',
  },
  { name: 'an address of another name', packet: { answers: [a('b', 300)] }, want: 'PASSING' },
  {
    name: 'two aliases of one name',
    packet: {
      answers: [cname('example.org', 300, 'b'), cname('example.org', 300, 'c'), a('c', 300)],
    },
    want: 'PASSING',
  },
  { name: 'aliases in a circle', packet: { answers: loop }, qname: 'n0', want: 'PASSING' },
  {
    name: 'more aliases than it is worth to follow',
    packet: {
      answers: Array.from({ length: 200 }, (_, i) => cname(`n${199 - i}`, 300, `n${200 - i}`)),
    },
    qname: 'n0',
    want: 'PASSING',
  },
  { name: 'NODATA', packet: { authorities: [SOA] }, want: 'DENIAL' },
  { name: 'a referral', packet: { authorities: [ns('example.org', 300)] }, want: 'REFERRAL' },
  { name: 'nothing', packet: {}, want: 'REFERRAL' },
  {
    name: 'additional records only',
    packet: { additionals: [a('example.org', 0)] },
    want: 'REFERRAL',
  },
  { name: 'NXDOMAIN', packet: { flags: NXDOMAIN, authorities: [SOA] }, want: 'DENIAL' },
  { name: 'NXDOMAIN without SOA', packet: { flags: NXDOMAIN }, want: 'PASSING' },
  {
    name: 'NXDOMAIN with an answer',
    packet: { flags: NXDOMAIN, answers: [a('example.org', 300)], authorities: [SOA] },
    want: 'PASSING',
  },
  {
    name: 'an alias of a name that does not exist',
    packet: { flags: NXDOMAIN, answers: [cname('example.org', 300, 'b')], authorities: [SOA] },
    want: 'DENIAL',
  },
  {
    name: 'NXDOMAIN with an alias of something else',
    packet: { flags: NXDOMAIN, answers: [cname('b', 300, 'c')], authorities: [SOA] },
    want: 'PASSING',
  },
  { name: 'SERVFAIL', packet: { flags: SERVFAIL }, want: 'FAILURE' },
  { name: 'NOTIMP', packet: { flags: Rcode.NOTIMP }, want: 'FAILURE' },
  { name: 'REFUSED', packet: { flags: Rcode.REFUSED }, want: 'FAILURE' },
  { name: 'FORMERR', packet: { flags: Rcode.FORMERR }, want: 'UNUSABLE' },
  {
    name: 'an rcode whose upper bits are in OPT',
    packet: { additionals: [{ ...opt(), extendedRcode: 1 } as never] },
    want: 'UNUSABLE',
  },
  {
    name: 'a truncated answer',
    packet: { flags: TC, answers: [a('example.org', 300)] },
    want: 'UNUSABLE',
  },
  {
    name: 'a zone transfer',
    packet: { answers: [SOA] },
    type: 'AXFR',
    want: 'UNUSABLE',
  },
  {
    name: 'a reply to NOTIFY',
    packet: { flags: 4 << 11, answers: [a('example.org', 300)] },
    want: 'UNUSABLE',
  },
  {
    name: 'something that is no reply',
    packet: { type: 'query', answers: [a('example.org', 300)] },
    want: 'UNUSABLE',
  },
  {
    name: 'an answer to another name',
    packet: { questions: [{ type: 'A', name: 'b' }], answers: [a('b', 300)] },
    want: 'MISMATCH',
  },
  {
    name: 'an alias that leads nowhere, for another name',
    packet: { questions: [{ type: 'A', name: 'b' }], answers: [cname('b', 300, 'c')] },
    want: 'UNUSABLE',
  },
  {
    name: 'an empty reply to another name',
    packet: { questions: [{ type: 'A', name: 'b' }] },
    want: 'MISMATCH',
  },
  {
    name: 'an answer to another type',
    packet: { questions: [{ type: 'AAAA', name: 'example.org' }] },
    want: 'MISMATCH',
  },
  { name: 'a reply without a question', packet: { questions: [] }, want: 'MISMATCH' },
  {
    name: 'a valid signature',
    packet: { answers: [a('example.org', 300), VALID] },
    options: { do: true },
    want: 'ANSWER',
  },
  {
    name: 'an expired signature',
    packet: { answers: [a('example.org', 300), EXPIRED] },
    options: { do: true },
    want: 'UNUSABLE',
  },
  {
    name: 'a signature that is not valid yet',
    packet: { answers: [a('example.org', 300)], additionals: [FUTURE] },
    options: { do: true },
    want: 'UNUSABLE',
  },
  {
    name: 'an expired signature that nobody asked for',
    packet: { answers: [a('example.org', 300), EXPIRED] },
    want: 'ANSWER',
  },
  {
    name: 'a message that ends too early',
    packet: (q) => {
      const whole = replyFrom(q, { answers: [a('example.org', 300)] });
      return q.replyWire(whole.wire, whole.length - 1);
    },
    want: 'UNUSABLE',
  },
  {
    name: 'a message signed for one client',
    packet: (q) => {
      const whole = replyFrom(q, { answers: [a('example.org', 300)] });
      const tsig = [0, 0, 250, 0, 255, 0, 0, 0, 0, 0, 0];
      const wire = Uint8Array.from([...whole.wire.subarray(0, whole.length), ...tsig]);
      wire[11] = 1;
      return q.replyWire(wire, wire.length);
    },
    want: 'UNUSABLE',
  },
];
for (const c of cases) {
  test(`cache: ${c.name} is ${c.want.toLowerCase()}`, () => {
    const q = makeQuery(c.qname ?? 'example.org', c.type ?? 'A', c.options);
    const reply = typeof c.packet === 'function' ? c.packet(q) : replyFrom(q, c.packet);
    assert.equal(NAMES[classify(reply, q, WALL_SECONDS)], c.want);
  });
}
