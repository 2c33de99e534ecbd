// Typed data: the same configuration as a Corefile, and problems that name a path.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseData } from './data.js';
import { defineConfig } from './define-config.js';
import { directive } from './directive.js';
import type { Configuration, Problem } from './model.js';
import { parseCorefile } from './parser.js';
import { formatProblems } from './problems.js';
import { integer } from './values.js';

const FILE = '/etc/dns/heimdall.config.json';
const options = { defaultPort: 53, env: { NAME: 'example.org', A: '{$B}', B: '{$A}' } };

/** A configuration without places. */
function shapeOf({ blocks, plugins }: Configuration): unknown {
  const text = (token: { readonly text: string }) => token.text;
  return {
    plugins: plugins.map(({ specifier, directory }) => [specifier, directory]),
    blocks: blocks.map(({ keys, directives, order }) => ({
      keys: keys.map(({ scheme, zones, port }) => ({ scheme, zones, port })),
      order,
      directives: directives.map(({ name, args, properties }) => ({
        line: [name, ...args].map(text),
        block: properties.map((property) => [property.name, ...property.args].map(text)),
      })),
    })),
  };
}

function problemsOf(data: unknown): string[] {
  return formatProblems(parseData(data, FILE, options).problems).map((line) =>
    line.replace(FILE, 'F'),
  );
}

test('data: the same as a Corefile', () => {
  const config = defineConfig({
    plugins: ['./block.js', 'heimdall-plugin-x'],
    blocks: [
      {
        keys: ['.:1053', 'tls://{$NAME}', '10.0.0.0/23'],
        directives: [
          'errors',
          ['log'],
          [
            'cache',
            3600,
            'a.org',
            {
              success: [9984, 600],
              prefetch: 10,
              keepttl: true,
              serve_stale: false,
              servfail: undefined,
              disable: [['success', 'a.org'], 'denial'],
              empty: null,
              none: [],
            },
          ],
          ['forward', '.', '/etc/resolv.conf', { max_fails: 3 }],
        ],
        order: ['cache', 'log'],
      },
      { keys: 'b.org', directives: [] },
    ],
  });
  const corefile = `
    plugin ./block.js
    plugin heimdall-plugin-x
    .:1053 tls://example.org 10.0.0.0/23 {
      errors
      log
      cache 3600 a.org {
        success 9984 600
        prefetch 10
        keepttl
        disable success a.org
        disable denial
        empty
      }
      forward . /etc/resolv.conf { max_fails 3 }
      order cache log
    }
    b.org { }`;
  const fromData = parseData(config, FILE, options);
  assert.deepEqual(fromData.problems, []);
  const fromText = parseCorefile(corefile, '/etc/dns/Corefile', options);
  assert.deepEqual(shapeOf(fromData.configuration), shapeOf(fromText.configuration));
});

test('data: no block at all is the built-in configuration', () => {
  const { configuration, problems } = parseData({ plugins: ['x'], blocks: [] }, FILE, options);
  assert.deepEqual(problems, []);
  assert.deepEqual(configuration.plugins.length, 1);
  const builtIn = parseCorefile('', 'Corefile', options).configuration;
  assert.deepEqual(shapeOf({ ...configuration, plugins: [] }), shapeOf(builtIn));
});

test('data: problems of a plugin name the path', () => {
  const data = {
    blocks: [{ keys: '.', directives: [['cache', 0, { prefech: 1, prefetch: 'x' }]] }],
  };
  const { configuration } = parseData(data, FILE, options);
  const syntax = directive({
    args: { ttl: integer({ min: 1 }) },
    block: { prefetch: integer().optional() },
  });
  const problems: Problem[] = [];
  const directives = configuration.blocks[0]?.directives ?? [];
  syntax.once().parse([...directives, ...directives], { zones: [], root: '' }, problems);
  assert.deepEqual(
    formatProblems(problems).map((line) => line.replace(FILE, 'F')),
    [
      'F: blocks[0].directives[0]: cache: already set on blocks[0].directives[0], allowed once per server block',
      'F: blocks[0].directives[0]: cache: TTL 0 is out of range, want 1 or more',
      'F: blocks[0].directives[0].prefech: cache: unknown property "prefech", did you mean "prefetch"?',
      'F: blocks[0].directives[0].prefetch: cache: "x" is not a whole number',
    ],
  );
});

const refused: { name: string; data: unknown; want: string[] }[] = [
  { name: 'no object', data: [], want: ['F: want an object, found a list'] },
  { name: 'nothing', data: null, want: ['F: want an object, found nothing'] },
  {
    name: 'unknown keys',
    data: { block: [], blocks: [{ keys: '.', directive: ['errors'] }] },
    want: [
      'F: unknown "block", did you mean "blocks"?',
      'F: blocks[0]: unknown "directive", did you mean "directives"?',
    ],
  },
  {
    name: 'lists that are none',
    data: { plugins: 'x', blocks: [{ keys: 5, directives: 'errors', order: 'cache' }, 'x'] },
    want: [
      'F: plugins: want a list, found a string',
      'F: blocks[0].keys: want a list, found a number',
      'F: blocks[0]: no keys, want one such as .:53',
      'F: blocks[0].directives: want a list, found a string',
      'F: blocks[0].order: want a list, found a string',
      'F: blocks[0].order: order: missing argument, want plugin names',
      'F: blocks[1]: want an object, found a string',
      'F: blocks[1]: no keys, want one such as .:53',
    ],
  },
  {
    name: 'bad keys',
    data: { blocks: [{ keys: ['a..b', 'x://y', ''], directives: [] }] },
    want: [
      'F: blocks[0].keys[2]: want a string, found nothing',
      'F: blocks[0].keys[0]: "a..b" is not a domain name, want labels of 1 to 63 bytes, at most 255 bytes in all',
      'F: blocks[0].keys[1]: unknown scheme "x", want dns, tls, quic, grpc, https or https3',
    ],
  },
  {
    name: 'bad directives',
    data: {
      blocks: [
        { keys: '.', directives: [[], [5], ['log', null, {}], ['log', { class: [{}] }], {}] },
      ],
    },
    want: [
      "F: blocks[0].directives[0]: want the directive's name first, found nothing",
      "F: blocks[0].directives[1]: want the directive's name first, found a number",
      'F: blocks[0].directives[2]: want a string, number or boolean, found nothing',
      'F: blocks[0].directives[3].class: want a string, number or boolean, found an object',
      'F: blocks[0].directives[4]: want a list, found an object',
      "F: blocks[0].directives[4]: want the directive's name first, found nothing",
    ],
  },
  {
    name: 'endless variables',
    data: { blocks: [{ keys: '.', directives: [['log', '{$A}']] }] },
    want: ['F: blocks[0].directives[0]: variables in "{$A}" refer to each other without end'],
  },
];

for (const { name, data, want } of refused) {
  test(`data: ${name}`, () => assert.deepEqual(problemsOf(data), want));
}

test('data: known directives are checked when they are given, variables are those of the process', () => {
  const data = { blocks: [{ keys: '.', directives: ['cahe'] }] };
  const { problems } = parseData(data, 'c.json', { defaultPort: 53, knownDirectives: ['cache'] });
  assert.deepEqual(formatProblems(problems), [
    'c.json: blocks[0].directives[0]: unknown directive "cahe", did you mean "cache"?',
  ]);
});
