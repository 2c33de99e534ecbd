// Value parsers: what each accepts, and what it says of the rest.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { directive } from './directive.js';
import type { Field } from './field.js';
import { custom, flag, tuple, words, zones } from './lines.js';
import type { Problem } from './model.js';
import { parseCorefile } from './parser.js';
import { formatProblem } from './problems.js';
import type { Syntax } from './syntax.js';
import { ValueError } from './value-error.js';
import {
  bytes,
  duration,
  file,
  hostPort,
  integer,
  ip,
  number,
  oneOf,
  regex,
  text,
  value,
  zone,
} from './values.js';

/** What a syntax makes of directive lines in a block for example.org, or the problems. The first line is line 1. */
function parse<C>(syntax: Syntax<C>, lines: string): readonly C[] | string[] {
  const parsed = parseCorefile(`example.org { ${lines}\n}`, 'Corefile', { defaultPort: 53 });
  const problems: Problem[] = [...parsed.problems];
  const directives = parsed.configuration.blocks[0]?.directives ?? [];
  const configs = syntax.parse(directives, { zones: ['example.org.'], root: '/etc/dns' }, problems);
  return problems.length > 0 ? problems.map(formatProblem) : configs;
}

/** The value of the one positional argument `field`, or the problem. */
function argument(field: Field<unknown>, args: string): unknown {
  const [config] = parse(directive({ args: { it: field } }), `d ${args}`);
  return typeof config === 'string' ? config.replace('Corefile:1: d: ', '') : config?.it;
}

const values: {
  name: string;
  field: Field<unknown>;
  good: [string, unknown][];
  bad: [string, string][];
}[] = [
  {
    name: 'text',
    field: text(),
    good: [
      ['a', 'a'],
      ['"a b"', 'a b'],
      ['""', ''],
    ],
    bad: [['', 'missing argument IT, want a word']],
  },
  {
    name: 'integer',
    field: integer({ min: 1, max: 10 }),
    good: [
      ['1', 1],
      ['+10', 10],
    ],
    bad: [
      ['0', 'IT 0 is out of range, want 1..10'],
      ['11', 'IT 11 is out of range, want 1..10'],
      ['1.5', '"1.5" is not a whole number, want 1..10'],
      ['many', '"many" is not a whole number, want 1..10'],
      ['', 'missing argument IT, want a whole number'],
    ],
  },
  {
    name: 'integer without limits',
    field: integer(),
    good: [['-5', -5]],
    bad: [['x', '"x" is not a whole number']],
  },
  {
    name: 'integer with one limit',
    field: integer({ max: 5 }),
    good: [['-5', -5]],
    bad: [['6', 'IT 6 is out of range, want at most 5']],
  },
  {
    name: 'number',
    field: number({ min: 0 }),
    good: [
      ['0.5', 0.5],
      ['.5', 0.5],
      ['2', 2],
    ],
    bad: [
      ['-0.5', 'IT -0.5 is out of range, want 0 or more'],
      ['1e3', '"1e3" is not a number, want 0 or more'],
    ],
  },
  {
    name: 'duration',
    field: duration({ max: 60_000 }),
    good: [
      ['0', 0],
      ['250ms', 250],
    ],
    bad: [
      ['-1s', 'IT -1s is out of range, want 0s..1m'],
      ['61s', 'IT 61s is out of range, want 0s..1m'],
      ['30', '"30" is not a duration, want one such as 30s or 250ms'],
    ],
  },
  {
    name: 'duration below zero',
    field: duration({ min: -1000 }),
    good: [['-1s', -1000]],
    bad: [['-2s', 'IT -2s is out of range, want -1s or more']],
  },
  {
    name: 'duration in bare seconds',
    field: duration({ bareSeconds: true }),
    good: [
      ['30', 30_000],
      ['1m', 60_000],
    ],
    bad: [['-1', 'IT -1 is out of range, want 0s or more']],
  },
  {
    name: 'bytes',
    field: bytes({ min: 1024 }),
    good: [['64MB', 64e6]],
    bad: [
      ['1b', 'IT 1b is out of range, want 1KiB or more'],
      ['big', '"big" is not a size, want one such as 64MB or 512KiB'],
    ],
  },
  {
    name: 'file',
    field: file(),
    good: [
      ['db.a', '/etc/dns/db.a'],
      ['/x/../y', '/y'],
    ],
    bad: [['""', '"" is empty, want a file name']],
  },
  {
    name: 'zone',
    field: zone(),
    good: [
      ['A.org', 'a.org.'],
      ['10.0.0.0/8', '10.in-addr.arpa.'],
    ],
    bad: [
      [
        'a..b',
        '"a..b" is not a domain name, want labels of 1 to 63 bytes, at most 255 bytes in all',
      ],
      [
        '10.0.0.0/9',
        '"10.0.0.0/9" is several reverse zones, want a network of whole octets or nibbles',
      ],
    ],
  },
  {
    name: 'zones',
    field: zones(),
    good: [
      ['', ['example.org.']],
      [
        'A.org dns://b.org:53 10.0.0.0/7',
        ['a.org.', 'b.org.', '10.in-addr.arpa.', '11.in-addr.arpa.'],
      ],
    ],
    bad: [
      [
        'a.org .x',
        '".x" is not a domain name, want labels of 1 to 63 bytes, at most 255 bytes in all',
      ],
    ],
  },
  {
    name: 'zones, at least one',
    field: zones({ min: 1 }),
    good: [['a', ['a.']]],
    bad: [['', 'missing argument IT, want a zone name']],
  },
  {
    name: 'zones, all by default',
    field: zones({ otherwise: ['.'] }),
    good: [['', ['.']]],
    bad: [],
  },
  {
    name: 'ip',
    field: ip(),
    good: [
      ['192.0.2.1', '192.0.2.1'],
      ['2001:db8::1', '2001:db8::1'],
    ],
    bad: [['192.0.2.300', '"192.0.2.300" is not an IP address, want an IPv4 or IPv6 address']],
  },
  {
    name: 'hostPort',
    field: hostPort(),
    good: [
      ['localhost:9153', { host: 'localhost', port: 9153 }],
      [':8080', { host: '', port: 8080 }],
      ['[::1]:53', { host: '::1', port: 53 }],
      ['127.0.0.1:0', { host: '127.0.0.1', port: 0 }],
    ],
    bad: [
      ['bla', '"bla" is not an address with a port, want HOST:PORT'],
      ['127.0.0.1', '"127.0.0.1" is not an address with a port, want HOST:PORT'],
      ['/foo:1', '"/foo:1" is not an address with a port, want HOST:PORT'],
      ['127.0.0.300:1', '"127.0.0.300:1" is not an address with a port, want HOST:PORT'],
      ['[x]:1', '"[x]:1" is not an address with a port, want HOST:PORT'],
      ['a:65536', '"a:65536" has a port out of range, want 0..65535'],
    ],
  },
  {
    name: 'hostPort with a default',
    field: hostPort(53),
    good: [
      ['127.0.0.1', { host: '127.0.0.1', port: 53 }],
      ['::1', { host: '::1', port: 53 }],
      ['[::1]', { host: '::1', port: 53 }],
      ['::1:2', { host: '::1:2', port: 53 }],
      ['a:1', { host: 'a', port: 1 }],
    ],
    bad: [['bla', '"bla" is not an address with a port, want IP[:PORT] or HOST:PORT']],
  },
  {
    name: 'oneOf',
    field: oneOf('NXDOMAIN', 'REFUSED', 'drop'),
    good: [
      ['nxdomain', 'NXDOMAIN'],
      ['drop', 'drop'],
    ],
    bad: [['x', '"x" is not accepted, want NXDOMAIN, REFUSED or drop']],
  },
  {
    name: 'regex',
    field: regex('i'),
    good: [['^a$', /^a$/iu]],
    bad: [['(', '"(" is not a regular expression: unterminated group']],
  },
  {
    name: 'words',
    field: words(),
    good: [
      ['', []],
      ['a "" b', ['a', '', 'b']],
    ],
    bad: [],
  },
  {
    name: 'list',
    field: ip().list(),
    good: [['::1 ::2', ['::1', '::2']]],
    bad: [['', 'missing argument IT, want an IP address']],
  },
  {
    name: 'optional',
    field: integer().optional(),
    good: [
      ['', undefined],
      ['3', 3],
    ],
    bad: [['x', '"x" is not a whole number']],
  },
  {
    name: 'or',
    field: integer().or(7),
    good: [
      ['', 7],
      ['3', 3],
    ],
    bad: [['1 2', 'unexpected argument "2", want at most 1']],
  },
  {
    name: 'named',
    field: integer({ min: 1 }).named('TTL'),
    good: [['3', 3]],
    bad: [
      ['0', 'TTL 0 is out of range, want 1 or more'],
      ['', 'missing argument TTL, want a whole number'],
    ],
  },
  {
    name: 'tuple',
    field: tuple(integer().named('CAPACITY'), duration().named('TTL').optional(), text().or('x')),
    good: [
      ['1', [1, undefined, 'x']],
      ['1 2s', [1, 2000, 'x']],
      ['1 a', [1, undefined, 'a']],
      ['1 2s a', [1, 2000, 'a']],
    ],
    bad: [
      ['', 'missing argument CAPACITY for IT, want a whole number'],
      ['1 -2s', 'IT TTL -2s is out of range, want 0s or more'],
      ['1 a b', 'unexpected argument "b" for IT, want at most 3, in their order'],
      ['1 2s a b', 'unexpected argument "b", want at most 3'],
    ],
  },
  {
    name: 'custom',
    field: custom((args, context) => {
      const bad = args.find((token) => token.text === 'bad');
      if (bad !== undefined) throw new ValueError('want another', 'is bad', bad);
      if (args.length === 0) throw ValueError.whole('nothing is too little');
      return [args.length, ...context.zones];
    }),
    good: [['a b', [2, 'example.org.']]],
    bad: [
      ['a bad', '"bad" is bad, want another'],
      ['', 'nothing is too little'],
    ],
  },
  {
    name: 'value',
    field: value((text) => {
      if (text.length > 3) throw new ValueError('want up to 3 letters');
      return text.length;
    }, 'letters'),
    good: [['abc', 3]],
    bad: [
      ['abcd', '"abcd" is not accepted, want up to 3 letters'],
      ['', 'missing argument IT, want letters'],
    ],
  },
];

for (const { name, field, good, bad } of values) {
  test(`value ${name}`, () => {
    for (const [args, want] of good) assert.deepEqual(argument(field, args), want, args);
    for (const [args, want] of bad) assert.equal(argument(field, args), want, args);
  });
}

test('value: tuples, words and lists are skipped by what they begin with', () => {
  const context = { zones: [], root: '' };
  assert.ok(tuple(integer(), text()).reader.looksLike('1', context));
  assert.ok(!tuple(integer(), text()).reader.looksLike('x', context));
  assert.ok(!tuple().reader.looksLike('x', context));
  assert.ok(integer().list().reader.looksLike('1', context));
  assert.ok(words().reader.looksLike('x', context));
  assert.ok(zones().reader.looksLike('a.org', context));
  assert.ok(!zones().reader.looksLike('a..org', context));
  assert.ok(!flag().reader.looksLike('x', context));
  assert.ok(number().reader.looksLike('.5', context));
  assert.ok(duration().reader.looksLike('5s', context));
  assert.ok(bytes().reader.looksLike('5MB', context));
});
