// The typed syntax: configs out of directive lines, and every message it makes.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { directive } from './directive.js';
import { custom, flag, tuple, words, zones } from './lines.js';
import type { Problem } from './model.js';
import { parseCorefile } from './parser.js';
import { formatProblem } from './problems.js';
import type { Syntax } from './syntax.js';
import { ValueError } from './value-error.js';
import { file, integer, ip, regex, text, value, zone } from './values.js';

/** What a syntax makes of directive lines in a block for example.org, or the problems. The first line is line 1. */
function parse<C>(syntax: Syntax<C>, lines: string): readonly C[] | string[] {
  const parsed = parseCorefile(`example.org { ${lines}\n}`, 'Corefile', { defaultPort: 53 });
  const problems: Problem[] = [...parsed.problems];
  const directives = parsed.configuration.blocks[0]?.directives ?? [];
  const configs = syntax.parse(directives, { zones: ['example.org.'], root: '/etc/dns' }, problems);
  return problems.length > 0 ? problems.map(formatProblem) : configs;
}

const cache = directive({
  args: { ttl: integer({ min: 1 }).or(3600), zones: zones() },
  block: {
    success: tuple(
      integer({ min: 0 }).named('CAPACITY'),
      integer({ min: 1 }).named('TTL').optional(),
    ).or([9984, undefined]),
    prefetch: integer({ min: 0 }).optional(),
    deny: text().list().or([]),
    allow: text().many(),
    except: zones({ min: 1 }).or([]),
    keepttl: flag(),
    mode: custom((args) => args.map((token) => token.text)).optional(),
  },
  check: (config) => {
    if (config.ttl === 13) return 'unlucky';
    return config.keepttl && config.prefetch === 1
      ? { at: 'prefetch', message: 'not both' }
      : undefined;
  },
});

const defaults = {
  ttl: 3600,
  zones: ['example.org.'],
  success: [9984, undefined],
  prefetch: undefined,
  deny: [],
  allow: [],
  except: [],
  keepttl: false,
  mode: undefined,
};

const directives: { name: string; lines: string; want: object | string[] }[] = [
  { name: 'without anything it has its defaults', lines: 'cache', want: defaults },
  { name: 'an empty block changes nothing', lines: 'cache { }', want: defaults },
  {
    name: 'arguments in order',
    lines: 'cache 30 a.org b',
    want: { ...defaults, ttl: 30, zones: ['a.org.', 'b.'] },
  },
  {
    name: 'an optional argument of another kind is skipped',
    lines: 'cache a.org',
    want: { ...defaults, zones: ['a.org.'] },
  },
  {
    name: 'a bad one of its kind is not',
    lines: 'cache 0 a.org',
    want: ['Corefile:1: cache: TTL 0 is out of range, want 1 or more'],
  },
  {
    name: 'properties',
    lines:
      'cache {\n success 10 20\n prefetch 5\n keepttl\n deny a b\n allow a\n except A.org\n mode x y\n}',
    want: {
      ...defaults,
      success: [10, 20],
      prefetch: 5,
      keepttl: true,
      deny: ['a', 'b'],
      allow: ['a'],
      except: ['a.org.'],
      mode: ['x', 'y'],
    },
  },
  {
    name: 'the last line of a property counts, lists and many add up',
    lines:
      'cache {\n prefetch 1\n prefetch 2\n deny a b\n deny c\n allow x\n allow y\n except a\n except b c\n}',
    want: {
      ...defaults,
      prefetch: 2,
      deny: ['a', 'b', 'c'],
      allow: ['x', 'y'],
      except: ['a.', 'b.', 'c.'],
    },
  },
  {
    name: 'a misspelt property',
    lines: 'cache {\n\n prefech 1\n}',
    want: ['Corefile:3: cache: unknown property "prefech", did you mean "prefetch"?'],
  },
  {
    name: 'a foreign property',
    lines: 'cache {\n zzz 1\n}',
    want: [
      'Corefile:2: cache: unknown property "zzz", want success, prefetch, deny, allow, except, keepttl or mode',
    ],
  },
  {
    name: 'every problem of a block',
    lines:
      'cache 0 {\n prefetch\n success x\n success 1 0\n success 1 2 3\n keepttl yes\n deny\n allow a b\n except\n}',
    want: [
      'Corefile:1: cache: TTL 0 is out of range, want 1 or more',
      'Corefile:2: cache: missing argument for prefetch, want a whole number',
      'Corefile:3: cache: "x" is not a whole number, want 0 or more',
      'Corefile:4: cache: success TTL 0 is out of range, want 1 or more',
      'Corefile:5: cache: unexpected argument "3" for success, want at most 2',
      'Corefile:6: cache: unexpected argument "yes" for keepttl, want none',
      'Corefile:7: cache: missing argument for deny, want a word',
      'Corefile:8: cache: unexpected argument "b" for allow, want at most 1',
      'Corefile:9: cache: missing argument for except, want a zone name',
    ],
  },
  { name: 'a check of the whole', lines: 'cache 13', want: ['Corefile:1: cache: unlucky'] },
  {
    name: 'a check that blames a property',
    lines: 'cache {\n keepttl\n prefetch 1\n}',
    want: ['Corefile:3: cache: not both'],
  },
  {
    name: 'no check of what is wrong already',
    lines: 'cache 13 {\n prefetch x\n}',
    want: ['Corefile:2: cache: "x" is not a whole number, want 0 or more'],
  },
];

for (const { name, lines, want } of directives) {
  test(`directive: ${name}`, () => {
    assert.deepEqual(parse(cache, lines), Array.isArray(want) ? want : [want]);
  });
}

test('directive: configs are frozen, lists in them too', () => {
  const [config] = parse(cache, 'cache {\n deny a\n allow b\n}');
  assert.ok(typeof config === 'object');
  for (const part of [config, config.deny, config.allow, config.success]) {
    assert.ok(Object.isFrozen(part));
  }
});

test('directive: each occurrence is an instance', () => {
  const syntax = directive({ args: { n: integer() } });
  assert.equal(syntax.occurrence, 'each');
  assert.deepEqual(parse(syntax, 'd 1\nd 2'), [{ n: 1 }, { n: 2 }]);
});

test('directive: once() refuses a second occurrence and names the first', () => {
  const syntax = directive({ args: { n: integer().or(0) } }).once();
  assert.equal(syntax.occurrence, 'once');
  assert.deepEqual(parse(syntax, 'd 1'), [{ n: 1 }]);
  assert.deepEqual(parse(syntax, 'd 1\nd 2\nd x'), [
    'Corefile:2: d: already set on line 1, allowed once per server block',
    'Corefile:3: d: already set on line 1, allowed once per server block',
    'Corefile:3: d: "x" is not a whole number',
  ]);
});

test('directive: many() makes one instance of all occurrences', () => {
  const syntax = directive({ args: { n: integer() } }).many();
  assert.equal(syntax.occurrence, 'many');
  assert.deepEqual(parse(syntax, 'd 1\nd 2'), [[{ n: 1 }, { n: 2 }]]);
  assert.deepEqual(parse(syntax, 'd x'), ['Corefile:1: d: "x" is not a whole number']);
  assert.deepEqual(syntax.parse([], { zones: [], root: '' }, []), []);
});

test('directive: one that takes nothing', () => {
  const syntax = directive({});
  assert.deepEqual(syntax.properties, []);
  assert.deepEqual(parse(syntax, 'debug'), [{}]);
  assert.deepEqual(parse(syntax, 'debug off {\n x\n}'), [
    'Corefile:1: debug: unexpected argument "off", want none',
    'Corefile:2: debug: unknown property "x", want none',
  ]);
});

test('directive: a property without default must be written', () => {
  const syntax = directive({ block: { to: ip().list(), key: tuple(text(), file()) } });
  assert.deepEqual(syntax.properties, ['to', 'key']);
  assert.deepEqual(parse(syntax, 'transfer'), [
    'Corefile:1: transfer: property "to" is missing, want an IP address',
    'Corefile:1: transfer: property "key" is missing, want a word',
  ]);
});

test('directive: many properties are not all listed in a message', () => {
  const names = [...'abcdefghijklm'];
  const block = Object.fromEntries(names.map((name) => [name, flag()]));
  assert.deepEqual(parse(directive({ block }), 'd { zzz }'), [
    'Corefile:1: d: unknown property "zzz"',
  ]);
});

test('directive: rest takes the lines that no property does', () => {
  const syntax = directive({
    args: { path: file().or('/etc/hosts') },
    block: { ttl: integer({ min: 1 }).or(3600) },
    rest: ({ name, args }) => {
      if (!/^[\d.]+$/.test(name.text)) return undefined;
      if (args.length === 0) throw new ValueError('want names after it', 'stands alone');
      return `${name.text}=${args.map((token) => token.text)}`;
    },
  });
  assert.deepEqual(parse(syntax, 'hosts {\n 192.0.2.1 a b\n ttl 5\n 192.0.2.2 c\n}'), [
    { path: '/etc/hosts', ttl: 5, rest: ['192.0.2.1=a,b', '192.0.2.2=c'] },
  ]);
  assert.deepEqual(parse(syntax, 'hosts {\n 192.0.2.1\n tll 5\n}'), [
    'Corefile:2: hosts: "192.0.2.1" stands alone, want names after it',
    'Corefile:3: hosts: unknown property "tll", did you mean "ttl"?',
  ]);
});

test('directive: a check may throw and may blame the directive for want of anything else', () => {
  const thrown = directive({
    check: () => {
      throw new ValueError('want more', 'is not enough');
    },
  });
  assert.deepEqual(parse(thrown, 'd'), ['Corefile:1: d: "d" is not enough, want more']);
  const blamed = directive({ check: () => ({ at: 'x', message: 'no' }) });
  assert.deepEqual(parse(blamed, 'd'), ['Corefile:1: d: no']);
});

test('directive: each bad token of a list is reported', () => {
  const syntax = directive({ args: { from: zone(), maxSize: integer(), to: ip().list() } });
  assert.deepEqual(parse(syntax, 'forward . 1 x ::1 y'), [
    'Corefile:1: forward: "x" is not an IP address, want an IPv4 or IPv6 address',
    'Corefile:1: forward: "y" is not an IP address, want an IPv4 or IPv6 address',
  ]);
  assert.deepEqual(parse(syntax, 'forward .'), [
    'Corefile:1: forward: missing argument MAX_SIZE, want a whole number',
  ]);
});

test('directive: several words may be skipped in a row, and a list may be', () => {
  const syntax = directive({
    args: { n: integer().optional(), re: regex().optional(), addresses: ip().list().or([]) },
  });
  assert.deepEqual(parse(syntax, 'd'), [{ n: undefined, re: undefined, addresses: [] }]);
  assert.deepEqual(parse(syntax, 'd ( ::1'), [
    'Corefile:1: d: "(" is not an IP address, want an IPv4 or IPv6 address',
  ]);
});

test('directive: a fault in a plugin is not a configuration error', () => {
  const fault = () => {
    throw new TypeError('bug');
  };
  assert.throws(() => parse(directive({ args: { it: value(fault, 'x') } }), 'd x'), TypeError);
  const optional = value(fault, 'x').optional();
  assert.throws(() => parse(directive({ args: { optional, zones: zones() } }), 'd x'), TypeError);
});

test('directive: mistakes in a syntax are found when it is declared', () => {
  assert.throws(
    () => directive({ args: { a: words(), b: text() } }),
    /argument A must be the last/,
  );
  assert.throws(() => directive({ args: { a: text() }, block: { a: text() } }), /both an argument/);
  assert.throws(() => words().list(), /one token/);
  assert.throws(() => tuple(words(), text()), /must be the last/);
});
