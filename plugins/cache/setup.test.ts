import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Handler, Next } from '../../core/plugin.js';
import {
  ask,
  directiveProblems,
  fakeServices,
  makeQuery,
  parseDirective,
  replyFrom,
} from '../../core/testing.js';
import prefetch from '../prefetch/setup.js';
import type { CacheMemory, CacheOptions } from './options.js';
import cache, { optionsOf, persistOf } from './setup.js';
import type { CacheConfig } from './syntax.js';

const SERVFAIL_5S = { minMs: 5000, maxMs: 5000, isForAll: false };

const DEFAULTS: CacheOptions = {
  zones: ['.'],
  success: { ttl: { min: 5, max: 3600 }, disabled: [] },
  denial: { ttl: { min: 5, max: 1800 }, disabled: [] },
  failures: SERVFAIL_5S,
  cut: 'off',
  zoneLimit: undefined,
  keepTtl: false,
  networks: 100,
  prefetch: undefined,
  popular: undefined,
  stale: undefined,
};

const STALE = {
  maxMs: 3_600_000,
  verifies: false,
  timeoutMs: 0,
  ttl: 30,
  recheckMs: undefined,
  except: [],
  prefersPositive: false,
};

function configOf(text: string): CacheConfig {
  return parseDirective(cache, text)[0] as CacheConfig;
}

const cases: readonly { name: string; text: string; want: Partial<CacheOptions> }[] = [
  { name: 'alone it has defaults', text: 'cache', want: {} },
  {
    name: 'a TTL is for both types',
    text: 'cache 30',
    want: {
      success: { ttl: { min: 5, max: 30 }, disabled: [] },
      denial: { ttl: { min: 5, max: 30 }, disabled: [] },
    },
  },
  {
    name: 'zones without a TTL',
    text: 'cache Example.ORG 10.0.0.0/8',
    want: { zones: ['example.org.', '10.in-addr.arpa.'] },
  },
  {
    name: 'a TTL and a zone, and more of it in the block',
    text: 'cache 25 example.nl {\n success 10\n denial 10 15 2\n}',
    want: {
      zones: ['example.nl.'],
      success: { ttl: { min: 5, max: 25 }, disabled: [] },
      denial: { ttl: { min: 2, max: 15 }, disabled: [] },
    },
  },
  {
    name: 'servfail',
    text: 'cache {\n servfail 1m\n}',
    want: { failures: { ...SERVFAIL_5S, minMs: 60_000, maxMs: 60_000 } },
  },
  { name: 'no servfail', text: 'cache {\n servfail 0\n}', want: { failures: undefined } },
  { name: 'networks', text: 'cache {\n networks 7\n}', want: { networks: 7 } },
  { name: 'keepttl', text: 'cache {\n keepttl\n}', want: { keepTtl: true } },
  {
    name: 'disable without zones is for all',
    text: 'cache {\n disable denial\n}',
    want: { denial: { ttl: { min: 5, max: 1800 }, disabled: ['.'] } },
  },
  {
    name: 'disable lines add up',
    text: 'cache {\n disable success a.example b.example\n disable success c.example\n}',
    want: {
      success: {
        ttl: { min: 5, max: 3600 },
        disabled: ['a.example.', 'b.example.', 'c.example.'],
      },
    },
  },
  {
    name: 'prefetch with defaults',
    text: 'cache {\n prefetch 10\n}',
    want: { prefetch: { amount: 10, maxPauseMs: 60_000, percent: 10 } },
  },
  {
    name: 'prefetch in full',
    text: 'cache {\n prefetch 10 15s 25%\n}',
    want: { prefetch: { amount: 10, maxPauseMs: 15_000, percent: 25 } },
  },
  { name: 'prefetch 0 is off', text: 'cache {\n prefetch 0\n}', want: {} },
  { name: 'serve_stale with defaults', text: 'cache {\n serve_stale\n}', want: { stale: STALE } },
  { name: 'serve_stale 0 is off', text: 'cache {\n serve_stale 0 verify\n}', want: {} },
  {
    name: 'serve_stale immediate in full',
    text: 'cache {\n serve_stale 20m IMMEDIATE 30s 1m\n}',
    want: { stale: { ...STALE, maxMs: 1_200_000, ttl: 30, recheckMs: 60_000 } },
  },
  {
    name: 'serve_stale verify in full',
    text: 'cache {\n serve_stale 1h verify 100ms 30s 250ms\n}',
    want: { stale: { ...STALE, verifies: true, timeoutMs: 100, ttl: 30, recheckMs: 250 } },
  },
  {
    name: 'serve_stale verify with defaults',
    text: 'cache {\n serve_stale 1h verify\n}',
    want: { stale: { ...STALE, verifies: true, timeoutMs: 1800 } },
  },
  {
    name: 'serve_stale with zeros',
    text: 'cache {\n serve_stale 1h verify 0 0 0\n}',
    want: { stale: { ...STALE, verifies: true, ttl: 0, recheckMs: 0 } },
  },
  {
    name: 'serve_stale_except adds up',
    text: 'cache {\n serve_stale\n serve_stale_except a.example b.example\n serve_stale_except c.example\n}',
    want: { stale: { ...STALE, except: ['a.example.', 'b.example.', 'c.example.'] } },
  },
  {
    name: 'serve_stale_policy, in any case and before serve_stale',
    text: 'cache {\n serve_stale_policy PREFER_POSITIVE\n serve_stale\n}',
    want: { stale: { ...STALE, prefersPositive: true } },
  },
];
for (const c of cases) {
  test(`cache syntax: ${c.name}`, () => {
    assert.deepEqual(optionsOf(configOf(c.text), new Map()), { ...DEFAULTS, ...c.want });
  });
}

const persisted = [
  { text: 'persist /x/cache', want: ['/x/cache', 300_000] },
  { text: 'persist state/cache 90s', want: [`${process.cwd()}/state/cache`, 90_000] },
  { text: 'persist /x/cache 0', want: ['/x/cache', 0] },
];
for (const { text, want } of persisted) {
  test(`cache syntax: ${text}`, () => {
    const options = persistOf(configOf(`cache {\n ${text}\n}`), new Map());
    assert.deepEqual([options?.path, options?.intervalMs], want);
  });
}

test('cache: what decides which replies are kept decides whether kept ones are taken', () => {
  const settingsOf = (text: string): string | undefined =>
    persistOf(configOf(`cache 30 {\n persist /x\n ${text}\n}`), new Map())?.settings;
  const plain = settingsOf('servfail 5s');
  assert.equal(settingsOf('prefetch 10\n serve_stale\n keepttl'), plain);
  for (const text of ['servfail 6s', 'success 9984 40', 'disable denial a.example']) {
    assert.notEqual(settingsOf(text), plain, text);
  }
  assert.equal(persistOf(configOf('cache'), new Map()), undefined);
});

const refused = [
  { text: 'cache 0', error: 'Corefile:1: cache: TTL 0 is out of range, want 1 or more' },
  { text: 'cache -1 x', error: 'Corefile:1: cache: TTL -1 is out of range, want 1 or more' },
  {
    text: 'cache\ncache',
    error: 'Corefile:2: cache: already set on line 1, allowed once per server block',
  },
  {
    text: 'cache {\n prefech 10\n}',
    error: 'Corefile:2: cache: unknown property "prefech", did you mean "prefetch"?',
  },
  {
    text: 'cache {\n success\n}',
    error: 'Corefile:2: cache: missing argument CAPACITY for success, want a whole number',
  },
  {
    text: 'cache {\n success 10 0\n}',
    error: 'Corefile:2: cache: success TTL 0 is out of range, want 1 or more',
  },
  {
    text: 'cache {\n denial 10 10 -1\n}',
    error: 'Corefile:2: cache: denial MINTTL -1 is out of range, want 0 or more',
  },
  {
    text: 'cache {\n success 20000000\n}',
    error: 'Corefile:2: cache: success CAPACITY 20000000 is out of range, want 0..10000000',
  },
  {
    text: 'cache {\n success 1000000\n size 64MB\n}',
    error: 'Corefile:3: cache: size is too small for so many entries, want 216MiB or more',
  },
  {
    text: 'cache {\n size much\n}',
    error: 'Corefile:2: cache: "much" is not a size, want one such as 64MB or 512KiB',
  },
  {
    text: 'cache {\n prefetch 10 1m 5%\n}',
    error: 'Corefile:2: cache: "5%" is not a percentage in range, want 10%..90%',
  },
  {
    text: 'cache {\n prefetch 10 10%\n}',
    error: 'Corefile:2: cache: "10%" is not a duration, want one such as 30s or 250ms',
  },
  {
    name: 'more networks than a list may have',
    text: 'cache {\n networks 1001\n}',
    error: 'Corefile:2: cache: networks 1001 is out of range, want 1..1000',
  },
  {
    text: 'cache {\n servfail 6m\n}',
    error: 'Corefile:2: cache: servfail 6m is out of range, want 0s..5m',
  },
  {
    text: 'cache {\n disable all\n}',
    error: 'Corefile:2: cache: "all" is not accepted, want success or denial',
  },
  {
    text: 'cache {\n serve_stale 1h never\n}',
    error: 'Corefile:2: cache: "never" is not accepted, want immediate or verify',
  },
  {
    text: 'cache {\n serve_stale soon\n}',
    error:
      'Corefile:2: cache: "soon" is not a duration for DURATION, want one such as 30s or 250ms',
  },
  {
    text: 'cache {\n serve_stale 1h verify 1s 1s 6m\n}',
    error: 'Corefile:2: cache: "6m" is out of range for RECHECK, want 0s..5m',
  },
  {
    text: 'cache {\n serve_stale 1h immediate 1s 1s 1s\n}',
    error: 'Corefile:2: cache: "1s" is not accepted, want nothing behind RECHECK',
  },
  {
    text: 'cache {\n persist\n}',
    error: 'Corefile:2: cache: missing argument PATH for persist, want a file name',
  },
  {
    text: 'cache {\n persist /x 10ms\n}',
    error: 'Corefile:2: cache: "10ms" is out of range, want 0 or 1s..24h',
  },
  {
    text: 'cache {\n persist /x often\n}',
    error: 'Corefile:2: cache: "often" is not a duration, want one such as 5m',
  },
  {
    text: 'cache {\n serve_stale_policy prefer_positive\n}',
    error: 'Corefile:2: cache: serve_stale_policy needs serve_stale',
  },
  {
    text: 'cache {\n serve_stale_except example.org\n}',
    error: 'Corefile:2: cache: serve_stale_except needs serve_stale',
  },
];
for (const c of refused) {
  test(`cache syntax: "${c.text.replaceAll('\n', ';')}" is refused`, () => {
    assert.deepEqual(directiveProblems(cache, c.text), [c.error]);
  });
}

test('cache: the workers use the memory of the control part, a handler by itself its own', async () => {
  const config = configOf('cache {\n size 64MB\n}');
  const shared = cache.control?.(config, fakeServices()).published as CacheMemory;
  const { byteLength } = shared.memory;
  assert.ok(byteLength <= 64e6 && byteLength > 60e6);
  const asked: string[] = [];
  const says: Next = (q) => {
    asked.push(q.qname);
    return replyFrom(q, { answers: [{ type: 'A', name: q.qname, ttl: 60, data: '192.0.2.1' }] });
  };
  const handlers = [shared, shared, undefined].map((published, worker) =>
    cache.setup?.(config, fakeServices({ published, worker })),
  );
  for (const handler of handlers) {
    const reply = await ask(handler as Handler, makeQuery('example.org', 'A'), says);
    assert.equal(reply.answers?.length, 1);
  }
  assert.equal(asked.length, 2);
});

const withPart = (cacheText: string, text: string) =>
  optionsOf(configOf(cacheText), new Map([['prefetch', parseDirective(prefetch, text)[0]]]));

const combined = [
  {
    name: 'the directive alone refreshes after one use',
    cache: 'cache',
    prefetch: 'prefetch',
    want: { amount: 1, maxPauseMs: 60_000, percent: 10 },
  },
  {
    name: 'what the directive leaves open is as the property says',
    cache: 'cache {\n prefetch 10 2m 20%\n}',
    prefetch: 'prefetch',
    want: { amount: 10, maxPauseMs: 120_000, percent: 20 },
  },
  {
    name: 'what the directive says goes before the property',
    cache: 'cache {\n prefetch 10 2m 20%\n}',
    prefetch: 'prefetch 3 5m',
    want: { amount: 3, maxPauseMs: 300_000, percent: 20 },
  },
  {
    name: 'nothing on hits, but uses are noted for the timer',
    cache: 'cache',
    prefetch: 'prefetch 0',
    want: { amount: 1, maxPauseMs: 60_000, percent: 0 },
  },
  {
    name: 'nothing at all',
    cache: 'cache',
    prefetch: 'prefetch 0 {\n timer off\n}',
    want: undefined,
  },
] as const;
for (const c of combined) {
  test(`cache: with prefetch, ${c.name}`, () => {
    assert.deepEqual(withPart(c.cache, c.prefetch).prefetch, c.want);
  });
}

test('cache: prefetch has a share, a number of names and a budget of its own', () => {
  const text = 'prefetch {\n timer 100%\n names 500\n budget off\n}';
  const infinite = Number.POSITIVE_INFINITY;
  assert.deepEqual(withPart('cache', text).popular, { share: 255, names: 500, budget: infinite });
  const off = withPart('cache', 'prefetch {\n timer off\n}').popular;
  assert.deepEqual(off, { share: undefined, names: 10_000, budget: 100 });
});
