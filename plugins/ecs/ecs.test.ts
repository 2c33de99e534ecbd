import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EcsFamily, type Query, type Reply } from '../../core/plugin.js';
import {
  type FakeMetrics,
  fakeServices,
  makeQuery,
  parseDirective,
  type QueryOptions,
} from '../../core/testing.js';
import { withNetwork } from '../../test/lib/ecs.js';
import ecs from './setup.js';

interface Rig {
  readonly metrics: FakeMetrics;
  /** The network that the plugins behind *ecs* see, `-` for none. */
  seen(options?: QueryOptions, name?: string): string;
}

function rig(text: string): Rig {
  const services = fakeServices();
  const [config] = parseDirective(ecs, text);
  assert.ok(config !== undefined && ecs.setup !== undefined);
  const handler = ecs.setup(config, services);
  return {
    metrics: services.metrics,
    seen(options = {}, name = 'www.example.org') {
      let network = '';
      handler.serve(makeQuery(name, 'A', options), (q: Query): Reply => {
        network = textOf(q);
        return q.replyRcode(0);
      });
      return network;
    },
  };
}

function textOf(q: Query): string {
  if (q.ecsFamily === EcsFamily.NONE) return '-';
  const octets = q.ecsFamily === EcsFamily.IPV4 ? 4 : 8;
  return `${Buffer.from(q.ecsAddress.subarray(0, octets)).toString('hex')}/${q.ecsSource}`;
}

const IPV4: QueryOptions = { client: '192.0.2.77' };
const IPV6: QueryOptions = { client: '2001:db8:1:2:3:4:5:6' };

const rows: readonly {
  readonly text: string;
  readonly options: QueryOptions;
  readonly want: string;
  readonly action?: string;
}[] = [
  { text: 'ecs', options: IPV4, want: '-' },
  {
    text: 'ecs',
    options: withNetwork('198.51.100.0/22'),
    want: 'c6336400/22',
    action: 'told',
  },
  {
    text: 'ecs',
    options: withNetwork('198.51.100.9/32'),
    want: 'c6336400/24',
    action: 'shortened',
  },
  {
    text: 'ecs',
    options: withNetwork('2001:db8:1:2::/64'),
    want: '20010db800010000/56',
    action: 'shortened',
  },
  { text: 'ecs', options: withNetwork('192.168.1.0/24'), want: '-', action: 'private' },
  { text: 'ecs', options: withNetwork('0.0.0.0/0'), want: '-', action: 'declined' },
  { text: 'ecs off', options: withNetwork('198.51.100.0/24'), want: '-', action: 'removed' },
  { text: 'ecs off', options: IPV4, want: '-' },
  { text: 'ecs add', options: IPV4, want: 'c0000200/24', action: 'added' },
  { text: 'ecs add', options: IPV6, want: '20010db800010000/56', action: 'added' },
  { text: 'ecs add', options: { client: '::ffff:192.0.2.77' }, want: 'c0000200/24' },
  { text: 'ecs add', options: { client: '10.1.2.3' }, want: '-', action: 'private' },
  { text: 'ecs add', options: { client: '127.0.0.1' }, want: '-', action: 'private' },
  { text: 'ecs add', options: { client: '::1' }, want: '-', action: 'private' },
  { text: 'ecs add', options: { client: 'fe80::1' }, want: '-', action: 'private' },
  { text: 'ecs add', options: { client: 'fd00::1' }, want: '-', action: 'private' },
  { text: 'ecs add', options: { client: '100.64.0.1' }, want: '-', action: 'private' },
  {
    text: 'ecs add',
    options: { ...IPV4, ...withNetwork('198.51.100.0/24') },
    want: 'c6336400/24',
    action: 'told',
  },
  {
    text: 'ecs add',
    options: { ...IPV4, ...withNetwork('0.0.0.0/0') },
    want: '-',
    action: 'declined',
  },
  {
    text: 'ecs add',
    options: { ...IPV4, ...withNetwork('192.168.1.0/24') },
    want: '-',
    action: 'private',
  },
  { text: 'ecs coarse', options: { client: '198.51.100.7' }, want: 'c6330000/16' },
  { text: 'ecs coarse', options: IPV6, want: '20010db800000000/40' },
  {
    text: 'ecs coarse',
    options: withNetwork('198.51.100.0/24'),
    want: 'c6330000/16',
    action: 'shortened',
  },
  { text: 'ecs coarse', options: withNetwork('198.0.0.0/8'), want: 'c6000000/8', action: 'told' },
  { text: 'ecs add {\n prefix 0\n}', options: IPV4, want: '-' },
  { text: 'ecs {\n prefix 0\n}', options: withNetwork('198.51.100.0/24'), want: '-' },
];
for (const { text, options, want, action } of rows) {
  const client = options.client ?? '127.0.0.1';
  const sent = Buffer.from(options.options?.[0]?.[1] ?? []).toString('hex') || 'nothing';
  test(`ecs: with ${text.replaceAll('\n', '')} ${client} sending ${sent} asks for ${want}`, () => {
    const r = rig(text);
    assert.equal(r.seen(options), want);
    if (action === undefined) return;
    assert.equal(r.metrics.value('queries_total', { action }), 1);
    assert.equal(r.metrics.value('queries_total'), 1);
  });
}

test('ecs: names outside its domains are asked for no network', () => {
  const r = rig('ecs add {\n domains example.org\n}');
  assert.equal(r.seen(IPV4), 'c0000200/24');
  assert.equal(r.seen(IPV4, 'example.ORG'), 'c0000200/24');
  assert.equal(r.seen(IPV4, 'notexample.org'), '-');
  assert.equal(r.seen(withNetwork('198.51.100.0/24'), 'example.net'), '-');
  assert.equal(r.metrics.value('queries_total', { action: 'removed' }), 1);
});
